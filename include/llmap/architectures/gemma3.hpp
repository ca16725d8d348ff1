// gemma3_text: a gemma2 without the cap on scores, with q and k of each head normed, and two rotations: a slow one with
// rope_scaling on full layers, a fast one without on sliding layers. Source: transformers 4.57 modeling_gemma3.py.
#pragma once
#include "llmap/architectures/gemma2.hpp"

namespace llmap {

inline decoder_plan gemma3_text_plan(const config& c) {
  llama_options o = read_gemma(c,
                               {.model_type = "gemma3_text",
                                .vocab = 262208,
                                .width = 2304,
                                .inner = 9216,
                                .layers = 26,
                                .heads = 8,
                                .kv_heads = 4,
                                .positions = 131072,
                                .rope = rope_plan{}},
                               "hidden_activation");
  if (c.boolean("use_bidirectional_attention", false))
    fail(c.where(), ": use_bidirectional_attention: expected false, got true");
  const std::int64_t window = fields::window_of(c, 4096), pattern = c.integer("sliding_window_pattern", 6, 1, 1 << 20);
  const double scale = 1 / std::sqrt(c.positive("query_pre_attn_scalar", 256));
  const double full_theta = c.positive("rope_theta", 1e6), local_theta = c.positive("rope_local_base_freq", 10000);
  const auto by_kind = fields::rope_by_kind(c); // the newer spelling: one object a kind of layer
  const rope_plan full = fields::scaled_rope(c, by_kind ? by_kind->object("full_attention") : c.object("rope_scaling"),
                                             o.head_dim, o.positions, full_theta);
  const rope_plan local = fields::scaled_rope(c, by_kind ? by_kind->object("sliding_attention") : std::nullopt,
                                              o.head_dim, o.positions, local_theta);
  decoder_plan plan = llama_plan(o, [&](std::int64_t i, const std::string& name, layer_plan& layer) {
    attention_plan& a = attention_of(layer);
    const bool sliding = fields::is_sliding(c, o.layers, i, [&](std::int64_t j) { return (j + 1) % pattern != 0; });
    a.scale = scale;
    a.rope = sliding ? local : full;
    a.window = sliding ? window : 0;
    a.q_norm = fields::rms_norm(name + "self_attn.q_norm", a.head_dim, o.epsilon, 1);
    a.k_norm = fields::rms_norm(name + "self_attn.k_norm", a.head_dim, o.epsilon, 1);
    sandwich_norms(o, name, layer);
  });
  plan.head.softcap = fields::cap_of(c, "final_logit_softcapping", 0);
  return plan;
}

} // namespace llmap
