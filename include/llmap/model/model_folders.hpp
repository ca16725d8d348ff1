// Finds model folders and gives models their names.
#pragma once
#include "llmap/core/error.hpp"
#include "llmap/weights/gguf/file.hpp"
#include "llmap/weights/hub_cache.hpp"
#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace llmap {

/// Whether a folder is a model: it has a config.json, or an adapter's.
inline bool is_model_folder(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / "config.json") || std::filesystem::exists(folder / "adapter_config.json");
}

/// A model folder that was found, with the path that names it: the folder's own, or of a snapshot of the hub the
/// cache's followed by ORG/NAME. The name is the last `parts` parts of it.
struct found_model {
  std::filesystem::path folder, named_by; ///< where it is, and what names it
  std::size_t parts = 1;                  ///< parts of the path in the name

  /// With slashes between the parts.
  std::string name() const {
    std::filesystem::path rest = named_by, last;
    for (std::size_t i = 0; i < parts && rest.has_filename(); ++i, rest = rest.parent_path())
      last = last.empty() ? rest.filename() : rest.filename() / last;
    return last.generic_string();
  }
  /// Whether another part of the path could be put before the name.
  bool can_be_longer() const {
    const std::filesystem::path all = named_by.relative_path();
    return parts < static_cast<std::size_t>(std::distance(all.begin(), all.end()));
  }
};

/// The model of a folder under its default name: ORG/NAME of a snapshot of the hub, else the last `parts` parts of the
/// folder's path.
inline found_model model_at(const std::filesystem::path& folder, std::size_t parts = 1) {
  const std::filesystem::path path = std::filesystem::absolute(folder).lexically_normal();
  const std::filesystem::path plain = path.has_filename() ? path : path.parent_path();
  const auto name = hub_snapshot_name(plain);
  if (is_gguf(plain)) return {folder, plain.parent_path() / plain.stem(), parts};
  if (!name) return {folder, plain, parts};
  const auto slashes = static_cast<std::size_t>(std::count(name->begin(), name->end(), '/'));
  return {folder, plain.parent_path().parent_path().parent_path() / *name, slashes + 1};
}

/// The model that `path` is, or the models inside it, sorted: in its folders, or in those of organizations (ORG/NAME);
/// of a repository in a hub cache the snapshot of main. Where there is no such folder, `path` may be
/// ORG/NAME[@REVISION] of a model in the cache (hub_cache).
inline std::vector<found_model> find_models(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  if (!fs::exists(path)) {
    if (const auto snapshot = hub_model(path.string())) return {model_at(*snapshot)};
    fail(path.string(), ": no such file or directory, nor a model in the cache ", hub_cache().string());
  }
  const fs::path folder = path.lexically_normal();
  if (is_gguf(folder)) return {model_at(folder)};
  if (!fs::is_directory(folder))
    fail(path.string(), ": expected a model folder, or a folder of model folders, got a file",
         fs::exists(folder.parent_path() / "config.json") ? "; perhaps its folder" : "");
  const auto is_repository = [](const fs::path& f) {
    return hub_repository_name(f) && fs::is_directory(f / "snapshots");
  };
  if (is_model_folder(folder)) return {model_at(folder)};
  const fs::path plain = folder.has_filename() ? folder : folder.parent_path();
  if (is_repository(plain)) return {model_at(hub_snapshot(plain))};
  std::vector<found_model> inside;
  const auto skip = fs::directory_options::skip_permission_denied;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (is_gguf(entry.path())) inside.push_back(model_at(entry.path()));
    if (!entry.is_directory()) continue;
    if (is_model_folder(entry.path())) inside.push_back(model_at(entry.path()));
    else if (is_repository(entry.path())) inside.push_back(model_at(hub_snapshot(entry.path())));
    else
      for (const auto& model : fs::directory_iterator(entry.path(), skip))
        if (model.is_directory() && is_model_folder(model.path())) inside.push_back(model_at(model.path(), 2));
  }
  if (inside.empty()) {
    const bool own_layout = fs::exists(folder / "params.json");
    fail(path.string(), ": expected config.json, or folders that hold one, or GGUF files",
         own_layout ? ", got params.json, the publisher's own layout; perhaps get the files of the transformers layout"
                    : "");
  }
  std::sort(inside.begin(), inside.end(), [](const auto& a, const auto& b) { return a.folder < b.folder; });
  return inside;
}

/// The folders of find_models.
inline std::vector<std::filesystem::path> model_folders(const std::filesystem::path& path) {
  std::vector<std::filesystem::path> folders;
  for (const found_model& model : find_models(path)) folders.push_back(model.folder);
  return folders;
}

/// Drops folders that are there twice, and makes names longer until no two models share one.
inline std::vector<found_model> tell_apart(const std::vector<found_model>& models) {
  std::vector<found_model> apart;
  for (const found_model& m : models)
    if (std::none_of(apart.begin(), apart.end(), [&](const found_model& a) {
          return a.named_by == m.named_by && std::filesystem::equivalent(a.folder, m.folder);
        }))
      apart.push_back(m);
  for (bool changed = true; changed;) {
    changed = false;
    std::map<std::string, std::vector<found_model*>> of_name;
    for (found_model& m : apart) of_name[m.name()].push_back(&m);
    for (const auto& [name, same] : of_name)
      for (found_model* m : same)
        if (same.size() > 1 && m->can_be_longer()) ++m->parts, changed = true;
  }
  return apart;
}

/// The one model folder that `path` names.
inline std::filesystem::path one_model_folder(const std::filesystem::path& path) {
  const auto folders = model_folders(path);
  if (folders.size() > 1)
    fail(path.string(), ": expected one model folder, got ", folders.size(), ", the first of them ",
         folders[0].string());
  return folders[0];
}

/// The default name of the model of a folder, see model_at.
inline std::string model_name(const std::filesystem::path& folder) { return model_at(folder).name(); }

} // namespace llmap
