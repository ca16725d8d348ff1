// llama4_text (Llama 4 Scout, Maverick): layers with a rotation of neighboring pairs, in chunks, and layers without
// positions whose queries grow with theirs; a mixture of experts, each of which reads the token times its score, beside
// a shared one. Source: transformers 5.24 modeling_llama4.py.
#pragma once
#include "llmap/architectures/experts.hpp"
#include "llmap/architectures/smollm3.hpp"

namespace llmap {

/// Whether each layer has experts: moe_layers, else every interleave_moe_layer_step-th.
inline std::vector<bool> llama4_sparse_layers(const config& c, std::int64_t layers) {
  const std::int64_t step = c.integer("interleave_moe_layer_step", 1, 1, 1 << 20);
  std::vector<bool> sparse;
  const json* list = c.find("moe_layers");
  const bool given = list && !list->is_null();
  for (std::int64_t i = 0; i < layers; ++i) sparse.push_back(!given && (i + 1) % step == 0);
  if (!given) return sparse;
  if (!list->items()) c.refuse("moe_layers", *list, "a list of layers");
  for (const json& i : *list->items()) {
    if (!i.integer() || *i.integer() < 0 || *i.integer() >= layers) c.refuse("moe_layers", i, "a layer's number");
    sparse[static_cast<std::size_t>(*i.integer())] = true;
  }
  return sparse;
}

inline decoder_plan llama4_text_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "llama4_text",
                                   .vocab = 202048,
                                   .width = 5120,
                                   .inner = 8192,
                                   .layers = 48,
                                   .heads = 40,
                                   .kv_heads = 8,
                                   .head_dim = 128,
                                   .positions = 131072,
                                   .epsilon = 1e-5,
                                   .rope = rope_plan{}});
  o.rope = fields::rope_of(c, o.head_dim, o.positions, "rope_theta", 5e5);
  o.rope->interleaved = true;
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  llama_options dense = o;
  dense.inner = c.integer("intermediate_size_mlp", 16384);
  const std::vector<bool> rotated = rotated_layers(c, o.layers, 4), sparse = llama4_sparse_layers(c, o.layers);
  const std::int64_t chunk = c.is_null("attention_chunk_size") ? 0 : c.integer("attention_chunk_size", 8192);
  const bool normed = c.boolean("use_qk_norm", true), tuned = c.boolean("attn_temperature_tuning", true);
  const query_growth growth{c.real("attn_scale", 0.1), c.integer("floor_scale", 8192), 1};
  const std::int64_t experts = c.integer("num_local_experts", 16, 1, 1 << 12);
  const router_plan router{.scores = router_plan::score::sigmoid,
                           .chosen = c.integer("num_experts_per_tok", 1, 1, experts)};
  return llama_plan(o, [&](std::int64_t i, const std::string& name, layer_plan& layer) {
    attention_plan& a = attention_of(layer);
    const bool turns = rotated[static_cast<std::size_t>(i)];
    if (fields::layer_is(c, o.layers, i, "chunked_attention", "full_attention",
                         [&](std::int64_t) { return turns && chunk; }))
      a.chunk = chunk;
    if (turns && normed) {
      a.q_norm = a.k_norm = norm_plan{norm_kind::rms, a.head_dim, o.epsilon, 0, {}, {}};
      a.norm_after_rotation = true;
    }
    if (!turns) a.rope.reset();
    if (!turns && tuned) a.growth = growth;
    const std::string ff = name + "feed_forward.";
    if (!sparse[static_cast<std::size_t>(i)]) {
      layer.branches[1].mixer = llama_mlp(dense, ff);
      return;
    }
    mixture_plan m;
    m.router = router;
    m.router.logits = fields::linear(ff + "router", experts, o.width, false);
    m.experts = stacked_experts(o, ff + "experts.gate_up_proj", ff + "experts.down_proj", experts, o.inner, true);
    m.weighs_input = true;
    m.shared = llama_mlp(o, ff + "shared_expert.");
    layer.branches[1].mixer = std::move(m);
  });
}

} // namespace llmap
