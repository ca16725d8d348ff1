// qwen2 (Qwen1.5, Qwen2, Qwen2.5): a llama with biases on q, k and v only. The window counts only where
// use_sliding_window is true: by layer_types, else in the layers from max_window_layers on.
// Source: transformers 4.57 configuration_qwen2.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

inline decoder_plan qwen2_plan(const config& c) {
  llama_family family;
  family.model_type = "qwen2";
  family.vocab = 151936;
  family.inner = 22016;
  family.kv_heads = 32;
  family.positions = 32768;
  family.qkv_bias = true;
  const bool sliding = c.boolean("use_sliding_window", false);
  const std::int64_t window = !sliding || c.is_null("sliding_window") ? 0 : c.integer("sliding_window", 4096, 1, std::int64_t{1} << 32);
  const std::int64_t layers = c.integer("num_hidden_layers", family.layers, 0, 4096);
  const std::int64_t from = c.integer("max_window_layers", 28, 0, 1 << 20);
  return llama_like_plan(c, family, [&](std::int64_t i) {
    return window && fields::is_sliding(c, layers, i, [&](std::int64_t j) { return j >= from; }) ? window : 0;
  });
}

} // namespace llmap
