// The attention of a gemma4, layer by layer: kinds, sizes and whose keys are used.
#pragma once
#include "llmap/architectures/gemma_shared.hpp"

namespace llmap {

/// The layers of a gemma4, which differ in kind and size.
struct gemma4_layers {
  const config& c;           ///< that the layers are read from
  llama_options o;           ///< what all layers share
  std::int64_t window, kept; // kept: layers before those that use earlier keys
  rope_plan sliding, full;   // dims are those of the layer's heads

  /// Whether layer i has a window; without layer_types five of six have, the last never.
  bool is_sliding(std::int64_t i) const {
    return i + 1 != o.layers && fields::is_sliding(c, o.layers, i, [](std::int64_t j) { return (j + 1) % 6 != 0; });
  }
  /// Whether layer i has no matrix of values.
  bool values_are_keys(std::int64_t i) const { return !is_sliding(i) && c.boolean("attention_k_eq_v", false); }
  /// Options of one layer: heads of full layers are wider, or as per_layer_config says.
  llama_options options(std::int64_t i) const {
    llama_options own = o;
    if (const auto all = c.object("per_layer_config")) {
      if (const auto entry = all->object(std::to_string(i))) {
        own.head_dim = entry->integer("head_dim", o.head_dim, 1, 1 << 16);
        own.kv_heads = entry->integer("num_key_value_heads", o.kv_heads, 1, 1 << 16);
      }
    } else if (!is_sliding(i)) {
      own.head_dim = c.integer("global_head_dim", 512, 1, 1 << 16);
      if (values_are_keys(i) && !c.absent("num_global_key_value_heads"))
        own.kv_heads = c.integer("num_global_key_value_heads", o.kv_heads, 1, 1 << 16);
    }
    if (o.heads % own.kv_heads != 0)
      fail(c.where(), ": num_attention_heads ", o.heads, " is not a multiple of the ", own.kv_heads, " of layer ", i);
    own.rope = is_sliding(i) ? sliding : full;
    own.rope->dims = own.head_dim;
    if (i >= kept && c.boolean("use_double_wide_mlp", false)) own.inner *= 2;
    return own;
  }
  /// The attention of layer i, whose tensors are named `name` and what follows.
  attention_plan attention(std::int64_t i, const std::string& name) const {
    const llama_options own = options(i);
    attention_plan a = llama_attention(own, name);
    a.window = is_sliding(i) ? window : 0;
    a.kept_as = kept_number(i, kept, o.layers, [&](std::int64_t j) { return is_sliding(j); });
    a.reuses = i >= kept;
    if (values_are_keys(i)) a.qkv.parts[2] = a.qkv.parts[1];
    norm_unscaled_attention(a, name, o.epsilon);
    return a;
  }
};

} // namespace llmap
