// Finds model folders and gives models their names.
#pragma once
#include "llmap/core/error.hpp"
#include <algorithm>
#include <filesystem>
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

} // namespace llmap
