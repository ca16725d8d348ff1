// qwen3_5_text and qwen3_5_moe_text (Qwen3.5, Qwen3.6): a qwen3_next with the matrices of its delta nets apart; dense,
// or with experts in every layer whose weights are always normalized. Source: transformers 5.24 modeling_qwen3_5.py and
// modeling_qwen3_5_moe.py.
#pragma once
#include "llmap/architectures/qwen3_next.hpp"

namespace llmap {

/// `mlp(name, layer)` may replace the MLP.
template <class Mlp> decoder_plan qwen3_5_like_plan(const config& c, const qwen_hybrid& q, const Mlp& mlp) {
  return llama_plan(q.o, [&](std::int64_t i, const std::string& name, layer_plan& layer) {
    mlp(name, layer);
    if (q.is_full(c, i)) return q.gate_attention(name + "self_attn.", attention_of(layer));
    const std::string at = name + "linear_attn.";
    delta_plan d = q.delta(at);
    const std::int64_t M = q.value_heads * q.value_dim;
    d.in.parts = {fields::all_rows(at + "in_proj_qkv", d.convolution.channels, false),
                  fields::all_rows(at + "in_proj_b", q.value_heads, false),
                  fields::all_rows(at + "in_proj_a", q.value_heads, false),
                  fields::all_rows(at + "in_proj_z", M, false)};
    layer.branches[0].mixer = std::move(d);
  });
}

inline decoder_plan qwen3_5_text_plan(const config& c) {
  const qwen_hybrid q(c, {.model_type = "qwen3_5_text", .vocab = 248320, .inner = 12288, .heads = 16, .kv_heads = 4});
  return qwen3_5_like_plan(c, q, [](const std::string&, layer_plan&) {});
}

inline decoder_plan qwen3_5_moe_text_plan(const config& c) {
  const qwen_hybrid q(
      c, {.model_type = "qwen3_5_moe_text", .vocab = 248320, .width = 2048, .layers = 40, .heads = 16, .kv_heads = 2});
  qwen_experts experts(c, 256, 8, true, 512);
  experts.router.normalized = true;
  experts.shared = c.integer("shared_expert_intermediate_size", 512);
  return qwen3_5_like_plan(c, q, [&](const std::string& name, layer_plan& layer) {
    mixture_plan m = experts.layer(q.o, name);
    const std::string at = name + "mlp.experts.";
    m.stacked = stacked_experts(q.o, at + "gate_up_proj", at + "down_proj", experts.count, experts.inner);
    layer.branches[1].mixer = std::move(m);
  });
}

} // namespace llmap
