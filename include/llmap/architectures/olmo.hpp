// olmo (OLMo 1B, 7B): a llama whose layer norms have no weights, with q, k and v clamped where clip_qkv is given.
// Source: transformers 4.57 modeling_olmo.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

inline decoder_plan olmo_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "olmo", .vocab = 50304});
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  const double clip = c.absent("clip_qkv") ? 0 : c.positive("clip_qkv", 1);
  const norm_plan bare{norm_kind::layer, o.width, 1e-5, 0, {}, {}};
  decoder_plan plan = llama_plan(o, [&](std::int64_t, const std::string&, layer_plan& layer) {
    attention_of(layer).clip = clip;
    for (branch_plan& b : layer.branches) b.before = bare;
  });
  plan.head.norm = bare;
  return plan;
}

} // namespace llmap
