// cohere2 (Command R7B): attention and MLP side by side after one layer norm without bias; three of four layers slide
// and have rotary positions in neighboring pairs, the others see everything and have none. Source: transformers 4.57
// modeling_cohere2.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

inline decoder_plan cohere2_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "cohere2",
                                   .vocab = 256000,
                                   .width = 8192,
                                   .inner = 22528,
                                   .layers = 40,
                                   .heads = 64,
                                   .positions = 8192,
                                   .tied = true});
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.epsilon = c.positive("layer_norm_eps", 1e-5);
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  o.rope->interleaved = true;
  const std::int64_t window = fields::window_of(c, 4096), pattern = c.integer("sliding_window_pattern", 4, 1, 1 << 20);
  decoder_plan plan = llama_plan(o, [&](std::int64_t i, const std::string& name, layer_plan& layer) {
    attention_plan& a = attention_of(layer);
    if (fields::is_sliding(c, o.layers, i, [&](std::int64_t j) { return (j + 1) % pattern != 0; })) a.window = window;
    else a.rope.reset();
    layer.joined = join::side_by_side;
    for (branch_plan& b : layer.branches)
      b.before = fields::layer_norm(name + "input_layernorm", o.width, o.epsilon, false);
  });
  plan.head.norm = fields::layer_norm("model.norm", o.width, o.epsilon, false);
  plan.head.scale = c.positive("logit_scale", 0.0625);
  return plan;
}

} // namespace llmap
