// olmo3: an olmo2 with a window on three of four layers; rope_scaling counts only on the others.
// Source: transformers 4.57 modeling_olmo3.py.
#pragma once
#include "llmap/architectures/olmo2.hpp"

namespace llmap {

inline decoder_plan olmo3_plan(const config& c) {
  decoder_plan plan = olmo2_plan(c);
  plan.model_type = "olmo3";
  const std::int64_t window = fields::window_of(c, 4096), layers = static_cast<std::int64_t>(plan.layers.size());
  for (std::int64_t i = 0; i < layers; ++i) {
    attention_plan& a = attention_of(plan.layers[static_cast<std::size_t>(i)]);
    if (!fields::is_sliding(c, layers, i, [](std::int64_t j) { return (j + 1) % 4 != 0; })) continue;
    a.window = window;
    a.rope = rope_plan{.dims = a.head_dim, .theta = a.rope->theta};
  }
  return plan;
}

} // namespace llmap
