// lfm2 and lfm2_moe (LFM2): layers of a gated short convolution or of attention with q and k of each head normed, each
// followed by a gated MLP; in lfm2_moe by experts after some dense layers. Source: transformers 5.24 modeling_lfm2.py
// and modeling_lfm2_moe.py.
#pragma once
#include "llmap/architectures/experts.hpp"

namespace llmap {

/// The layer types, or the older list of the layers with attention (all of them where it is missing).
inline bool lfm2_is_attention(const config& c, std::int64_t layers, std::int64_t i) {
  return fields::layer_is(c, layers, i, "full_attention", "conv", [&](std::int64_t j) {
    const json* list = c.find("full_attn_idxs");
    if (!list || list->is_null()) return true;
    if (!list->items()) c.refuse("full_attn_idxs", *list, "a list of layers");
    for (const json& entry : *list->items())
      if (entry.integer() == j) return true;
    return false;
  });
}

/// `mlp(i, name, layer)` may replace the MLP.
template <class Mlp> decoder_plan lfm2_like_plan(const config& c, const llama_options& o, const Mlp& mlp) {
  const bool bias = c.boolean("conv_bias", false);
  const std::int64_t taps = c.integer("conv_L_cache", 3, 1, 64);
  decoder_plan plan = llama_plan(o, [&](std::int64_t i, const std::string& name, layer_plan& layer) {
    layer.branches[0].before = fields::rms_norm(name + "operator_norm", o.width, o.epsilon);
    layer.branches[1].before = fields::rms_norm(name + "ffn_norm", o.width, o.epsilon);
    layer.branches[1].mixer = expert(o, name + "feed_forward.", o.inner, {"w1", "w3", "w2"});
    mlp(i, name, layer);
    if (lfm2_is_attention(c, o.layers, i)) {
      attention_plan& a = attention_of(layer);
      a.q_norm = fields::rms_norm(name + "self_attn.q_layernorm", a.head_dim, o.epsilon);
      a.k_norm = fields::rms_norm(name + "self_attn.k_layernorm", a.head_dim, o.epsilon);
      a.out = fields::linear(name + "self_attn.out_proj", o.width, a.heads * a.head_dim, false);
      return;
    }
    const std::int64_t C = o.width;
    const std::string in = name + "conv.in_proj"; // stored [B | C | u]; used [B | u | C]
    layer.branches[0].mixer =
        short_convolution_plan{{C,
                                {fields::rows_of(in, 0, C, 3 * C, bias), fields::rows_of(in, 2 * C, C, 3 * C, bias),
                                 fields::rows_of(in, C, C, 3 * C, bias)}},
                               fields::convolution(name + "conv.conv", C, taps, bias),
                               fields::linear(name + "conv.out_proj", C, C, bias)};
  });
  plan.head.norm = fields::rms_norm("model.embedding_norm", o.width, o.epsilon);
  return plan;
}

/// The options of LFM2, dense or with experts, from its config.json.
inline llama_options read_lfm2(const config& c, llama_options defaults) {
  defaults.vocab = 65536, defaults.kv_heads = 8, defaults.positions = 128000, defaults.rope = rope_plan{};
  llama_options o = read_llama(c, std::move(defaults));
  o.rope = fields::rope_of(c, o.head_width(), o.positions, "rope_theta", 1e6);
  o.epsilon = c.positive("norm_eps", 1e-5);
  o.tied = c.boolean("tie_embedding|tie_word_embeddings", true);
  return o;
}

inline decoder_plan lfm2_plan(const config& c) {
  llama_options o = read_lfm2(c, {.model_type = "lfm2", .width = 2560, .inner = 12288});
  o.inner = c.integer("block_ff_dim|intermediate_size", o.inner);
  if (c.boolean("block_auto_adjust_ff_dim", true)) { // two thirds, times the multiplier, rounded up
    const std::int64_t unit = c.integer("block_multiple_of", 256, 1);
    const double some =
        std::floor(c.positive("block_ffn_dim_multiplier", 1) * std::floor(2.0 * static_cast<double>(o.inner) / 3));
    o.inner = (static_cast<std::int64_t>(some) + unit - 1) / unit * unit;
  }
  return lfm2_like_plan(c, o, [](std::int64_t, const std::string&, layer_plan&) {});
}

inline decoder_plan lfm2_moe_plan(const config& c) {
  const llama_options o = read_lfm2(c, {.model_type = "lfm2_moe", .width = 2048, .inner = 7168});
  if (c.absent("layer_types")) fail(c.where(), ": layer_types: missing");
  const std::int64_t dense = c.integer("num_dense_layers", 2, 0, 4096),
                     experts = c.integer("num_experts", 32, 1, 1 << 12),
                     inner = c.integer("moe_intermediate_size", 1792);
  const router_plan router{.scores = router_plan::score::sigmoid,
                           .chosen = c.integer("num_experts_per_tok", 4, 1, experts),
                           .normalized = c.boolean("norm_topk_prob", true),
                           .epsilon = 1e-6,
                           .scale = c.positive("routed_scaling_factor", 1)};
  const bool corrected = c.boolean("use_expert_bias", true);
  return lfm2_like_plan(c, o, [&](std::int64_t i, const std::string& name, layer_plan& layer) {
    if (i < dense) return;
    mixture_plan m = experts_apart(o, name + "feed_forward.", router, experts, inner, {"w1", "w3", "w2"});
    if (corrected) m.router.correction = fields::vector(name + "feed_forward.expert_bias", {experts});
    layer.branches[1].mixer = std::move(m);
  });
}

} // namespace llmap
