// A llama model in a GGUF file in the form that llmap needs: a plan made of llama_options, and a tensor source
// with the tensor names of Hugging Face. Both refuse by name what they do not understand: another architecture, a
// metadata entry "llama.*" that would change the computation, a tensor without a counterpart.
//
// llama.cpp rotates neighboring pairs (2i, 2i + 1) of a head, Hugging Face the pairs (i, i + D/2). Its converter
// therefore reorders the rows of q and k within each head; reading undoes that: row i + s D/2 is stored as 2i + s.
#pragma once
#include "gguf_file.hpp"
#include "llmap/architectures/llama.hpp"
#include <numeric>

namespace gguf {

/// The plan of the file's llama.
inline llmap::decoder_plan llama_plan_of(const file& f) {
  if (const std::string name = f.text_of("general.architecture", "(none)"); name != "llama")
    f.refuse("general.architecture", "expected llama, got ", name);
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
                                               "rope.dimension_count"};
  for (const auto& [key, value] : f.metadata())
    if (key.starts_with("llama.") && std::find(std::begin(known), std::end(known), key.substr(6)) == std::end(known))
      f.refuse(key, "not understood; the model may compute something else with it");

  const auto integer = [&](const char* name, std::int64_t most) {
    const auto n = f.integer(std::string("llama.") + name, 1, most);
    if (!n) f.refuse(std::string("llama.") + name, "missing");
    return *n;
  };
  const auto real = [&](const char* name, double otherwise) {
    const auto* found = f.find<double>(std::string("llama.") + name, "a float");
    const double x = found ? *found : otherwise;
    if (!(x > 0 && std::isfinite(x))) f.refuse(std::string("llama.") + name, "expected a positive number, got ", x);
    return x;
  };
  const std::int64_t width = integer("embedding_length", 1 << 24), heads = integer("attention.head_count", 1 << 16);
  const std::int64_t kv_heads = f.integer("llama.attention.head_count_kv", 1, heads).value_or(heads);
  if (heads % kv_heads != 0)
    f.refuse("llama.attention.head_count_kv", "expected a divisor of ", heads, ", got ", kv_heads);
  const std::int64_t head = f.integer("llama.attention.key_length", 1, 1 << 16).value_or(width / heads);
  // A head that is rotated in part, or keys and values of different widths: no llama of Hugging Face has them.
  for (const char* key : {"llama.attention.value_length", "llama.rope.dimension_count"})
    if (const auto n = f.integer(key, 1, 1 << 16); n && *n != head)
      f.refuse(key, "expected the width of a head, ", head, ", got ", *n);
  if (head % 2 != 0) f.refuse("llama.embedding_length", "expected heads of even width, got ", head);

  const auto embedding = f.tensors().find("token_embd.weight");
  if (embedding == f.tensors().end()) f.refuse("tensor token_embd.weight", "missing");
  const std::int64_t vocab = embedding->second.shape.front();
  if (const auto n = f.integer("llama.vocab_size", 1, INT32_MAX); n && *n != vocab)
    f.refuse("llama.vocab_size", "expected the rows of token_embd.weight, ", vocab, ", got ", *n);
  llmap::llama_options o;
  o.vocab = vocab, o.width = width, o.inner = integer("feed_forward_length", 1 << 24),
  o.layers = integer("block_count", 4096);
  o.heads = heads, o.kv_heads = kv_heads, o.head_dim = head,
  o.positions = integer("context_length", std::int64_t{1} << 32);
  o.epsilon = real("attention.layer_norm_rms_epsilon", 1e-5);
  o.rope = llmap::rope_plan{.dims = head, .theta = real("rope.freq_base", 10000)};
  o.tied = !f.tensors().contains("output.weight");
  return llmap::llama_plan(o);
}

