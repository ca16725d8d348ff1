// ernie4_5 (ERNIE-4.5-0.3B): a llama that rotates neighboring pairs, with one switch for all biases.
// Source: transformers 4.57 modeling_ernie4_5.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

/// What the dense ernie and the one with experts share.
inline llama_options read_ernie(const config& c, llama_options defaults) {
  defaults.vocab = 103424, defaults.positions = 131072, defaults.epsilon = 1e-5, defaults.tied = true;
  defaults.rope = rope_plan{};
  llama_options o = read_llama(c, std::move(defaults));
  o.rope = fields::rope_of(c, o.head_width(), o.positions, "rope_theta", 5e5);
  o.rope->interleaved = true;
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = o.out_bias = o.mlp_bias = c.boolean("use_bias", false);
  return o;
}

inline decoder_plan ernie4_5_plan(const config& c) {
  return llama_plan(read_ernie(c, {.model_type = "ernie4_5",
                                   .width = 1024,
                                   .inner = 3072,
                                   .layers = 18,
                                   .heads = 16,
                                   .kv_heads = 2,
                                   .head_dim = 128}));
}

} // namespace llmap
