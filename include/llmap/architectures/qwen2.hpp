// qwen2 (Qwen1.5, Qwen2, Qwen2.5): a llama with biases on q, k and v only. The window counts only where
// use_sliding_window is true: by layer_types, else in the layers from max_window_layers on.
// Source: transformers 4.57 configuration_qwen2.py.
#pragma once
#include "llmap/architectures/llama.hpp"
#include <functional>

namespace llmap {

/// The window of layer i by Qwen's rule, 0 for none.
inline std::function<std::int64_t(std::int64_t)> qwen_windows(const config& c, std::int64_t layers) {
  const std::int64_t window = c.boolean("use_sliding_window", false) ? fields::window_of(c, 4096) : 0;
  const std::int64_t from = c.integer("max_window_layers", 28, 0, 1 << 20);
  return [&c, layers, window, from](std::int64_t i) {
    return window && fields::is_sliding(c, layers, i, [&](std::int64_t j) { return j >= from; }) ? window : 0;
  };
}

inline decoder_plan qwen2_plan(const config& c) {
  llama_options o =
      read_llama(c, {.model_type = "qwen2", .vocab = 151936, .inner = 22016, .kv_heads = 32, .positions = 32768});
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = true;
  const auto window = qwen_windows(c, o.layers);
  return llama_plan(
      o, [&](std::int64_t i, const std::string&, layer_plan& layer) { attention_of(layer).window = window(i); });
}

} // namespace llmap
