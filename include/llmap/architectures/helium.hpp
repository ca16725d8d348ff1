// helium (Helium-1): a llama that rotates neighboring pairs; its output has no bias.
// Source: transformers 4.57 modeling_helium.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

inline decoder_plan helium_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "helium",
                                   .vocab = 48000,
                                   .width = 2560,
                                   .inner = 7040,
                                   .layers = 24,
                                   .heads = 20,
                                   .kv_heads = 20,
                                   .head_dim = 128,
                                   .positions = 4096,
                                   .epsilon = 1e-8,
                                   .rope = rope_plan{}});
  o.rope = fields::rope_of(c, o.head_dim, o.positions, "rope_theta", 1e5);
  o.rope->interleaved = true;
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = c.boolean("attention_bias", false);
  o.mlp_bias = c.boolean("mlp_bias", false);
  return llama_plan(o);
}

} // namespace llmap
