// gemma2: a gemma with a norm after each branch too, soft-capped scores and logits, and a sliding window on every other
// layer. Source: transformers 4.57 modeling_gemma2.py, with the attention softcap that its eager path honors.
#pragma once
#include "llmap/architectures/gemma.hpp"

namespace llmap {

/// The norms of a layer of gemma 2 and 3: before and after each branch.
inline void sandwich_norms(const llama_options& o, const std::string& name, layer_plan& layer) {
  const auto norm = [&](const char* which) {
    return fields::rms_norm(name + which, o.width, o.epsilon, o.norm_offset);
  };
  layer.branches[0].after = norm("post_attention_layernorm");
  layer.branches[1].before = norm("pre_feedforward_layernorm");
  layer.branches[1].after = norm("post_feedforward_layernorm");
}

/// What gemma2 and vaultgemma share: caps, scale and windows. `adjust(o, name, layer)` adds norms.
template <class Adjust> decoder_plan gemma2_like_plan(const config& c, const char* type, const Adjust& adjust) {
  llama_options o = read_gemma(c,
                               {.model_type = type,
                                .vocab = 256000,
                                .width = 2304,
                                .inner = 9216,
                                .layers = 26,
                                .heads = 8,
                                .kv_heads = 4,
                                .positions = 8192},
                               "hidden_activation");
  const std::int64_t window = fields::window_of(c, 4096);
  const double scale = 1 / std::sqrt(c.positive("query_pre_attn_scalar", 256)),
               cap = fields::cap_of(c, "attn_logit_softcapping", 50);
  decoder_plan plan = llama_plan(o, [&](std::int64_t i, const std::string& name, layer_plan& layer) {
    attention_plan& a = attention_of(layer);
    a.scale = scale;
    a.softcap = cap;
    if (fields::is_sliding(c, o.layers, i, [](std::int64_t j) { return j % 2 == 0; })) a.window = window;
    adjust(o, name, layer);
  });
  plan.head.softcap = fields::cap_of(c, "final_logit_softcapping", 30);
  return plan;
}

inline decoder_plan gemma2_plan(const config& c) { return gemma2_like_plan(c, "gemma2", sandwich_norms); }

} // namespace llmap
