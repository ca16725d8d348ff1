// A checkpoint folder as Hugging Face writes it: model.safetensors, or the shards named in
// model.safetensors.index.json. If both are there the single file is read, as in transformers; saving a model again in
// the other form leaves such folders behind. The index lists the shards, and the shards themselves say which tensors
// they hold. What wrappers of training code put before the name of every tensor is left out. Other files are ignored
// (weights/unused_weights.hpp lists them), except that an adapter, which transformers would apply to the weights, is
// refused.
#pragma once
#include "llmap/core/json_file.hpp"
#include "llmap/weights/safetensors.hpp"
#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace llmap {

/// The tensors of an opened folder: a tensor source. Headers are read at once, weights when asked for.
class checkpoint {
public:
  /// A folder that lacks weights in this form is an llmap::error, which says what lies there instead.
  explicit checkpoint(const std::filesystem::path& folder) {
    namespace fs = std::filesystem;
    if (!fs::exists(folder)) fail(folder.string(), ": no such file or directory");
    if (!fs::is_directory(folder)) fail(folder.string(), ": expected a checkpoint directory");
    for (const char* adapter : {"adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"})
      if (fs::exists(folder / adapter))
        fail((folder / adapter).string(), ": expected a model without an adapter, which is not applied here; ",
             "perhaps merge it into the model's weights, or move it away to score the base model");
    const fs::path index = folder / "model.safetensors.index.json", single = folder / "model.safetensors";
    if (fs::exists(single)) add_shard(single);
    else if (fs::exists(index)) open_shards(folder, index);
    else lacks_weights(folder);
    settle_wrapper();
  }

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [name, shards] : shards_of_) all.push_back(name);
    return all;
  }
  std::optional<tensor_info> find(const std::string& name) const {
    const safetensors_file* shard = shard_with(name);
    return shard ? shard->find(wrapper_ + name) : std::nullopt;
  }
  /// A tensor that is missing, or lies in two shards, is an llmap::error.
  tensor_data read(const std::string& name) const {
    const safetensors_file* shard = shard_with(name);
    if (!shard) fail("tensor ", name, ": missing from the checkpoint");
    return shard->read(wrapper_ + name);
  }

  /// The files that hold the weights, in a fixed order; a fingerprint must cover them.
  const std::vector<std::unique_ptr<safetensors_file>>& shards() const { return shards_; }

  /// See mapped_file::check_unchanged, for every shard.
  void check_unchanged() const {
    for (const auto& shard : shards_) shard->file().check_unchanged();
  }

private:
  std::vector<std::unique_ptr<safetensors_file>> shards_;
  std::map<std::string, std::vector<const safetensors_file*>> shards_of_; // that hold a tensor: one, or a fault
  std::string wrapper_; // what all names of the files start with, and names here leave out

  /// Training code saves wrapped models as they are: torch.compile puts _orig_mod. before every name, DataParallel
  /// module., PEFT base_model.model. where an adapter was merged and not taken off.
  void settle_wrapper() {
    for (bool found = true; found && !shards_of_.empty();) {
      found = false;
      for (const std::string prefix : {"_orig_mod.", "module.", "base_model.model."}) {
        if (!std::all_of(shards_of_.begin(), shards_of_.end(),
                         [&](const auto& t) { return t.first.starts_with(prefix); }))
          continue;
        std::map<std::string, std::vector<const safetensors_file*>> inner;
        for (auto& [name, shards] : shards_of_) inner[name.substr(prefix.size())] = std::move(shards);
        shards_of_ = std::move(inner);
        wrapper_ += prefix;
        found = true;
      }
    }
  }

  /// Says what lies in the folder instead of weights that can be read.
  [[noreturn]] static void lacks_weights(const std::filesystem::path& folder) {
    std::string other, first;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      for (const char* ending :
           {".safetensors", ".bin", ".pt", ".pth", ".gguf", ".ggml", ".h5", ".msgpack", ".onnx", ".npz"})
        if (name.ends_with(ending) && name != "training_args.bin" && (first.empty() || name < first)) first = name;
    }
    if (first.ends_with(".safetensors"))
      other = first.starts_with("consolidated")
                  ? "the publisher's own layout, with other names of tensors; perhaps get "
                    "the files of the transformers layout"
                  : "perhaps call it model.safetensors, if it is the whole model";
    else if (first.ends_with(".gguf")) other = "perhaps name that file instead of the folder; it is a model of its own";
    else if (!first.empty())
      other = "perhaps save the model again in transformers with save_pretrained, which writes safetensors";
    if (first.empty())
      fail(folder.string(), ": expected model.safetensors or model.safetensors.index.json, found neither");
    fail(folder.string(), ": expected model.safetensors or model.safetensors.index.json, found neither but ", first,
         ": ", other);
  }

  void add_shard(const std::filesystem::path& path) {
    shards_.push_back(std::make_unique<safetensors_file>(path));
    for (const std::string& name : shards_.back()->names()) shards_of_[name].push_back(shards_.back().get());
  }

  void open_shards(const std::filesystem::path& folder, const std::filesystem::path& index_path) {
    const json index = read_json_file(index_path, large_file_bytes);
    const std::string where = index_path.string();
    const json* weight_map = index.find("weight_map");
    if (!weight_map || !weight_map->members()) fail(where, ": expected an object with weight_map");
    std::set<std::string> opened;
    for (const auto& [tensor, shard] : *weight_map->members()) {
      if (!shard.string()) fail(where, ": weight_map.", tensor, ": expected a file name");
      const std::string& name = *shard.string();
      if (!inside_folder(name))
        fail(where, ": weight_map.", tensor, ": expected a .safetensors file inside the folder, got ", name);
      if (!opened.insert(name).second) continue;
      if (!std::filesystem::exists(folder / name))
        fail(where, ": weight_map.", tensor, ": shard ", name, " is missing from the folder");
      add_shard(folder / name);
    }
  }

  /// Whether the name of a shard stays inside the folder on every system. A backslash is a separator on some.
  static bool inside_folder(const std::string& name) {
    const std::filesystem::path path(name);
    return name.ends_with(".safetensors") && name.find_first_of(std::string_view("\\\0", 2)) == std::string::npos &&
           !path.is_absolute() && std::find(path.begin(), path.end(), "..") == path.end();
  }

  /// nullptr if no shard holds it.
  const safetensors_file* shard_with(const std::string& name) const {
    const auto it = shards_of_.find(name);
    if (it == shards_of_.end()) return nullptr;
    if (it->second.size() > 1)
      fail(it->second[0]->path().string(), ": tensor ", name, ": expected in one shard, got it in ",
           it->second[1]->path().string(), " as well");
    return it->second[0];
  }
};

} // namespace llmap
