// llama (Llama 1-3, Yi, Vicuna, TinyLlama, SmolLM, ...) and what its relatives share: pre-norm blocks, RMS norm, gated
// MLP, rotary positions, grouped key/value heads. Source: transformers 4.57 modeling_llama.py. An own loader fills
// llama_options without a config.
#pragma once
#include "llmap/architectures/fields.hpp"
#include <functional>

namespace llmap {

/// A llama in numbers. The defaults are those of transformers' LlamaConfig.
struct llama_options {
  std::string model_type = "llama";                                     ///< of the plan
  std::int64_t vocab = 32000, width = 4096, inner = 11008, layers = 32; ///< V, C, I and the number of layers
  std::int64_t heads = 32, kv_heads = 0, head_dim = 0;       // kv_heads 0: as many as heads; head_dim 0: width / heads
  std::int64_t positions = 2048;                             ///< context_length of the plan
  double epsilon = 1e-6;                                     ///< of all norms
  double norm_offset = 0;                                    // gemma: weights are 1 + w
  double embedding_scale = 1;                                ///< of the embedding's rows
  activation act = activation::silu;                         ///< of the MLP
  bool qkv_bias = false, out_bias = false, mlp_bias = false; ///< which matrices have biases
  bool gated = true;                                         // without: up_proj and down_proj alone
  bool fused_qkv = false, fused_mlp = false;                 // qkv_proj, gate_up_proj: one matrix
  bool tied = false;                                         ///< the head is the embedding
  std::optional<rope_plan> rope{};                           // absent: theta 10000 over the whole head

  std::int64_t key_heads() const { return kv_heads ? kv_heads : heads; }          ///< Hkv
  std::int64_t head_width() const { return head_dim ? head_dim : width / heads; } ///< D
};

/// Reads the fields that the relatives share; what `o` holds is the default of a missing key. num_key_value_heads and
/// head_dim null mean heads and width / heads.
inline llama_options read_llama(const config& c, llama_options o) {
  constexpr std::int64_t most = 1 << 16;
  o.vocab = c.integer("vocab_size", o.vocab);
  o.width = c.integer("hidden_size", o.width);
  if (o.inner) o.inner = c.integer("intermediate_size", o.inner); // 0: not one width, or not under this name
  o.layers = fields::layers_of(c, "num_hidden_layers", o.layers);
  o.heads = c.integer("num_attention_heads", o.heads, 1, most);
  o.kv_heads = c.is_null("num_key_value_heads") ? o.heads : c.integer("num_key_value_heads", o.key_heads(), 1, most);
  if (o.heads % o.kv_heads != 0)
    fail(c.where(), ": num_attention_heads ", o.heads, " is not a multiple of num_key_value_heads ", o.kv_heads);
  if (!c.absent("head_dim")) o.head_dim = c.integer("head_dim", 1, 1, most);
  else if (o.head_dim == 0 || c.has("head_dim")) o.head_dim = fields::width_of_head(c, o.width, o.heads);
  o.positions = c.integer("max_position_embeddings", o.positions, 1, std::int64_t{1} << 32);
  o.epsilon = c.positive("rms_norm_eps", o.epsilon);
  o.tied = c.boolean("tie_word_embeddings", o.tied);
  if (!o.rope) o.rope = fields::rope_of(c, o.head_width(), o.positions);
  return o;
}

/// The names of a llama's tensors and its attention; windows, norms of q and k, other norms are the relatives' to add.
inline attention_plan llama_attention(const llama_options& o, const std::string& name) {
  attention_plan a;
  a.heads = o.heads, a.kv_heads = o.key_heads(), a.head_dim = o.head_width();
  a.scale = 1 / std::sqrt(static_cast<double>(a.head_dim));
  a.rope = o.rope ? *o.rope : rope_plan{.dims = a.head_dim};
  const std::int64_t q = a.heads * a.head_dim, kv = a.kv_heads * a.head_dim;
  a.qkv = o.fused_qkv ? fields::linear(name + "qkv_proj", q + 2 * kv, o.width, o.qkv_bias)
                      : fields::qkv_apart(name + "q_proj", name + "k_proj", name + "v_proj", a, o.width, o.qkv_bias);
  a.out = fields::linear(name + "o_proj", o.width, q, o.out_bias);
  return a;
}
/// The same of its MLP.
inline mlp_plan llama_mlp(const llama_options& o, const std::string& name) {
  const linear_plan down = fields::linear(name + "down_proj", o.width, o.inner, o.mlp_bias);
  if (!o.gated) return {o.act, false, fields::linear(name + "up_proj", o.inner, o.width, o.mlp_bias), down};
  if (o.fused_mlp) return {o.act, true, fields::linear(name + "gate_up_proj", 2 * o.inner, o.width, o.mlp_bias), down};
  return fields::gated_mlp(name + "gate_proj", name + "up_proj", name + "down_proj", o.act, o.inner, o.width,
                           o.mlp_bias);
}

/// Changes layer i, whose tensors begin with `name`.
using layer_adjustment = std::function<void(std::int64_t i, const std::string& name, layer_plan& layer)>;

/// The plan of a llama in which `adjust`, if given, has changed every layer.
inline decoder_plan llama_plan(const llama_options& o, const layer_adjustment& adjust = {}) {
  decoder_plan plan =
      fields::skeleton(o.model_type, "model.", o.vocab, o.width, "model.embed_tokens.weight", "lm_head.weight", o.tied);
  plan.context_length = o.positions;
  plan.embedding.scale = o.embedding_scale;
  for (std::int64_t i = 0; i < o.layers; ++i) {
    const std::string name = "model.layers." + std::to_string(i) + ".";
    plan.layers.push_back(
        fields::pre_norm_layer(fields::rms_norm(name + "input_layernorm", o.width, o.epsilon, o.norm_offset),
                               llama_attention(o, name + "self_attn."),
                               fields::rms_norm(name + "post_attention_layernorm", o.width, o.epsilon, o.norm_offset),
                               llama_mlp(o, name + "mlp.")));
    if (adjust) adjust(i, name, plan.layers.back());
  }
  plan.head.norm = fields::rms_norm("model.norm", o.width, o.epsilon, o.norm_offset);
  return plan;
}

/// The attention of a layer whose first branch it is.
inline attention_plan& attention_of(layer_plan& layer) {
  return std::get<attention_plan>(layer.branches.front().mixer);
}

/// The plan of a config.json with model_type llama.
inline decoder_plan llama_plan(const config& c) {
  llama_options o = read_llama(c, {});
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  o.mlp_bias = c.boolean("mlp_bias", false);
  return llama_plan(o);
}

} // namespace llmap
