// mistral: a llama without biases whose every layer sees a sliding window; a missing sliding_window means 4096,
// null means none. Source: transformers 4.57 configuration_mistral.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

inline decoder_plan mistral_plan(const config& c) {
  llama_family family;
  family.model_type = "mistral";
  family.inner = 14336;
  family.kv_heads = 8;
  family.positions = 131072;
  const std::int64_t window = c.is_null("sliding_window") ? 0 : c.integer("sliding_window", 4096, 1, std::int64_t{1} << 32);
  return llama_like_plan(c, family, [window](std::int64_t) { return window; });
}

} // namespace llmap
