// ministral3 (Ministral 3): a mistral with yarn by default, and queries that grow with their position beyond the
// original length. Source: transformers 5.24 modeling_ministral3.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

inline decoder_plan ministral3_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "ministral3",
                                   .vocab = 131072,
                                   .inner = 14336,
                                   .layers = 34,
                                   .kv_heads = 8,
                                   .head_dim = 128,
                                   .positions = 262144,
                                   .epsilon = 1e-5,
                                   .rope = rope_plan{}});
  o.act = fields::activation_of(c, "hidden_act", "silu");
  query_growth growth{.beta = 0.1, .period = 16384};
  if (const auto parameters = c.object("rope_parameters")) {
    o.rope = fields::rope_of(c, o.head_dim, o.positions, "rope_theta", 1e6);
    for (const char* key : {"llama_4_scaling_beta", "original_max_position_embeddings"})
      if (!parameters->has(key)) fail(parameters->where(), ": ", key, ": missing");
    growth.beta = parameters->real("llama_4_scaling_beta", 0);
    growth.period = parameters->integer("original_max_position_embeddings", 1, 1, std::int64_t{1} << 32);
  } else { // mscale and mscale_all_dim are equal: no factor on the scores
    o.rope = rope_plan{
        .kind = rope_plan::scaling::yarn, .dims = o.head_dim, .theta = 1e6, .factor = 16, .original_positions = 16384};
  }
  const std::int64_t window = c.absent("sliding_window") ? 0 : fields::window_of(c, 0);
  return llama_plan(o, [&](std::int64_t, const std::string&, layer_plan& layer) {
    attention_of(layer).window = window;
    attention_of(layer).growth = growth;
  });
}

} // namespace llmap
