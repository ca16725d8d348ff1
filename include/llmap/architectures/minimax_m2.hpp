// minimax_m2 (MiniMax-M2): a llama with q and k normed over all heads at once, a rotation of part of each head, and a
// mixture of experts in every layer, chosen by sigmoids with a correction. Source: transformers 5.24
// modeling_minimax_m2.py.
#pragma once
#include "llmap/architectures/experts.hpp"

namespace llmap {

inline decoder_plan minimax_m2_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "minimax_m2",
                                   .vocab = 200064,
                                   .width = 3072,
                                   .inner = 1536,
                                   .layers = 62,
                                   .heads = 48,
                                   .kv_heads = 8,
                                   .head_dim = 128,
                                   .positions = 196608,
                                   .rope = rope_plan{}});
  // The share of a head that is rotated is given, or else its dims are.
  const std::int64_t dims = c.integer("rotary_dim", o.head_dim, 2, o.head_dim);
  const auto parameters = c.object("rope_parameters");
  const bool share = !c.absent("partial_rotary_factor") || (parameters && parameters->has("partial_rotary_factor"));
  o.rope = fields::rope_of(c, share ? fields::rotated_dims(c, o.head_dim, 1) : dims, o.positions, "rope_theta", 5e6);
  o.act = fields::activation_of(c, "hidden_act", "silu");
  const std::int64_t experts = c.integer("num_local_experts", 256, 1, 1 << 12);
  const router_plan router{.scores = router_plan::score::sigmoid,
                           .chosen = c.integer("num_experts_per_tok", 8, 1, experts),
                           .normalized = true};
  return llama_plan(o, [&](std::int64_t, const std::string& name, layer_plan& layer) {
    attention_plan& a = attention_of(layer);
    a.q_norm = fields::rms_norm(name + "self_attn.q_norm", a.heads * a.head_dim, o.epsilon);
    a.k_norm = fields::rms_norm(name + "self_attn.k_norm", a.kv_heads * a.head_dim, o.epsilon);
    const std::string moe = name + "block_sparse_moe.";
    mixture_plan m = experts_apart(o, moe, router, experts, o.inner, {"w1", "w3", "w2"});
    m.router.correction = fields::vector(moe + "e_score_correction_bias", {experts});
    layer.branches[1].mixer = std::move(m);
  });
}

} // namespace llmap
