// mixtral: a mistral with a mixture of experts in every layer; the weights of the chosen experts are a softmax over
// them. Source: transformers 4.57 modeling_mixtral.py.
#pragma once
#include "llmap/architectures/experts.hpp"

namespace llmap {

inline decoder_plan mixtral_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "mixtral",
                                   .inner = 14336,
                                   .kv_heads = 8,
                                   .positions = 131072,
                                   .epsilon = 1e-5,
                                   .rope = rope_plan{}});
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.rope = fields::rope_of(c, o.head_dim, o.positions, "rope_theta", 1e6);
  const std::int64_t window = c.has("sliding_window") ? fields::window_of(c, 4096) : 0;
  const std::int64_t experts = c.integer("num_local_experts|num_experts", 8, 1, 1 << 12),
                     chosen = c.integer("num_experts_per_tok", 2, 1, experts);
  return llama_plan(o, [&](std::int64_t, const std::string& name, layer_plan& layer) {
    attention_of(layer).window = window;
    layer.branches[1].mixer = experts_apart(o, name + "block_sparse_moe.", {.chosen = chosen, .normalized = true},
                                            experts, o.inner, {"w1", "w3", "w2"});
  });
}

} // namespace llmap
