// An opened model: everything that is read before its weights are.
#pragma once
#include "llmap/architectures/settle_plan.hpp"
#include "llmap/model/model_folders.hpp"
#include "llmap/model/model_tokenizer.hpp"
#include "llmap/weights/model_weights.hpp"
#include <filesystem>
#include <string>

namespace llmap {

/// An opened model folder: plan, checked weight files and tokenizer; nothing is packed yet. A folder with an adapter is
/// a model as well; `of_config` is then the plan of its base (base_folder).
struct opened_model {
  std::filesystem::path folder; ///< as it was given
  std::string name;             ///< of the model
  decoder_plan plan;            ///< settled by the files
  model_weights weights;        ///< checked against the plan
  tokenizer words;              ///< text to ids

  /// `of_config` is the plan that the config gives; what only the files can tell is settled here. `base` is as in
  /// base_folder.
  opened_model(std::filesystem::path path, decoder_plan of_config, const std::filesystem::path& base = {})
      : folder(std::move(path)), name(model_name(folder)), plan(std::move(of_config)), weights(folder, base),
        words(tokenizer::from_files(tokenizer_files_of(weights))) {
    plan = settle_plan(std::move(plan), weights.base_tensors(dtype::f32), folder.string());
  }
};

} // namespace llmap
