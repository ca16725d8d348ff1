// The cache of Hugging Face's hub, read without a network: models--ORG--NAME/refs/REVISION holds a commit, and
// models--ORG--NAME/snapshots/COMMIT the files, most of them links. Source: huggingface_hub, constants.py,
// file_download.py.
#pragma once
#include "llmap/core/error.hpp"
#include "llmap/core/json_file.hpp"
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace llmap {

/// The folder of the cache: HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub, or that
/// of the home folder. A ~ at the front of a value means the home folder.
inline std::filesystem::path hub_cache() {
  const auto folder = [](const char* variable, const char* below) -> std::optional<std::filesystem::path> {
    const char* value = std::getenv(variable);
    if (!value || !*value) return std::nullopt;
    std::string path = value;
    const char* home = std::getenv("HOME");
    if (home && (path == "~" || path.starts_with("~/"))) path.replace(0, 1, home);
    return std::filesystem::path(path) / below;
  };
  for (const auto& [variable, below] : {std::pair{"HF_HUB_CACHE", ""},
                                        {"HUGGINGFACE_HUB_CACHE", ""},
                                        {"HF_HOME", "hub"},
                                        {"XDG_CACHE_HOME", "huggingface/hub"},
                                        {"HOME", ".cache/huggingface/hub"}})
    if (const auto path = folder(variable, below)) return *path;
  return "";
}

/// ORG/NAME of a repository's folder in a cache; nullopt where `folder` is none.
inline std::optional<std::string> hub_repository_name(const std::filesystem::path& folder) {
  constexpr std::string_view prefix = "models--";
  std::string name = folder.filename().string();
  if (!name.starts_with(prefix) || name.size() == prefix.size()) return std::nullopt;
  name.erase(0, prefix.size());
  if (const auto at = name.find("--"); at != std::string::npos) name.replace(at, 2, "/");
  return name;
}

/// The commit of a revision in a repository's folder: what refs/REVISION says, or the revision itself where it is a
/// commit.
inline std::optional<std::string> hub_commit(const std::filesystem::path& repository, const std::string& revision) {
  const std::filesystem::path ref = repository / "refs" / revision;
  std::string commit = revision;
  if (std::filesystem::is_regular_file(ref)) {
    commit = read_file(ref);
    std::erase_if(commit, [](unsigned char c) { return c <= ' '; });
  }
  const bool hexadecimal = commit.size() == 40 &&
                           std::all_of(commit.begin(), commit.end(), [](unsigned char c) { return std::isxdigit(c); });
  if (!hexadecimal || !std::filesystem::is_directory(repository / "snapshots" / commit)) return std::nullopt;
  return commit;
}

/// The snapshot of a repository's folder at a revision.
inline std::filesystem::path hub_snapshot(const std::filesystem::path& repository,
                                          const std::string& revision = "main") {
  const auto commit = hub_commit(repository, revision);
  const std::string name = hub_repository_name(repository).value_or("");
  if (!commit)
    fail(repository.string(), ": expected a snapshot of revision ", revision, "; get it with: hf download ", name);
  return repository / "snapshots" / *commit;
}

/// The snapshot that `id`, ORG/NAME or NAME and perhaps @REVISION, names; nullopt where it is no id or the cache has no
/// such repository.
inline std::optional<std::filesystem::path> hub_model(const std::string& id) {
  const auto at = id.find('@');
  std::string name = id.substr(0, at);
  const bool plain = !name.empty() && name.front() != '/' && name.back() != '/' &&
                     std::count(name.begin(), name.end(), '/') <= 1 && name.find("..") == std::string::npos &&
                     std::all_of(name.begin(), name.end(), [](unsigned char c) {
                       return std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == '/';
                     });
  if (!plain || hub_cache().empty()) return std::nullopt;
  if (const auto slash = name.find('/'); slash != std::string::npos) name.replace(slash, 1, "--");
  const std::filesystem::path repository = hub_cache() / ("models--" + name);
  if (!std::filesystem::is_directory(repository)) return std::nullopt;
  return hub_snapshot(repository, at == std::string::npos ? "main" : id.substr(at + 1));
}

/// ORG/NAME of a snapshot's folder, with @COMMIT (seven digits) where it is not the one of main; nullopt elsewhere.
inline std::optional<std::string> hub_snapshot_name(const std::filesystem::path& folder) {
  if (folder.parent_path().filename() != "snapshots") return std::nullopt;
  const std::filesystem::path repository = folder.parent_path().parent_path();
  auto name = hub_repository_name(repository);
  const std::string commit = folder.filename().string();
  if (name && hub_commit(repository, "main") != commit) *name += "@" + commit.substr(0, 7);
  return name;
}

} // namespace llmap
