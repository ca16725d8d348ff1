// biogpt (BioGPT): learned positions that start at row 2, layer norms before each branch, a plain MLP. Its
// layer_norm_eps is not used. Source: transformers 4.57 modeling_biogpt.py.
#pragma once
#include "llmap/architectures/opt.hpp"

namespace llmap {

inline decoder_plan biogpt_plan(const config& c) {
  const std::int64_t C = c.integer("hidden_size", 1024), inner = c.integer("intermediate_size", 4096);
  decoder_plan plan =
      fields::skeleton("biogpt", "biogpt.", c.integer("vocab_size", 42384), C, "biogpt.embed_tokens.weight",
                       "output_projection.weight", c.boolean("tie_word_embeddings", true));
  if (c.boolean("scale_embedding", true)) plan.embedding.scale = std::sqrt(static_cast<double>(C));
  plan.position_limit = plan.context_length = c.integer("max_position_embeddings", 1024);
  plan.embedding.positions = fields::vector("biogpt.embed_positions.weight", {plan.position_limit + 2, C});
  plan.embedding.position_offset = 2;
  fairseq_layers(plan, "biogpt.", fields::layers_of(c, "num_hidden_layers", 24),
                 c.integer("num_attention_heads", 16, 1, 1 << 16), inner,
                 fields::activation_of(c, "hidden_act", "gelu"), c);
  return plan;
}

} // namespace llmap
