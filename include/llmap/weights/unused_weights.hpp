// Finds the weights of a checkpoint folder that are not read: an index beside a single file, shards that no index
// names, other formats. Their owner may believe that they are in use.
#pragma once
#include "llmap/weights/checkpoint.hpp"
#include <algorithm>
#include <string_view>

namespace llmap {

/// Whether a file of this name holds weights or an index of them.
inline bool is_weight_file(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  constexpr std::string_view endings[] = {".safetensors", ".bin",     ".pt",   ".pth", ".ckpt",       ".gguf", ".ggml",
                                          ".h5",          ".msgpack", ".onnx", ".npz", ".index.json", ".index"};
  return std::any_of(std::begin(endings), std::end(endings), [&](std::string_view e) { return name.ends_with(e); });
}

/// The weight files in `folder` and its subfolders that `weights` does not read: paths relative to `folder`, sorted.
inline std::vector<std::string> unused_weights(const std::filesystem::path& folder, const checkpoint& weights) {
  namespace fs = std::filesystem;
  const fs::path single = folder / "model.safetensors", index = folder / "model.safetensors.index.json";
  std::vector<fs::path> used;
  if (!fs::exists(single)) used.push_back(index);
  for (const auto& shard : weights.shards()) used.push_back(shard->path());
  const auto is_used = [&](const fs::path& path) {
    std::error_code broken_link;
    return std::any_of(used.begin(), used.end(),
                       [&](const fs::path& u) { return fs::equivalent(u, path, broken_link); });
  };
  std::vector<std::string> unused;
  for (const auto& entry : fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied))
    if (!entry.is_directory() && is_weight_file(entry.path()) && !is_used(entry.path()))
      unused.push_back(entry.path().lexically_relative(folder).string());
  std::sort(unused.begin(), unused.end());
  return unused;
}

} // namespace llmap
