// seed_oss (Seed-OSS 36B): a llama with biases on q, k and v, and a field of its own for that of the output.
// Source: transformers 4.57 modeling_seed_oss.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

inline decoder_plan seed_oss_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "seed_oss",
                                   .vocab = 155136,
                                   .inner = 27648,
                                   .layers = 64,
                                   .heads = 80,
                                   .kv_heads = 8,
                                   .head_dim = 128,
                                   .positions = 524288});
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = c.boolean("attention_bias", true);
  o.out_bias = c.boolean("attention_out_bias", false);
  o.mlp_bias = c.boolean("mlp_bias", false);
  return llama_plan(o);
}

} // namespace llmap
