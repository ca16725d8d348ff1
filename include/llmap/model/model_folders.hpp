// Finds model folders and gives models their names.
#pragma once
#include "llmap/core/error.hpp"
#include "llmap/weights/gguf/file.hpp"
#include "llmap/weights/hub_cache.hpp"
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace llmap {

/// Whether a folder is a model: it has a config.json, or an adapter's.
inline bool is_model_folder(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / "config.json") || std::filesystem::exists(folder / "adapter_config.json");
}

/// The model folder or GGUF file `path`, or those inside it, sorted; of a repository in a hub cache the snapshot of
/// main. Where there is no such folder, `path` may be ORG/NAME[@REVISION] of a model in the cache (hub_cache).
inline std::vector<std::filesystem::path> model_folders(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  if (!fs::exists(path)) {
    if (const auto snapshot = hub_model(path.string())) return {*snapshot};
    fail(path.string(), ": no such file or directory, nor a model in the cache ", hub_cache().string());
  }
  const fs::path folder = path.lexically_normal();
  if (is_gguf(folder)) return {folder};
  if (!fs::is_directory(folder)) fail(path.string(), ": expected a model folder, or a folder of model folders");
  const auto is_repository = [](const fs::path& f) {
    return hub_repository_name(f) && fs::is_directory(f / "snapshots");
  };
  if (is_model_folder(folder)) return {folder};
  const fs::path plain = folder.has_filename() ? folder : folder.parent_path();
  if (is_repository(plain)) return {hub_snapshot(plain)};
  std::vector<fs::path> inside;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (is_gguf(entry.path())) inside.push_back(entry.path());
    if (!entry.is_directory()) continue;
    if (is_model_folder(entry.path())) inside.push_back(entry.path());
    else if (is_repository(entry.path())) inside.push_back(hub_snapshot(entry.path()));
  }
  if (inside.empty()) fail(path.string(), ": expected config.json, or folders that hold one, or GGUF files");
  std::sort(inside.begin(), inside.end());
  return inside;
}

/// The one model folder that `path` names.
inline std::filesystem::path one_model_folder(const std::filesystem::path& path) {
  const auto folders = model_folders(path);
  if (folders.size() > 1)
    fail(path.string(), ": expected one model folder, got ", folders.size(), ", the first of them ",
         folders[0].string());
  return folders[0];
}

/// The name of a model: ORG/NAME of a snapshot of the hub, else the last part of its path, without .gguf.
inline std::string model_name(const std::filesystem::path& folder) {
  const std::filesystem::path path = std::filesystem::absolute(folder).lexically_normal();
  const std::filesystem::path plain = path.has_filename() ? path : path.parent_path();
  if (const auto name = hub_snapshot_name(plain)) return *name;
  if (is_gguf(plain)) return plain.stem().string();
  return plain.filename().string();
}

} // namespace llmap
