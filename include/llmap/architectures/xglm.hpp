// xglm (XGLM, incoder): sinusoidal positions that start at row 2, layer norms before each branch, a plain MLP. In half
// precision transformers rounds the positions, here they are exact. Source: transformers 4.57 modeling_xglm.py.
#pragma once
#include "llmap/architectures/opt.hpp"

namespace llmap {

inline decoder_plan xglm_plan(const config& c) {
  const std::int64_t C = c.integer("d_model|hidden_size", 1024), inner = c.integer("ffn_dim", 4096);
  decoder_plan plan =
      fields::skeleton("xglm", "model.", c.integer("vocab_size", 256008), C, "model.embed_tokens.weight",
                       "lm_head.weight", c.boolean("tie_word_embeddings", true));
  if (c.boolean("scale_embedding", true)) plan.embedding.scale = std::sqrt(static_cast<double>(C));
  plan.position_limit = plan.context_length = c.integer("max_position_embeddings", 2048);
  plan.embedding.sinusoids = true;
  plan.embedding.position_offset = 2;
  fairseq_layers(plan, "model.", fields::layers_of(c, "num_layers|num_hidden_layers", 24),
                 c.integer("attention_heads|num_attention_heads", 16, 1, 1 << 16), inner,
                 fields::activation_of(c, "activation_function", "gelu"), c);
  return plan;
}

} // namespace llmap
