// Model folders: which there are, how they are called, and everything of one that is read before its weights are.
#pragma once
#include "llmap/architectures/check_plan.hpp"
#include "llmap/text/tokenizer.hpp"
#include "llmap/weights/checkpoint.hpp"
#include "llmap/weights/config.hpp"
#include "llmap/weights/mxfp4.hpp"
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace llmap {

/// The model folder `path` (it has a config.json), or the model folders inside it, sorted.
inline std::vector<std::filesystem::path> model_folders(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  const fs::path folder = path.lexically_normal();
  if (!fs::exists(folder)) fail(path.string(), ": no such file or directory");
  if (!fs::is_directory(folder)) fail(path.string(), ": expected a model folder, or a folder of model folders");
  if (fs::exists(folder / "config.json")) return {folder};
  std::vector<fs::path> inside;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_directory() && fs::exists(entry.path() / "config.json")) inside.push_back(entry.path());
  if (inside.empty()) fail(path.string(), ": expected config.json, or folders that hold one");
  std::sort(inside.begin(), inside.end());
  return inside;
}

/// The name of a model: the last part of its folder's path.
inline std::string model_name(const std::filesystem::path& folder) {
  const std::filesystem::path path = std::filesystem::absolute(folder).lexically_normal();
  return (path.has_filename() ? path.filename() : path.parent_path().filename()).string();
}

/// A model folder, opened: plan, checked weight files and tokenizer, nothing packed yet.
struct opened_model {
  std::filesystem::path folder;
  std::string name;
  decoder_plan plan;
  checkpoint weights;
  tokenizer_files words_files;
  tokenizer words;

  opened_model(std::filesystem::path path, decoder_plan of_config)
      : folder(std::move(path)), name(model_name(folder)), plan(std::move(of_config)), weights(folder), words_files(read_tokenizer_files(folder)),
        words(tokenizer::from_files(words_files)) {}

  /// The weights as load_decoder reads them: packed forms as plain matrices.
  mxfp4_tensors<checkpoint> tensors() const { return mxfp4_tensors<checkpoint>(weights); }
};

} // namespace llmap
