// gemma (Gemma 1, CodeGemma): a llama with norm weights 1 + w, heads of width 256 and an embedding times sqrt(C).
// hidden_act is taken at its word, as transformers does from 4.48 on. Source: transformers 4.57 modeling_gemma.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

inline decoder_plan gemma_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "gemma",
                                   .vocab = 256000,
                                   .width = 3072,
                                   .inner = 24576,
                                   .layers = 28,
                                   .heads = 16,
                                   .head_dim = 256,
                                   .positions = 8192,
                                   .norm_offset = 1,
                                   .tied = true});
  o.act = fields::activation_of(c, "hidden_act", "gelu_pytorch_tanh");
  o.embedding_scale = std::sqrt(static_cast<double>(o.width));
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  return llama_plan(o);
}

} // namespace llmap
