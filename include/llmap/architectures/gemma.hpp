// gemma (Gemma 1, CodeGemma): a llama with norm weights 1 + w, heads of width 256 and an embedding times sqrt(C).
// hidden_act is taken at its word, as transformers 4.48 to 4.57 do; 4.39 to 4.47 and 5 take gelu for its form with
// tanh. Source: transformers 4.57 modeling_gemma.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

/// What all gemmas have in common. `defaults` are those in which they differ.
inline llama_options read_gemma(const config& c, llama_options defaults, const char* activation_field) {
  defaults.head_dim = 256;
  defaults.norm_offset = 1;
  defaults.tied = true;
  llama_options o = read_llama(c, std::move(defaults));
  o.act = fields::activation_of(c, activation_field, "gelu_pytorch_tanh");
  o.embedding_scale = std::sqrt(static_cast<double>(o.width));
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  return o;
}

inline decoder_plan gemma_plan(const config& c) {
  return llama_plan(read_gemma(c,
                               {.model_type = "gemma",
                                .vocab = 256000,
                                .width = 3072,
                                .inner = 24576,
                                .layers = 28,
                                .heads = 16,
                                .positions = 8192},
                               "hidden_act"));
}

} // namespace llmap
