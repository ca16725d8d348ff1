// stablelm (StableLM 3B, 2, Zephyr, Stable Code): a llama with layer norms and a rotation of part of each head; where
// the residual is parallel, attention and MLP read one norm. Norms of q and k have a weight for each head.
// Source: transformers 4.57 modeling_stablelm.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

inline decoder_plan stablelm_plan(const config& c) {
  llama_options o = read_llama(
      c,
      {.model_type = "stablelm", .vocab = 50304, .width = 2560, .inner = 6912, .positions = 4096, .rope = rope_plan{}});
  o.rope = fields::rope_of(c, fields::rotated_dims(c, o.head_width(), 0.25), o.positions);
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = c.boolean("use_qkv_bias", false);
  const double epsilon = c.positive("layer_norm_eps", 1e-5);
  const bool parallel = c.boolean("use_parallel_residual", false), normed = c.boolean("qk_layernorm", false);
  const auto head_norms = [&](const std::string& name, std::int64_t heads) {
    norm_plan n{norm_kind::layer, o.head_width(), epsilon, 0, {}, {}};
    for (std::int64_t h = 0; h < heads; ++h)
      n.weight.tensors.push_back({name + ".norms." + std::to_string(h) + ".weight", {o.head_width()}});
    return n;
  };
  decoder_plan plan = llama_plan(o, [&](std::int64_t, const std::string& name, layer_plan& layer) {
    attention_plan& a = attention_of(layer);
    if (normed) {
      a.q_norm = head_norms(name + "self_attn.q_layernorm", a.heads);
      a.k_norm = head_norms(name + "self_attn.k_layernorm", a.kv_heads);
    }
    if (parallel) layer.joined = join::side_by_side;
    layer.branches[0].before = fields::layer_norm(name + "input_layernorm", o.width, epsilon);
    layer.branches[1].before =
        fields::layer_norm(name + (parallel ? "input_layernorm" : "post_attention_layernorm"), o.width, epsilon);
  });
  plan.head.norm = fields::layer_norm("model.norm", o.width, epsilon);
  return plan;
}

} // namespace llmap
