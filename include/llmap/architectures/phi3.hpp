// phi3 (Phi-3, Phi-3.5-mini, Phi-4): a llama with fused qkv and gate/up matrices, a rotation of part of each head, and
// a window on every layer where one is given. Its yarn means longrope. Source: transformers 4.57 modeling_phi3.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

inline decoder_plan phi3_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "phi3",
                                   .vocab = 32064,
                                   .width = 3072,
                                   .inner = 8192,
                                   .positions = 4096,
                                   .epsilon = 1e-5,
                                   .fused_qkv = true,
                                   .fused_mlp = true,
                                   .rope = rope_plan{}});
  o.act = fields::activation_of(c, "hidden_act", "silu");
  const auto scaling = c.object("rope_scaling");
  if (scaling && scaling->text("type|rope_type", "") == "yarn")
    fail(scaling->where(),
         ": type: expected longrope, got yarn, by which files of this model mean longrope: write longrope");
  o.rope = fields::rope_of(c, fields::rotated_dims(c, o.head_dim, 1), o.positions);
  const std::int64_t window = c.has("sliding_window") ? fields::window_of(c, 4096) : 0;
  return llama_plan(o,
                    [&](std::int64_t, const std::string&, layer_plan& layer) { attention_of(layer).window = window; });
}

} // namespace llmap
