// The weight files of a model, opened: a GGUF file, those of a checkpoint folder, or an adapter's and those of the base
// that it changes.
#pragma once
#include "llmap/weights/checkpoint.hpp"
#include "llmap/weights/gguf/tensors.hpp"
#include "llmap/weights/hub_cache.hpp"
#include "llmap/weights/lora.hpp"
#include "llmap/weights/quantized_tensors.hpp"
#include <concepts>

namespace llmap {

/// Whether a folder holds an adapter and no model of its own.
inline bool is_adapter(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / "adapter_config.json") && !std::filesystem::exists(folder / "config.json");
}

/// The folder with the config of a model: the folder itself, or of an adapter that of its base: `base` where that is
/// given, else the folder, or the model of the hub cache, that base_model_name_or_path of the adapter names.
inline std::filesystem::path base_folder(const std::filesystem::path& folder, const std::filesystem::path& base = {}) {
  if (!is_adapter(folder)) return folder;
  const config c(read_json_file(folder / "adapter_config.json"), (folder / "adapter_config.json").string());
  const std::filesystem::path named =
      !base.empty() ? base : std::filesystem::path(c.text("base_model_name_or_path", ""));
  if (named.empty()) fail(c.where(), ": base_model_name_or_path: missing");
  for (const auto& candidate : {named, folder / named})
    if (std::filesystem::exists(candidate / "config.json")) return candidate;
  if (const auto snapshot = hub_model(named.string())) return *snapshot;
  fail(c.where(), ": base_model_name_or_path: expected the folder of a model, or one in the hub cache, got ",
       named.string(), "; name the base's folder (--base)");
}

/// config.json of a model folder or of an adapter's base, or what a GGUF file says in its place.
inline config model_config(const std::filesystem::path& path, const std::filesystem::path& base = {}) {
  return is_gguf(path) ? gguf::config_of(gguf::file(path)) : config::load(base_folder(path, base));
}

/// The opened files of one model. Weights are read from them on demand.
class model_weights {
  std::filesystem::path folder_, base_;
  std::shared_ptr<const gguf::file> gguf_;       // this,
  std::unique_ptr<const checkpoint> checkpoint_; // or this
  std::unique_ptr<safetensors_file> adapter_;
  std::vector<const mapped_file*> files_;

public:
  /// `folder` may be a GGUF file; `base`, the model below an adapter, is as in base_folder.
  explicit model_weights(std::filesystem::path folder, const std::filesystem::path& base = {})
      : folder_(std::move(folder)), base_(base_folder(folder_, base)) {
    if (is_gguf(folder_)) {
      gguf_ = std::make_shared<const gguf::file>(folder_);
      files_.push_back(gguf_->mapping().get());
      return;
    }
    checkpoint_ = std::make_unique<const checkpoint>(base_);
    for (const auto& shard : checkpoint_->shards()) files_.push_back(&shard->file());
    if (!is_adapter(folder_)) return;
    const std::filesystem::path file = folder_ / "adapter_model.safetensors";
    if (!std::filesystem::exists(file))
      fail(folder_.string(), ": expected adapter_model.safetensors beside adapter_config.json");
    adapter_ = std::make_unique<safetensors_file>(file);
    files_.push_back(&adapter_->file());
  }

  const std::filesystem::path& folder() const { return folder_; } ///< as it was given
  /// The folder of config.json.
  const std::filesystem::path& base() const { return base_; }
  /// The files of the folder; null for a GGUF file.
  const checkpoint* stored() const { return checkpoint_.get(); }
  /// The GGUF file; null for a folder.
  const gguf::file* stored_gguf() const { return gguf_.get(); }
  /// The config of the model, of its base where there is an adapter.
  config read_config() const { return gguf_ ? gguf::config_of(*gguf_) : config::load(base_); }
  /// All files that weights are read from, in a fixed order: what a fingerprint has to cover.
  const std::vector<const mapped_file*>& files() const { return files_; }
  /// Fails if a file has changed since it was opened.
  void check_unchanged() const {
    for (const mapped_file* f : files_) f->check_unchanged();
  }

  /// The scheme of packed matrices, or "".
  std::string quantization() const {
    if (gguf_) return gguf::tensors(gguf_).quantization();
    const auto q = quantization_of(config::load(base_));
    const auto scheme = q ? scheme_of(*q) : nullptr;
    return scheme ? scheme->description() : q ? q->text("quant_method", "") : "";
  }
  /// Whether an adapter changes the weights.
  bool adapted() const { return adapter_ != nullptr; }

  /// The weights as plain matrices; packed ones are decoded to F32 or F64. This outlives the result. It and `tensors`
  /// are templates, so that llmap::kernels can hold them compiled.
  template <std::same_as<dtype> D> any_tensors base_tensors(D decoded) const {
    if (gguf_) return any_tensors::of(gguf::tensors(gguf_));
    return any_tensors::of(
        quantized_tensors(any_tensors::referring_to(*checkpoint_), config::load(base_), decoded, base_.string()));
  }
  /// The same with the adapter, for load_decoder. `tied_head`: the model's head is its embedding.
  template <std::same_as<dtype> D> any_tensors tensors(D decoded, bool tied_head) const {
    if (!adapter_) return base_tensors(decoded);
    const std::filesystem::path file = folder_ / "adapter_config.json";
    return any_tensors::of(lora_tensors(
        base_tensors(decoded), any_tensors::referring_to(*adapter_), config(read_json_file(file), file.string()),
        {config::load(base_).text("model_type", ""), tied_head}, decoded, folder_.string()));
  }
};

#if defined(LLMAP_KERNELS) // the program links llmap::kernels
extern template any_tensors model_weights::base_tensors(dtype) const;
extern template any_tensors model_weights::tensors(dtype, bool) const;
#endif

} // namespace llmap
