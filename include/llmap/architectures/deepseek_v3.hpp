// deepseek_v3 (DeepSeek-V3, R1, Kimi-K2): a deepseek_v2 whose experts are chosen by sigmoids with a correction, inside
// the groups with the best two. Experts of rejected groups never win, as transformers 5 has it (4.57 lets them win when
// corrected scores are negative). Sources: transformers 4.57 modeling_deepseek_v3.py; DeepSeek-V3 (2024).
#pragma once
#include "llmap/architectures/deepseek_v2.hpp"

namespace llmap {

/// Defaults in which the relatives of deepseek_v3 differ.
struct deepseek_experts {
  /// Routed experts and how many a token takes, the same of groups, inner width of an expert, shared experts.
  std::int64_t count = 256, chosen = 8, groups = 8, chosen_groups = 4, inner = 2048, shared = 1;
  double scale = 2.5; ///< of the weights
};

/// Reads how experts are chosen, and their sizes, with `e` as defaults.
inline router_plan read_deepseek_router(const config& c, deepseek_experts& e) {
  e.count = c.integer("n_routed_experts|num_experts|num_local_experts", e.count, 1, 1 << 12);
  e.inner = c.integer("moe_intermediate_size", e.inner);
  e.shared = c.absent("n_shared_experts") && c.has("n_shared_experts")
                 ? 0
                 : c.integer("n_shared_experts", e.shared, 0, 1 << 12);
  router_plan r{.scores = router_plan::score::sigmoid,
                .chosen = c.integer("num_experts_per_tok", e.chosen, 1, e.count),
                .groups = c.integer("n_group", e.groups, 1, e.count),
                .rank = router_plan::group_rank::best_two,
                .normalized = c.boolean("norm_topk_prob", true),
                .epsilon = 1e-20,
                .scale = c.positive("routed_scaling_factor", e.scale)};
  r.chosen_groups = c.integer("topk_group", std::min(e.chosen_groups, r.groups), 1, r.groups);
  return r;
}

/// The mixture of a layer: "<name>mlp.gate" with its correction, experts, shared experts as one MLP.
inline mixture_plan deepseek_mixture(const llama_options& o, const std::string& name, const router_plan& router,
                                     const deepseek_experts& e) {
  mixture_plan m = experts_apart(o, name + "mlp.", router, e.count, e.inner);
  m.router.correction = fields::vector(name + "mlp.gate.e_score_correction_bias", {e.count});
  if (e.shared) m.shared = expert(o, name + "mlp.shared_experts.", e.inner * e.shared);
  return m;
}

/// Latent attention in every layer, experts where `sparse(i)`. `o` holds the defaults.
template <class Sparse>
decoder_plan deepseek_like_plan(const config& c, llama_options o, const latent_sizes& sizes, deepseek_experts experts,
                                bool interleaved, const Sparse& sparse) {
  o.head_dim = 1, o.rope = rope_plan{}; // not those of its heads
  o = read_llama(c, std::move(o));
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = c.boolean("attention_bias", false);
  rope_plan rope = fields::rope_of(c, c.integer("qk_rope_head_dim|head_dim", 64, 2, 1 << 16), o.positions);
  rope.interleaved = interleaved;
  const router_plan router = read_deepseek_router(c, experts);
  return llama_plan(o, [&](std::int64_t i, const std::string& name, layer_plan& layer) {
    layer.branches[0].mixer = deepseek_attention(c, o, rope, name + "self_attn.", sizes);
    if (sparse(i, o.layers)) layer.branches[1].mixer = deepseek_mixture(o, name, router, experts);
  });
}

inline decoder_plan deepseek_v3_plan(const config& c) {
  for (const auto& [field, only] : {std::pair{"topk_method", "noaux_tc"}, std::pair{"scoring_func", "sigmoid"}})
    if (const json* value = c.find(field); value && !value->is(only)) c.refuse(field, *value, only);
  if (c.integer("moe_layer_freq", 1) != 1) c.refuse("moe_layer_freq", *c.find("moe_layer_freq"), "1");
  const std::int64_t dense = c.integer("first_k_dense_replace", 3, 0, 4096);
  return deepseek_like_plan(c,
                            {.model_type = "deepseek_v3",
                             .vocab = 129280,
                             .width = 7168,
                             .inner = 18432,
                             .layers = 61,
                             .heads = 128,
                             .positions = 4096},
                            {}, {}, c.boolean("rope_interleave", true),
                            [&](std::int64_t i, std::int64_t) { return i >= dense; });
}

} // namespace llmap
