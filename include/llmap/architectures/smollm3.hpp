// smollm3 (SmolLM3): a llama of which every fourth layer has no positions; where windows are used, those are the
// layers that slide. Source: transformers 4.57 modeling_smollm3.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

/// no_rope_layers: 1 for a layer with a rotation, 0 without; absent or empty: every `interval`-th is without.
inline std::vector<bool> rotated_layers(const config& c, std::int64_t layers, std::int64_t interval) {
  interval = c.integer("no_rope_layer_interval", interval, 1, 1 << 20);
  std::vector<bool> rotated;
  const json* list = c.find("no_rope_layers");
  if (!list || list->is_null() || (list->items() && list->items()->empty())) {
    for (std::int64_t i = 0; i < layers; ++i) rotated.push_back((i + 1) % interval != 0);
    return rotated;
  }
  if (!list->items() || static_cast<std::int64_t>(list->items()->size()) != layers)
    c.refuse("no_rope_layers", *list, "0 or 1 for every layer");
  for (const json& entry : *list->items()) {
    if (entry.integer() != 0 && entry.integer() != 1) c.refuse("no_rope_layers", entry, "0 or 1");
    rotated.push_back(entry.integer() == 1);
  }
  return rotated;
}

inline decoder_plan smollm3_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "smollm3",
                                   .vocab = 128256,
                                   .width = 2048,
                                   .layers = 36,
                                   .heads = 16,
                                   .kv_heads = 4,
                                   .positions = 32768,
                                   .tied = true,
                                   .rope = rope_plan{}});
  o.rope = fields::rope_of(c, o.head_width(), o.positions, "rope_theta", 2e6);
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  o.mlp_bias = c.boolean("mlp_bias", false);
  const std::vector<bool> rotated = rotated_layers(c, o.layers, 4);
  const std::int64_t window =
      c.boolean("use_sliding_window", false) && !c.absent("sliding_window") ? fields::window_of(c, 0) : 0;
  return llama_plan(o, [&](std::int64_t i, const std::string&, layer_plan& layer) {
    attention_plan& a = attention_of(layer);
    const bool with = rotated[static_cast<std::size_t>(i)];
    if (!with) a.rope.reset();
    if (window && fields::is_sliding(c, o.layers, i, [&](std::int64_t) { return !with; })) a.window = window;
  });
}

} // namespace llmap
