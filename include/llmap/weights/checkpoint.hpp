// A checkpoint folder as Hugging Face writes it: model.safetensors.index.json with its shards, or model.safetensors.
// The index decides when it exists; other *.safetensors files in the folder are never looked at.
#pragma once
#include "llmap/core/json_file.hpp"
#include "llmap/weights/safetensors.hpp"
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace llmap {

class checkpoint {
public:
  explicit checkpoint(const std::filesystem::path& folder) {
    namespace fs = std::filesystem;
    if (!fs::exists(folder)) fail(folder.string(), ": no such file or directory");
    if (!fs::is_directory(folder)) fail(folder.string(), ": expected a checkpoint directory");
    const fs::path index = folder / "model.safetensors.index.json", single = folder / "model.safetensors";
    if (fs::exists(index)) open_shards(folder, index);
    else if (fs::exists(single)) open_single(single);
    else fail(folder.string(), ": expected model.safetensors or model.safetensors.index.json, found neither");
  }

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [name, shard] : shard_of_) all.push_back(name);
    return all;
  }
  std::optional<tensor_info> find(const std::string& name) const {
    const auto it = shard_of_.find(name);
    return it == shard_of_.end() ? std::nullopt : shards_[it->second]->find(name);
  }
  tensor_data read(const std::string& name) const {
    const auto it = shard_of_.find(name);
    if (it == shard_of_.end()) fail("tensor ", name, ": missing from the checkpoint");
    return shards_[it->second]->read(name);
  }

  /// The files that hold the weights, in a fixed order: what a fingerprint has to cover.
  const std::vector<std::unique_ptr<safetensors_file>>& shards() const { return shards_; }

  void check_unchanged() const {
    for (const auto& shard : shards_) shard->file().check_unchanged();
  }

private:
  std::vector<std::unique_ptr<safetensors_file>> shards_;
  std::map<std::string, std::size_t> shard_of_;

  void open_single(const std::filesystem::path& path) {
    shards_.push_back(std::make_unique<safetensors_file>(path));
    for (std::string& name : shards_[0]->names()) shard_of_[std::move(name)] = 0;
  }

  void open_shards(const std::filesystem::path& folder, const std::filesystem::path& index_path) {
    const json index = read_json_file(index_path, large_file_bytes);
    const std::string where = index_path.string();
    const json* weight_map = index.find("weight_map");
    if (!weight_map || !weight_map->members()) fail(where, ": expected an object with weight_map");
    std::map<std::string, std::size_t> number_of;
    for (const auto& [tensor, shard] : *weight_map->members()) {
      if (!shard.string()) fail(where, ": weight_map.", tensor, ": expected a file name");
      const std::string& name = *shard.string();
      if (std::filesystem::path(name).filename() != name || name == "." || name == ".." || name.empty() ||
          name.find('\0') != std::string::npos)
        fail(where, ": weight_map.", tensor, ": expected a plain file name, got ", name);
      if (!number_of.contains(name)) {
        if (!std::filesystem::exists(folder / name))
          fail(where, ": weight_map.", tensor, ": shard ", name, " is missing from the folder");
        number_of[name] = shards_.size();
        shards_.push_back(std::make_unique<safetensors_file>(folder / name));
      }
      const std::size_t number = number_of[name];
      if (!shards_[number]->find(tensor)) fail(where, ": tensor ", tensor, ": not in shard ", name);
      shard_of_[tensor] = number;
    }
    for (const auto& shard : shards_)
      for (const std::string& name : shard->names())
        if (!shard_of_.contains(name)) fail(where, ": tensor ", name, " of shard ", shard->path().string(), " is not in weight_map");
  }
};

} // namespace llmap
