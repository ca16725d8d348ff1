// exaone4 (EXAONE 4.0): a llama with a norm after each branch instead of before, and q and k of each head normed; where
// some layers slide, only those have positions. Source: transformers 4.57 modeling_exaone4.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

inline decoder_plan exaone4_plan(const config& c) {
  llama_options o =
      read_llama(c, {.model_type = "exaone4", .vocab = 102400, .inner = 16384, .kv_heads = 32, .epsilon = 1e-5});
  o.act = fields::activation_of(c, "hidden_act", "silu");
  const std::int64_t window = fields::window_of(c, 4096);
  const auto by_pattern = [&](std::int64_t i) { // the pattern may be a text ("LLLG") beside layer_types
    return (i + 1) % c.integer("sliding_window_pattern", 4, 1, 1 << 20) != 0;
  };
  return llama_plan(o, [&](std::int64_t i, const std::string& name, layer_plan& layer) {
    attention_plan& a = attention_of(layer);
    if (window) {
      if (fields::is_sliding(c, o.layers, i, by_pattern)) a.window = window;
      else a.rope.reset();
    }
    a.q_norm = fields::rms_norm(name + "self_attn.q_norm", a.head_dim, o.epsilon);
    a.k_norm = fields::rms_norm(name + "self_attn.k_norm", a.head_dim, o.epsilon);
    for (branch_plan& b : layer.branches) b.before.reset();
    layer.branches[0].after = fields::rms_norm(name + "post_attention_layernorm", o.width, o.epsilon);
    layer.branches[1].after = fields::rms_norm(name + "post_feedforward_layernorm", o.width, o.epsilon);
  });
}

} // namespace llmap
