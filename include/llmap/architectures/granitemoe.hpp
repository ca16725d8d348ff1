// granitemoe (Granite 3 1B-A400M, 3B-A800M): a granite with a mixture of experts in every layer, in stacks.
// Source: transformers 4.57 modeling_granitemoe.py.
#pragma once
#include "llmap/architectures/experts.hpp"
#include "llmap/architectures/granite.hpp"

namespace llmap {

/// The mixture of experts of a layer of granite; the weights are a softmax over the chosen.
inline mixture_plan granite_experts(const config& c, const llama_options& o, const std::string& name,
                                    std::int64_t count) {
  const std::string moe = name + "block_sparse_moe.";
  mixture_plan m;
  m.router = {.chosen = c.integer("num_experts_per_tok", 2, 1, count),
              .normalized = true,
              .logits = fields::linear(moe + "router.layer", count, o.width, false)};
  m.experts = stacked_experts(o, moe + "input_linear.weight", moe + "output_linear.weight", count, o.inner);
  return m;
}

inline decoder_plan granitemoe_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "granitemoe"});
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  const std::int64_t experts = c.integer("num_local_experts", 8, 1, 1 << 12);
  decoder_plan plan = llama_plan(o, [&](std::int64_t, const std::string& name, layer_plan& layer) {
    layer.branches[1].mixer = granite_experts(c, o, name, experts);
  });
  granite_scalars(c).apply(plan);
  return plan;
}

} // namespace llmap
