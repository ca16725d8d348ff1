// cohere (Command R, Aya): attention and MLP side by side after one layer norm without bias, a rotation of neighboring
// pairs, logits that are scaled. Norms of q and k have a weight for each head. Source: transformers 4.57
// modeling_cohere.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

/// What cohere and cohere2 share; the layer norm of a layer is that of both branches.
inline llama_options read_cohere(const config& c, const char* type) {
  llama_options o = read_llama(c, {.model_type = type,
                                   .vocab = 256000,
                                   .width = 8192,
                                   .inner = 22528,
                                   .layers = 40,
                                   .heads = 64,
                                   .positions = 8192,
                                   .tied = true});
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.epsilon = c.positive("layer_norm_eps", 1e-5);
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  o.rope->interleaved = true;
  return o;
}
/// A plan whose branches stand side by side behind one norm. adjust(i, name, attention) changes the attention of layer
/// i.
template <class Adjust> decoder_plan cohere_like_plan(const config& c, const llama_options& o, const Adjust& adjust) {
  decoder_plan plan = llama_plan(o, [&](std::int64_t i, const std::string& name, layer_plan& layer) {
    adjust(i, name, attention_of(layer));
    layer.joined = join::side_by_side;
    for (branch_plan& b : layer.branches)
      b.before = fields::layer_norm(name + "input_layernorm", o.width, o.epsilon, false);
  });
  plan.head.norm = fields::layer_norm("model.norm", o.width, o.epsilon, false);
  plan.head.scale = c.positive("logit_scale", 0.0625);
  return plan;
}

inline decoder_plan cohere_plan(const config& c) {
  const llama_options o = read_cohere(c, "cohere");
  const bool normed = c.boolean("use_qk_norm", false);
  return cohere_like_plan(c, o, [&](std::int64_t, const std::string& name, attention_plan& a) {
    if (!normed) return;
    const auto norm = [&](const char* which, std::int64_t heads) {
      return norm_plan{norm_kind::layer,
                       a.head_dim,
                       o.epsilon,
                       0,
                       fields::vector(name + "self_attn." + which + ".weight", {heads, a.head_dim}),
                       {}};
    };
    a.q_norm = norm("q_norm", a.heads), a.k_norm = norm("k_norm", a.kv_heads);
  });
}

} // namespace llmap
