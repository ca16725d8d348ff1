// starcoder2 (StarCoder2): a llama with layer norms, biases and a plain MLP, and a window on every layer where one is
// given. Source: transformers 4.57 modeling_starcoder2.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

inline decoder_plan starcoder2_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "starcoder2",
                                   .vocab = 49152,
                                   .width = 3072,
                                   .inner = 12288,
                                   .layers = 30,
                                   .heads = 24,
                                   .kv_heads = 2,
                                   .positions = 4096,
                                   .tied = true});
  const activation act = fields::activation_of(c, "hidden_act", "gelu_pytorch_tanh");
  const double epsilon = c.positive("norm_epsilon", 1e-5);
  const bool bias = o.qkv_bias = o.out_bias = c.boolean("use_bias", true);
  const std::int64_t window = c.has("sliding_window") ? fields::window_of(c, 4096) : 0;
  decoder_plan plan = llama_plan(o, [&](std::int64_t, const std::string& name, layer_plan& layer) {
    attention_of(layer).window = window;
    layer.branches[0].before = fields::layer_norm(name + "input_layernorm", o.width, epsilon);
    layer.branches[1].before = fields::layer_norm(name + "post_attention_layernorm", o.width, epsilon);
    layer.branches[1].mixer = mlp_plan{act, false, fields::linear(name + "mlp.c_fc", o.inner, o.width, bias),
                                       fields::linear(name + "mlp.c_proj", o.width, o.inner, bias)};
  });
  plan.head.norm = fields::layer_norm("model.norm", o.width, epsilon);
  return plan;
}

} // namespace llmap
