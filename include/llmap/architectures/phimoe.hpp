// phimoe (Phi-3.5-MoE): a mixtral with layer norms whose two experts are chosen one after the other, each weighed
// inside a band of its rivals, and not normalized. With longrope, texts beyond the original length take the long
// factors, as in transformers 4.57; 5.24 takes the short ones. Source: transformers 4.57 modeling_phimoe.py.
#pragma once
#include "llmap/architectures/experts.hpp"

namespace llmap {

inline decoder_plan phimoe_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "phimoe",
                                   .vocab = 32064,
                                   .inner = 6400,
                                   .kv_heads = 8,
                                   .positions = 131072,
                                   .epsilon = 1e-5,
                                   .rope = rope_plan{}});
  o.rope = fields::rope_of(c, o.head_width(), o.positions, "rope_theta", 1e6);
  if (o.rope->kind == rope_plan::scaling::longrope) {
    const config scaling =
        c.object("rope_parameters").value_or(*c.object(c.has("rope_scaling") ? "rope_scaling" : "rope_parameters"));
    o.rope->attention_factor = scaling.positive("short_mscale", 1);
    o.rope->long_attention_factor = scaling.positive("long_mscale", 1);
  }
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  const std::int64_t window = c.absent("sliding_window") ? 0 : fields::window_of(c, 0),
                     experts = c.integer("num_local_experts", 16, 2, 1 << 12);
  const router_plan router{
      .scores = router_plan::score::banded, .chosen = 2, .band = c.positive("router_jitter_noise", 0.01)};
  decoder_plan plan = llama_plan(o, [&](std::int64_t, const std::string& name, layer_plan& layer) {
    attention_of(layer).window = window;
    layer.branches[0].before = fields::layer_norm(name + "input_layernorm", o.width, o.epsilon);
    layer.branches[1].before = fields::layer_norm(name + "post_attention_layernorm", o.width, o.epsilon);
    layer.branches[1].mixer =
        experts_apart(o, name + "block_sparse_moe.", router, experts, o.inner, {"w1", "w3", "w2"});
  });
  plan.head.norm = fields::layer_norm("model.norm", o.width, o.epsilon);
  if (c.boolean("lm_head_bias", false)) fields::head_bias(plan, "lm_head.bias");
  return plan;
}

} // namespace llmap
