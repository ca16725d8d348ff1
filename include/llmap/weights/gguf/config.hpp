// What a GGUF file says of its model, as the config.json that transformers would have for it. llama, qwen2 and qwen3
// are read; another architecture is refused by name, and so is an entry of the architecture that is not known, since
// the model may compute something else with it. Source: ggml, docs/gguf.md; llama.cpp, convert_hf_to_gguf.py.
#pragma once
#include "llmap/weights/config.hpp"
#include "llmap/weights/gguf/file.hpp"

namespace llmap::gguf {

/// In what the models of a general.architecture differ.
struct architecture {
  std::string_view name;                    ///< as general.architecture says it
  bool own_head_width = true;               // the width of a head need not be that of the model over the heads
  bool reordered_heads = false;             // rows of q and k lie in llama.cpp's order, see tensors.hpp
  bool has_bias = false, has_norms = false; // of q and k (and v)
};
/// All that are read.
inline constexpr architecture architectures[] = {{.name = "llama", .reordered_heads = true},
                                                 {.name = "qwen2", .own_head_width = false, .has_bias = true},
                                                 {.name = "qwen3", .has_norms = true}};

/// The architecture that the file names; another is an llmap::error.
inline const architecture& architecture_of(const file& f) {
  const std::string name = f.text_of("general.architecture", "(none)");
  for (const architecture& a : architectures)
    if (a.name == name) return a;
  f.refuse("general.architecture", "expected llama, qwen2 or qwen3, got ", name);
}

namespace detail {

inline void refuse_unknown_entries(const file& f, std::string_view name) {
  static constexpr std::string_view known[] = {"block_count",
                                               "context_length",
                                               "embedding_length",
                                               "feed_forward_length",
                                               "vocab_size",
                                               "attention.head_count",
                                               "attention.head_count_kv",
                                               "attention.key_length",
                                               "attention.value_length",
                                               "attention.layer_norm_rms_epsilon",
                                               "rope.freq_base",
                                               "rope.dimension_count",
                                               "rope.scaling.type",
                                               "rope.scaling.factor"};
  for (const auto& [key, value] : f.metadata())
    if (key.starts_with(std::string(name) + ".") &&
        std::find(std::begin(known), std::end(known), key.substr(name.size() + 1)) == std::end(known))
      f.refuse(key, "not understood; the model may compute something else with it");
}

/// How rotations are stretched: by the factors of rope_freqs.weight, one for each pair, or all by one; or null.
inline json rope_scaling_of(const file& f, const std::string& prefix, std::int64_t pairs) {
  if (const auto it = f.tensors().find("rope_freqs.weight"); it != f.tensors().end()) {
    const tensor_entry& t = it->second;
    if (t.format->type != tensor_type::f32 || t.shape != std::vector<std::int64_t>{pairs})
      f.refuse("tensor rope_freqs.weight", "expected ", pairs, " numbers in F32");
    json::array factors;
    for (std::int64_t i = 0; i < pairs; ++i) {
      float factor;
      std::memcpy(&factor, t.bytes.data() + i * 4, 4);
      factors.push_back(static_cast<double>(factor));
    }
    return json::object{{"rope_type", "longrope"},
                        {"factor", 1.0},
                        {"attention_factor", 1.0},
                        {"short_factor", factors},
                        {"long_factor", factors}};
  }
  const std::string key = prefix + "rope.scaling.type", type = f.text_of(key, "none");
  if (type == "none") return {};
  if (type != "linear") f.refuse(key, "expected none or linear, got ", type);
  const auto* factor = f.find<double>(prefix + "rope.scaling.factor", "a float");
  if (!factor) f.refuse(prefix + "rope.scaling.factor", "missing");
  return json::object{{"rope_type", "linear"}, {"factor", *factor}};
}

} // namespace detail

/// The config of the file's model.
inline config config_of(const file& f) {
  const architecture& a = architecture_of(f);
  const std::string prefix = std::string(a.name) + ".";
  detail::refuse_unknown_entries(f, a.name);
  const auto integer = [&](const char* name, std::int64_t most) {
    const auto n = f.integer(prefix + name, 1, most);
    if (!n) f.refuse(prefix + name, "missing");
    return *n;
  };
  const auto real = [&](const char* name, double otherwise) {
    const auto* found = f.find<double>(prefix + name, "a float");
    const double x = found ? *found : otherwise;
    if (!(x > 0 && std::isfinite(x))) f.refuse(prefix + name, "expected a positive number, got ", x);
    return x;
  };
  const std::int64_t width = integer("embedding_length", 1 << 24), heads = integer("attention.head_count", 1 << 16);
  const std::int64_t kv_heads = f.integer(prefix + "attention.head_count_kv", 1, heads).value_or(heads);
  if (heads % kv_heads != 0)
    f.refuse(prefix + "attention.head_count_kv", "expected a divisor of ", heads, ", got ", kv_heads);
  const std::int64_t head = f.integer(prefix + "attention.key_length", 1, 1 << 16).value_or(width / heads);
  if (!a.own_head_width && head * heads != width)
    f.refuse(prefix + "attention.key_length", "expected ", width / heads, ", got ", head);
  // A head that is rotated in part, or keys and values of different widths: transformers has none in these models.
  for (const char* key : {"attention.value_length", "rope.dimension_count"})
    if (const auto n = f.integer(prefix + key, 1, 1 << 16); n && *n != head)
      f.refuse(prefix + key, "expected the width of a head, ", head, ", got ", *n);
  if (head % 2 != 0) f.refuse(prefix + "embedding_length", "expected heads of even width, got ", head);
  const auto embedding = f.tensors().find("token_embd.weight");
  if (embedding == f.tensors().end()) f.refuse("tensor token_embd.weight", "missing");
  const std::int64_t vocab = embedding->second.shape.front();
  if (const auto n = f.integer(prefix + "vocab_size", 1, INT32_MAX); n && *n != vocab)
    f.refuse(prefix + "vocab_size", "expected the rows of token_embd.weight, ", vocab, ", got ", *n);

  json::object fields{{"model_type", a.name},
                      {"vocab_size", vocab},
                      {"hidden_size", width},
                      {"intermediate_size", integer("feed_forward_length", 1 << 24)},
                      {"num_hidden_layers", integer("block_count", 4096)},
                      {"num_attention_heads", heads},
                      {"num_key_value_heads", kv_heads},
                      {"max_position_embeddings", integer("context_length", std::int64_t{1} << 32)},
                      {"rms_norm_eps", real("attention.layer_norm_rms_epsilon", 1e-5)},
                      {"rope_theta", real("rope.freq_base", 10000)},
                      {"rope_scaling", detail::rope_scaling_of(f, prefix, head / 2)},
                      {"tie_word_embeddings", !f.tensors().contains("output.weight")}};
  if (a.own_head_width) fields.push_back({"head_dim", head});
  return {std::move(fields), f.where()};
}

} // namespace llmap::gguf
