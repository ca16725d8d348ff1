// What several architectures read from a config in the same way: activations, rotary plans, layer types, and the
// shorthands for linears and norms. Sources: transformers 4.57 (modeling_rope_utils.py, activations.py).
#pragma once
#include "llmap/architectures/decoder_plan.hpp"
#include "llmap/weights/config.hpp"
#include <cmath>
#include <numbers>
#include <string>

namespace llmap::fields {

inline activation activation_of(const config& c, std::string_view names, const std::string& otherwise) {
  static constexpr std::pair<std::string_view, activation> table[] = {
      {"gelu", activation::gelu}, {"gelu_python", activation::gelu},
      {"gelu_new", activation::gelu_tanh}, {"gelu_pytorch_tanh", activation::gelu_tanh},
      {"gelu_python_tanh", activation::gelu_tanh}, {"gelu_accurate", activation::gelu_tanh},
      {"gelu_fast", activation::gelu_tanh}, {"quick_gelu", activation::quick_gelu},
      {"silu", activation::silu}, {"swish", activation::silu}, {"relu", activation::relu},
      {"relu2", activation::relu_squared}, {"tanh", activation::tanh}, {"sigmoid", activation::sigmoid},
      {"linear", activation::identity}};
  const std::string name = c.text(names, otherwise);
  for (const auto& [known, value] : table)
    if (known == name) return value;
  c.wrong(names, name, "a known activation (gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, quick_gelu, silu, relu, relu2, "
                       "tanh, sigmoid, linear)");
}

/// Reads rope_scaling and rope_theta, or rope_parameters (the newer spelling).
/// `dims`: rotated width of a head. `positions`: max_position_embeddings.
inline rope_plan rope_of(const config& c, std::int64_t dims, std::int64_t positions, std::string_view theta_names = "rope_theta",
                         double theta = 10000) {
  rope_plan rope;
  rope.dims = dims;
  if (dims < 2 || dims % 2 != 0) fail(c.where(), ": rotary width of a head: expected an even number >= 2, got ", dims);
  rope.theta = c.positive(theta_names, theta);
  const std::optional<config> parameters = c.object("rope_parameters");
  const std::optional<config> scaling = parameters ? parameters : c.object("rope_scaling");
  if (!scaling) return rope;
  if (parameters) rope.theta = parameters->positive("rope_theta", rope.theta);

  using kind = rope_plan::scaling;
  const std::string name = scaling->text("type|rope_type", "default");
  const auto factor = [&] {
    if (!scaling->has("factor")) fail(scaling->where(), ": factor: missing, rope type ", name, " needs it");
    return scaling->positive("factor", 1);
  };
  // g(s, m): how much yarn sharpens attention for a stretch of s.
  const auto sharpening = [](double s, double m) { return s <= 1 ? 1.0 : 0.1 * m * std::log(s) + 1.0; };

  if (name == "default") return rope;
  if (name == "linear") {
    rope.kind = kind::linear;
    rope.factor = factor();
  } else if (name == "dynamic") {
    rope.kind = kind::dynamic;
    rope.factor = factor();
    rope.original_positions = static_cast<double>(positions);
  } else if (name == "llama3") {
    rope.kind = kind::llama3;
    rope.factor = factor();
    for (const char* key : {"low_freq_factor", "high_freq_factor", "original_max_position_embeddings"})
      if (!scaling->has(key)) fail(scaling->where(), ": ", key, ": missing, rope type llama3 needs it");
    rope.low_frequency_factor = scaling->positive("low_freq_factor", 1);
    rope.high_frequency_factor = scaling->positive("high_freq_factor", 4);
    rope.original_positions = scaling->positive("original_max_position_embeddings", 8192);
    if (!(rope.high_frequency_factor > rope.low_frequency_factor))
      fail(scaling->where(), ": high_freq_factor: expected more than low_freq_factor");
  } else if (name == "yarn") {
    rope.kind = kind::yarn;
    rope.factor = factor();
    rope.original_positions = scaling->absent("original_max_position_embeddings")
                                  ? static_cast<double>(positions)
                                  : scaling->positive("original_max_position_embeddings", 1);
    rope.beta_fast = scaling->absent("beta_fast") ? 32 : scaling->positive("beta_fast", 32);
    rope.beta_slow = scaling->absent("beta_slow") ? 1 : scaling->positive("beta_slow", 1);
    rope.truncate = scaling->boolean("truncate", true);
    const double mscale = scaling->absent("mscale") ? 0 : scaling->real("mscale", 0);
    const double mscale_all = scaling->absent("mscale_all_dim") ? 0 : scaling->real("mscale_all_dim", 0);
    if (!scaling->absent("attention_factor")) rope.attention_factor = scaling->positive("attention_factor", 1);
    else if (mscale != 0 && mscale_all != 0) rope.attention_factor = sharpening(rope.factor, mscale) / sharpening(rope.factor, mscale_all);
    else rope.attention_factor = sharpening(rope.factor, 1);
  } else if (name == "longrope" || name == "su") {
    rope.kind = kind::longrope;
    const bool top_level = !c.absent("original_max_position_embeddings");
    rope.original_positions = top_level ? c.positive("original_max_position_embeddings", 1) : static_cast<double>(positions);
    rope.factor = top_level ? static_cast<double>(positions) / rope.original_positions : factor();
    for (auto [key, list] : {std::pair{"short_factor", &rope.short_factor}, std::pair{"long_factor", &rope.long_factor}}) {
      const json* values = scaling->find(key);
      if (!values || !values->items() || values->items()->size() != static_cast<std::size_t>(dims / 2))
        fail(scaling->where(), ": ", key, ": expected ", dims / 2, " numbers");
      for (const json& v : *values->items()) {
        const auto number = v.number();
        if (!number || !(*number > 0) || !std::isfinite(*number)) scaling->wrong(key, v, "positive numbers");
        list->push_back(*number);
      }
    }
    if (!scaling->absent("attention_factor")) rope.attention_factor = scaling->positive("attention_factor", 1);
    else if (rope.factor > 1) rope.attention_factor = std::sqrt(1 + std::log(rope.factor) / std::log(rope.original_positions));
  } else {
    scaling->wrong("type|rope_type", name, "default, linear, dynamic, llama3, yarn or longrope");
  }
  return rope;
}

/// layer_types[i] == "sliding_attention", or `otherwise(i)` where the config has no layer_types.
template <class Otherwise> bool is_sliding(const config& c, std::int64_t layers, std::int64_t i, const Otherwise& otherwise) {
  const json* types = c.find("layer_types");
  if (!types || types->is_null()) return otherwise(i);
  if (!types->items() || types->items()->size() != static_cast<std::size_t>(layers))
    c.wrong("layer_types", *types, "one entry a layer (" + std::to_string(layers) + ")");
  const json& entry = (*types->items())[static_cast<std::size_t>(i)];
  if (entry.is("sliding_attention")) return true;
  if (entry.is("full_attention")) return false;
  c.wrong("layer_types", entry, "full_attention or sliding_attention");
}

/// H, Hkv and D of a config with head_dim and num_key_value_heads; checks that they fit together.
/// `kv_otherwise`: heads when the key is missing (0: as many as H); `null` always means H.
inline void read_heads(const config& c, attention_plan& a, std::int64_t width, std::int64_t heads_otherwise,
                       std::int64_t kv_otherwise, std::int64_t head_dim_otherwise = 0) {
  constexpr std::int64_t most = 1 << 16;
  a.heads = c.integer("num_attention_heads", heads_otherwise, 1, most);
  a.kv_heads = c.is_null("num_key_value_heads") ? a.heads
                                                : c.integer("num_key_value_heads", kv_otherwise ? kv_otherwise : a.heads, 1, most);
  if (!c.absent("head_dim")) a.head_dim = c.integer("head_dim", 1, 1, most);
  else if (head_dim_otherwise && !c.has("head_dim")) a.head_dim = head_dim_otherwise;
  else {
    if (width % a.heads != 0) fail(c.where(), ": hidden_size ", width, " is not a multiple of num_attention_heads ", a.heads);
    a.head_dim = width / a.heads;
  }
  if (a.heads % a.kv_heads != 0)
    fail(c.where(), ": num_attention_heads ", a.heads, " is not a multiple of num_key_value_heads ", a.kv_heads);
}

/// A whole stored [rows, cols] matrix; the bias is "<name>.bias" where `bias`.
inline matrix_part whole(const std::string& name, std::int64_t rows, bool bias) {
  return {name + ".weight", bias ? name + ".bias" : "", rows, rows, 0, rows, rows, false};
}
inline linear_plan linear(const std::string& name, std::int64_t rows, std::int64_t cols, bool bias) {
  return {cols, {whole(name, rows, bias)}};
}
/// q, k, v interleaved by head in one matrix: [q_h: D][k_h: D][v_h: D] for every head h.
inline linear_plan qkv_by_head(const std::string& name, const attention_plan& a, std::int64_t cols, bool bias) {
  linear_plan plan{cols, {}};
  for (std::int64_t which = 0; which < 3; ++which)
    plan.parts.push_back({name + ".weight", bias ? name + ".bias" : "", a.heads * a.head_dim, 3 * a.heads * a.head_dim,
                          which * a.head_dim, a.head_dim, 3 * a.head_dim, false});
  return plan;
}
inline norm_plan layer_norm(const std::string& name, double epsilon) {
  return {norm_kind::layer, epsilon, 0, name + ".weight", name + ".bias"};
}
inline norm_plan rms_norm(const std::string& name, double epsilon, double weight_offset = 0) {
  return {norm_kind::rms, epsilon, weight_offset, name + ".weight", ""};
}

} // namespace llmap::fields
