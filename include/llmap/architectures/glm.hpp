// glm (GLM-4 9B): a llama that rotates neighboring pairs of half of each head, with biases on q, k and v and one matrix
// for gate and up. Source: transformers 4.57 modeling_glm.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

/// What glm and glm4 share.
inline llama_options read_glm(const config& c, const char* type) {
  llama_options o = read_llama(c, {.model_type = type,
                                   .vocab = 151552,
                                   .inner = 13696,
                                   .layers = 40,
                                   .kv_heads = 2,
                                   .head_dim = 128,
                                   .positions = 131072,
                                   .epsilon = 1.5625e-7,
                                   .fused_mlp = true,
                                   .rope = rope_plan{}});
  o.rope = fields::rope_of(c, fields::rotated_dims(c, o.head_dim, 0.5), o.positions);
  o.rope->interleaved = true;
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = c.boolean("attention_bias", true);
  return o;
}

inline decoder_plan glm_plan(const config& c) { return llama_plan(read_glm(c, "glm")); }

} // namespace llmap
