// cohere2 (Command R7B, Command A): a cohere of which three of four layers slide and have rotary positions; the others
// see everything and have none. Source: transformers 4.57 modeling_cohere2.py.
#pragma once
#include "llmap/architectures/cohere.hpp"

namespace llmap {

inline decoder_plan cohere2_plan(const config& c) {
  const llama_options o = read_cohere(c, "cohere2");
  const std::int64_t window = fields::window_of(c, 4096), pattern = c.integer("sliding_window_pattern", 4, 1, 1 << 20);
  return cohere_like_plan(c, o, [&](std::int64_t i, const std::string&, attention_plan& a) {
    if (fields::is_sliding(c, o.layers, i, [&](std::int64_t j) { return (j + 1) % pattern != 0; })) a.window = window;
    else a.rope.reset();
  });
}

} // namespace llmap