/// The name of a tensor in a llama of Hugging Face, or nothing.
inline std::optional<std::string> llama_name(std::string_view name) {
  static constexpr std::pair<std::string_view, std::string_view> whole[] = {
      {"token_embd.weight", "model.embed_tokens.weight"},
      {"output_norm.weight", "model.norm.weight"},
      {"output.weight", "lm_head.weight"}};
  static constexpr std::pair<std::string_view, std::string_view> in_block[] = {
      {"attn_norm", "input_layernorm"}, {"attn_q", "self_attn.q_proj"},      {"attn_k", "self_attn.k_proj"},
      {"attn_v", "self_attn.v_proj"},   {"attn_output", "self_attn.o_proj"}, {"ffn_norm", "post_attention_layernorm"},
      {"ffn_gate", "mlp.gate_proj"},    {"ffn_up", "mlp.up_proj"},           {"ffn_down", "mlp.down_proj"}};
  for (const auto& [from, to] : whole)
    if (name == from) return std::string(to);
  if (!name.starts_with("blk.") || !name.ends_with(".weight")) return std::nullopt;
  name = name.substr(4, name.size() - 4 - std::string_view(".weight").size());
  const auto dot = name.find('.');
  if (dot == 0 || dot > 4 || name.substr(0, dot).find_first_not_of("0123456789") != std::string_view::npos)
    return std::nullopt;
  for (const auto& [from, to] : in_block)
    if (name.substr(dot + 1) == from)
      return "model.layers." + std::string(name.substr(0, dot)) + "." + std::string(to) + ".weight";
  return std::nullopt;
}

/// Rows of `heads` heads from llama.cpp's order into that of Hugging Face. rows: (H D, bytes of a row)
inline std::vector<std::byte> unpermute_rows(std::span<const std::byte> rows, std::size_t count, std::size_t heads) {
  LLMAP_EXPECTS(heads > 0 && count % (2 * heads) == 0 && rows.size() % count == 0,
                "unpermute_rows: rows of whole heads");
  const std::size_t row_bytes = rows.size() / count, D = count / heads;
  std::vector<std::byte> out(rows.size());
  for (std::size_t h = 0; h < heads; ++h)
    for (std::size_t i = 0; i < D / 2; ++i)
      for (std::size_t s = 0; s < 2; ++s)
        std::memcpy(out.data() + (h * D + s * (D / 2) + i) * row_bytes, rows.data() + (h * D + 2 * i + s) * row_bytes,
                    row_bytes);
  return out;
}

/// The tensors of a llama, as llmap::load_decoder asks for them. Quantized ones are read as F32, others as stored.
class llama_tensors {
public:
  llama_tensors(const file& f, const llmap::decoder_plan& plan) : file_(f) {
    for (const auto& [name, tensor] : f.tensors()) {
      const auto known = llama_name(name);
      if (!known) f.refuse("tensor " + name, "not understood; the model may compute something else with it");
      stored_name_[*known] = name;
    }
    attention_ = std::get<llmap::attention_plan>(plan.layers.at(0).branches.at(0).mixer);
  }

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [name, stored] : stored_name_) all.push_back(name);
    return all;
  }
  std::optional<llmap::tensor_info> find(const std::string& name) const {
    const auto it = stored_name_.find(name);
    if (it == stored_name_.end()) return std::nullopt;
    const tensor_entry& t = file_.tensors().at(it->second);
    return llmap::tensor_info{t.format->read_as, t.shape};
  }
  llmap::tensor_data read(const std::string& name) const {
    const auto it = stored_name_.find(name);
    if (it == stored_name_.end()) file_.refuse("tensor " + name, "missing");
    const tensor_entry& t = file_.tensors().at(it->second);
    const llmap::tensor_info info{t.format->read_as, t.shape};
    // 1. Rows in their order, still quantized: no block reaches over the end of a row
    const std::int64_t heads = name.ends_with("q_proj.weight")   ? attention_.heads
                               : name.ends_with("k_proj.weight") ? attention_.kv_heads
                                                                 : 0;
    auto bytes = t.bytes;
    std::shared_ptr<const void> owner(file_.mapping(), bytes.data());
    if (heads) {
      auto ordered = std::make_shared<std::vector<std::byte>>(
          unpermute_rows(bytes, static_cast<std::size_t>(t.shape.front()), static_cast<std::size_t>(heads)));
      bytes = *ordered;
      owner = std::move(ordered);
    }
    if (t.format->elements == 1) return {info, bytes, std::move(owner)};
    // 2. Blocks to floats
    auto wide = std::make_shared<std::vector<float>>(static_cast<std::size_t>(info.elements()));
    dequantize(*t.format, bytes, *wide);
    return {info, std::as_bytes(std::span(*wide)), wide};
  }

private:
  const file& file_;
  std::map<std::string, std::string> stored_name_; // by the name that Hugging Face gives it
  llmap::attention_plan attention_;
};
static_assert(llmap::tensor_source<llama_tensors>);

} // namespace gguf
