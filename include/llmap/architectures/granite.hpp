// granite (Granite 3): a llama with a multiplier on the embedding, on each branch, on the scores and under the logits.
// Source: transformers 4.57 modeling_granite.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

/// The multipliers that all granites share.
struct granite_scalars {
  double embedding, branch, scores, logits; ///< logits are divided by theirs

  /// Reads the four fields.
  explicit granite_scalars(const config& c)
      : embedding(c.positive("embedding_multiplier", 1)), branch(c.positive("residual_multiplier", 1)),
        scores(c.positive("attention_multiplier", 1)), logits(c.positive("logits_scaling", 1)) {}
  /// Puts them where the plan has them.
  void apply(decoder_plan& plan) const {
    plan.embedding.scale = embedding;
    plan.head.scale = 1 / logits;
    for (layer_plan& layer : plan.layers)
      for (branch_plan& b : layer.branches) {
        b.scale = branch;
        if (auto* a = std::get_if<attention_plan>(&b.mixer)) a->scale = scores;
      }
  }
};

inline decoder_plan granite_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "granite"});
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  o.mlp_bias = c.boolean("mlp_bias", false);
  decoder_plan plan = llama_plan(o);
  granite_scalars(c).apply(plan);
  return plan;
}

} // namespace llmap
