// arcee (AFM-4.5B): a llama whose MLP has no gate and a squared relu. Source: transformers 4.57 modeling_arcee.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

inline decoder_plan arcee_plan(const config& c) {
  llama_options o = read_llama(
      c, {.model_type = "arcee", .width = 2560, .inner = 18432, .positions = 4096, .epsilon = 1e-5, .gated = false});
  o.act = fields::activation_of(c, "hidden_act", "relu2");
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  o.mlp_bias = c.boolean("mlp_bias", false);
  return llama_plan(o);
}

} // namespace llmap
