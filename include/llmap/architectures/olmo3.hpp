// olmo3: an olmo2 with a window on three of four layers; rope_scaling counts only on the others. rope_parameters, the
// newer spelling, has one object a kind of layer. Source: transformers 4.57 and 5.24 modeling_olmo3.py.
#pragma once
#include "llmap/architectures/olmo2.hpp"

namespace llmap {

inline decoder_plan olmo3_plan(const config& c) {
  const llama_options defaults{.model_type = "olmo3", .vocab = 50304, .epsilon = 1e-5, .rope = rope_plan{}};
  const llama_options o = read_llama(c, defaults);
  const auto by_kind = fields::rope_by_kind(c);
  const double theta = c.positive("rope_theta", 10000);
  const rope_plan full = fields::scaled_rope(c, by_kind ? by_kind->object("full_attention") : c.object("rope_scaling"),
                                             o.head_width(), o.positions, theta);
  const rope_plan local = fields::scaled_rope(c, by_kind ? by_kind->object("sliding_attention") : std::nullopt,
                                              o.head_width(), o.positions, theta);
  const std::int64_t window = fields::window_of(c, 4096);
  decoder_plan plan = olmo2_like_plan(c, defaults);
  for (std::int64_t i = 0; i < o.layers; ++i) {
    attention_plan& a = attention_of(plan.layers[static_cast<std::size_t>(i)]);
    const bool sliding = fields::is_sliding(c, o.layers, i, [](std::int64_t j) { return (j + 1) % 4 != 0; });
    a.rope = sliding ? local : full;
    a.window = sliding ? window : 0;
  }
  return plan;
}

} // namespace llmap
