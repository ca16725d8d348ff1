// gemma3n_text (Gemma 3n): several streams of which one goes through each layer, a low-rank branch beside attention, an
// input of its own for each layer and token, keys of earlier layers, and gates that are cut below a share of them. Ids
// beyond the table of layer inputs use its first row. Source: transformers 5.24 modeling_gemma3n.py.
#pragma once
#include "llmap/architectures/gemma_shared.hpp"
#include "llmap/architectures/normal_quantile.hpp"
#include <algorithm>

namespace llmap {

/// One number a layer: a list, or one number for all.
inline std::vector<double> numbers_by_layer(const config& c, const char* field, std::int64_t layers, double otherwise) {
  const json* value = c.find(field);
  if (!value || value->is_null() || !value->items())
    return std::vector<double>(static_cast<std::size_t>(layers),
                               value && !value->is_null() ? c.real(field, 0) : otherwise);
  if (static_cast<std::int64_t>(value->items()->size()) != layers) c.refuse(field, *value, "one number a layer");
  std::vector<double> all;
  for (const json& x : *value->items()) {
    if (!x.number() || !(*x.number() >= 0)) c.refuse(field, x, "numbers of 0 or more");
    all.push_back(*x.number());
  }
  return all;
}

/// The shares of the gates that are cut off: by default 0.95 in the first ten layers of more than ten.
inline std::vector<double> cut_shares(const config& c, std::int64_t layers) {
  std::vector<double> shares = numbers_by_layer(c, "activation_sparsity_pattern", layers, 0);
  if (c.absent("activation_sparsity_pattern") && layers > 10) std::fill_n(shares.begin(), 10, 0.95);
  for (const double share : shares)
    if (!(share >= 0 && share < 1)) c.refuse("activation_sparsity_pattern", json(share), "shares from 0 to below 1");
  return shares;
}

/// The n streams of a layer (AltUp) and its low-rank branch (LAuReL).
inline stream_layer_plan gemma3n_streams(const config& c, const llama_options& o, const std::string& name,
                                         std::int64_t n) {
  stream_layer_plan s;
  s.active = c.integer("altup_active_idx", 0, 0, n - 1);
  s.norm = fields::rms_norm(name + "altup.router_norm", o.width, o.epsilon);
  s.norm.scale = 1 / static_cast<double>(o.width);
  s.router = fields::linear(name + "altup.modality_router", n, o.width, false);
  s.prediction = fields::linear(name + "altup.prediction_coefs", n * n, n, false);
  s.correction = fields::linear(name + "altup.correction_coefs", n, n, false);
  if (c.boolean("altup_correct_scale", true))
    s.input_scale = fields::vector(name + "altup.correct_output_scale", {o.width});
  return s;
}

inline decoder_plan gemma3n_text_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "gemma3n_text",
                                   .vocab = 262400,
                                   .width = 2048,
                                   .inner = 0,
                                   .layers = 35,
                                   .heads = 8,
                                   .kv_heads = 2,
                                   .head_dim = 256,
                                   .positions = 32768,
                                   .tied = true,
                                   .rope = rope_plan{}});
  o.act = fields::activation_of(c, "hidden_activation", "gelu_pytorch_tanh");
  o.embedding_scale = std::sqrt(static_cast<double>(o.width));
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  const auto by_kind = fields::rope_by_kind(c);
  const rope_plan full = fields::scaled_rope(c, by_kind ? by_kind->object("full_attention") : c.object("rope_scaling"),
                                             o.head_dim, o.positions, c.positive("rope_theta", 1e6));
  const rope_plan local = fields::scaled_rope(c, by_kind ? by_kind->object("sliding_attention") : std::nullopt,
                                              o.head_dim, o.positions, c.positive("rope_local_base_freq", 1e4));
  const std::int64_t window = fields::window_of(c, 512),
                     kept = o.layers - c.integer("num_kv_shared_layers", 15, 0, o.layers - 1),
                     n = c.integer("altup_num_inputs", 4, 2, 64), rank = c.integer("laurel_rank", 64),
                     p = c.integer("hidden_size_per_layer_input", 256),
                     stored = c.integer("vocab_size_per_layer_input", 262144);
  const std::vector<double> inner = numbers_by_layer(c, "intermediate_size", o.layers, 16384),
                            cut = cut_shares(c, o.layers);
  const auto is_sliding = [&](std::int64_t i) {
    return fields::is_sliding(c, o.layers, i, [](std::int64_t j) { return (j + 1) % 5 != 0; });
  };
  decoder_plan plan = llama_plan(o, [&](std::int64_t i, const std::string& name, layer_plan& layer) {
    const auto norm = [&](const std::string& which) { return fields::rms_norm(name + which, o.width, o.epsilon); };
    attention_plan& a = attention_of(layer);
    a.rope = is_sliding(i) ? local : full;
    a.window = is_sliding(i) ? window : 0;
    a.kept_as = kept_number(i, kept, o.layers, is_sliding), a.reuses = i >= kept;
    norm_unscaled_attention(a, name + "self_attn.", o.epsilon);
    llama_options own = o;
    own.inner = static_cast<std::int64_t>(inner[static_cast<std::size_t>(i)]);
    mlp_plan mlp = llama_mlp(own, name + "mlp.");
    if (const double share = cut[static_cast<std::size_t>(i)]; share > 0) mlp.cut = normal_quantile(share);
    const std::string low = name + "laurel.";
    laurel_plan laurel{fields::linear(low + "linear_left", rank, o.width, false),
                       fields::linear(low + "linear_right", o.width, rank, false), norm("laurel.post_laurel_norm")};
    layer.joined = join::side_by_side;
    layer.together = 2, layer.together_scale = std::sqrt(0.5);
    layer.branches[0].after = norm("post_attention_layernorm");
    layer.branches[1] = {norm("input_layernorm"), {}, std::move(laurel), 1};
    layer.branches.push_back(
        {norm("pre_feedforward_layernorm"), norm("post_feedforward_layernorm"), std::move(mlp), 1});
    layer.streams = gemma3n_streams(c, o, name, n);
    layer.streams->input = gemma_input(o, name, i, p);
  });
  const std::int64_t rows = std::min(stored, o.vocab);
  plan.embedding.inputs = gemma_inputs(o, p, rows, stored);
  streams_plan& streams = plan.streams.emplace();
  for (std::int64_t j = 0; j + 1 < n; ++j) {
    const auto stream = [&](const char* which) {
      return fields::linear(which + std::to_string(j), o.width, o.width, false);
    };
    streams.in.push_back(stream("model.altup_projections."));
    streams.out.push_back(stream("model.altup_unembed_projections."));
  }
  plan.head.softcap = fields::cap_of(c, "final_logit_softcapping", 30);
  return plan;
}

} // namespace llmap
