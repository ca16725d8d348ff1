// An opened model folder: everything that is read before its weights are.
#pragma once
#include "llmap/architectures/decoder_plan.hpp"
#include "llmap/model/model_folders.hpp"
#include "llmap/text/tokenizer.hpp"
#include "llmap/weights/checkpoint.hpp"
#include "llmap/weights/mxfp4.hpp"
#include <filesystem>
#include <string>

namespace llmap {

/// An opened model folder: plan, checked weight files and tokenizer; nothing is packed yet.
struct opened_model {
  std::filesystem::path folder;
  std::string name;
  decoder_plan plan;
  checkpoint weights;
  tokenizer words;

  opened_model(std::filesystem::path path, decoder_plan of_config)
      : folder(std::move(path)), name(model_name(folder)), plan(std::move(of_config)), weights(folder),
        words(tokenizer::load(folder)) {}

  /// The weights as load_decoder reads them: packed forms as plain matrices.
  mxfp4_tensors<checkpoint> tensors() const { return mxfp4_tensors<checkpoint>(weights); }
};

} // namespace llmap
