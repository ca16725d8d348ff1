// mistral (Mistral 7B, Nemo, Zephyr, ...): a llama whose every layer sees a sliding window; a missing sliding_window
// means 4096, null means none. Source: transformers 4.57 configuration_mistral.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

inline decoder_plan mistral_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "mistral", .inner = 14336, .kv_heads = 8, .positions = 131072});
  o.act = fields::activation_of(c, "hidden_act", "silu");
  const std::int64_t window = fields::window_of(c, 4096);
  return llama_plan(o,
                    [&](std::int64_t, const std::string&, layer_plan& layer) { attention_of(layer).window = window; });
}

} // namespace llmap
