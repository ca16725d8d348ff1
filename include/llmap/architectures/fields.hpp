// What several architectures read from a config in the same way: activations, rotary plans, layer types, and the
// shorthands for linears and norms. Sources: transformers 4.57 (modeling_rope_utils.py, activations.py).
#pragma once
#include "llmap/architectures/decoder_plan.hpp"
#include "llmap/weights/config.hpp"
#include <cmath>
#include <numbers>
#include <string>

namespace llmap::fields {

/// How much yarn sharpens attention for a stretch of s.
inline double yarn_sharpening(double s, double m) { return s <= 1 ? 1.0 : 0.1 * m * std::log(s) + 1.0; }

/// The activation that a field names, by transformers' names; an unknown one is refused.
inline activation activation_of(const config& c, std::string_view names, const std::string& otherwise) {
  static constexpr std::pair<std::string_view, activation> table[] = {{"gelu", activation::gelu},
                                                                      {"gelu_python", activation::gelu},
                                                                      {"gelu_new", activation::gelu_tanh},
                                                                      {"gelu_pytorch_tanh", activation::gelu_tanh},
                                                                      {"gelu_python_tanh", activation::gelu_tanh},
                                                                      {"gelu_accurate", activation::gelu_tanh},
                                                                      {"gelu_fast", activation::gelu_tanh},
                                                                      {"quick_gelu", activation::quick_gelu},
                                                                      {"silu", activation::silu},
                                                                      {"swish", activation::silu},
                                                                      {"relu", activation::relu},
                                                                      {"relu2", activation::relu_squared},
                                                                      {"tanh", activation::tanh},
                                                                      {"sigmoid", activation::sigmoid},
                                                                      {"linear", activation::identity}};
  const std::string name = c.text(names, otherwise);
  for (const auto& [known, value] : table)
    if (known == name) return value;
  c.refuse(names, name,
           "a known activation (gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, quick_gelu, silu, relu, relu2, "
           "tanh, sigmoid, linear)");
}

namespace detail {

/// One way to stretch a rotation: reads the keys of its kind from rope_scaling or rope_parameters.
class rope_reader {
  const config& model_;   // the model's config
  const config& scaling_; // the object that names the kind
  rope_plan& rope_;
  double positions_;
  std::string kind_;

  double required(const char* key) const {
    if (!scaling_.has(key)) fail(scaling_.where(), ": ", key, ": missing, rope type ", kind_, " needs it");
    return scaling_.positive(key, 1);
  }
  double optional(const char* key, double otherwise) const {
    return scaling_.absent(key) ? otherwise : scaling_.positive(key, otherwise);
  }
  std::vector<double> factors(const char* key) const {
    const json* values = scaling_.find(key);
    const auto pairs = static_cast<std::size_t>(rope_.dims / 2);
    if (!values || !values->items() || values->items()->size() != pairs)
      fail(scaling_.where(), ": ", key, ": expected ", pairs, " numbers");
    std::vector<double> all;
    for (const json& v : *values->items()) {
      const auto number = v.number();
      if (!number || !(*number > 0) || !std::isfinite(*number)) scaling_.refuse(key, v, "positive numbers");
      all.push_back(*number);
    }
    return all;
  }

public:
  rope_reader(const config& model, const config& scaling, rope_plan& rope, std::int64_t positions)
      : model_(model), scaling_(scaling), rope_(rope), positions_(static_cast<double>(positions)),
        kind_(scaling.text("type|rope_type", "default")) {}

  const std::string& kind() const { return kind_; }

  void linear() { rope_.kind = rope_plan::scaling::linear, rope_.factor = required("factor"); }
  void dynamic() {
    rope_.kind = rope_plan::scaling::dynamic, rope_.factor = required("factor"), rope_.original_positions = positions_;
  }
  void llama3() {
    rope_.kind = rope_plan::scaling::llama3;
    rope_.factor = required("factor");
    rope_.low_frequency_factor = required("low_freq_factor");
    rope_.high_frequency_factor = required("high_freq_factor");
    rope_.original_positions = required("original_max_position_embeddings");
    if (!(rope_.high_frequency_factor >= rope_.low_frequency_factor))
      fail(scaling_.where(), ": high_freq_factor: expected low_freq_factor or more");
  }
  void yarn() {
    rope_.kind = rope_plan::scaling::yarn;
    rope_.factor = required("factor");
    rope_.original_positions = optional("original_max_position_embeddings", positions_);
    rope_.beta_fast = optional("beta_fast", 32);
    rope_.beta_slow = optional("beta_slow", 1);
    rope_.truncate = scaling_.boolean("truncate", true);
    const double mscale = scaling_.absent("mscale") ? 0 : scaling_.real("mscale", 0);
    const double mscale_all = scaling_.absent("mscale_all_dim") ? 0 : scaling_.real("mscale_all_dim", 0);
    const double s = rope_.factor;
    rope_.attention_factor =
        mscale != 0 && mscale_all != 0
            ? optional("attention_factor", yarn_sharpening(s, mscale) / yarn_sharpening(s, mscale_all))
            : optional("attention_factor", yarn_sharpening(s, 1));
  }
  void proportional() { // of all pairs of the head, those beyond the share stand still
    rope_.kind = rope_plan::scaling::proportional;
    rope_.factor = optional("factor", 1);
    rope_.share = optional("partial_rotary_factor", 1);
  }
  void longrope() {
    rope_.kind = rope_plan::scaling::longrope;
    const char* const original = "original_max_position_embeddings"; // at the top level, or in this object
    const bool top_level = !model_.absent(original);
    rope_.original_positions = top_level ? model_.positive(original, 1) : optional(original, positions_);
    const double ratio = positions_ / rope_.original_positions;
    rope_.factor = top_level ? ratio : scaling_.absent(original) ? required("factor") : optional("factor", ratio);
    rope_.short_factor = factors("short_factor");
    rope_.long_factor = factors("long_factor");
    const double s = rope_.factor;
    rope_.attention_factor = rope_.long_attention_factor =
        optional("attention_factor", s > 1 ? std::sqrt(1 + std::log(s) / std::log(rope_.original_positions)) : 1);
  }
};

} // namespace detail

/// A rotation of `dims` dims of a head, stretched as `scaling` (rope_scaling or rope_parameters) of the config says.
inline rope_plan scaled_rope(const config& c, const std::optional<config>& scaling, std::int64_t dims,
                             std::int64_t positions, double theta) {
  rope_plan rope;
  rope.dims = dims;
  rope.theta = theta;
  if (dims < 2 || dims % 2 != 0) fail(c.where(), ": rotary width of a head: expected an even number >= 2, got ", dims);
  if (!scaling) return rope;
  rope.theta = scaling->positive("rope_theta", theta);
  detail::rope_reader read(c, *scaling, rope, positions);
  const std::string& kind = read.kind();
  if (kind == "linear") read.linear();
  else if (kind == "dynamic") read.dynamic();
  else if (kind == "llama3") read.llama3();
  else if (kind == "yarn") read.yarn();
  else if (kind == "longrope" || kind == "su") read.longrope();
  else if (kind == "proportional") read.proportional();
  else if (kind != "default")
    scaling->refuse("type|rope_type", json(kind), "default, linear, dynamic, llama3, yarn, longrope or proportional");
  return rope;
}

/// Reads rope_scaling and rope_theta, or rope_parameters (the newer spelling).
/// `dims`: rotated width of a head. `positions`: max_position_embeddings.
inline rope_plan rope_of(const config& c, std::int64_t dims, std::int64_t positions,
                         std::string_view theta_names = "rope_theta", double theta = 10000) {
  const std::optional<config> parameters = c.object("rope_parameters");
  if (parameters && parameters->object("full_attention"))
    fail(c.where(), ": rope_parameters: expected one rotation for all layers, got one for each kind of layer");
  return scaled_rope(c, parameters ? parameters : c.object("rope_scaling"), dims, positions,
                     c.positive(theta_names, theta));
}

/// rope_parameters with an object for each kind of layer, or nothing in the older spelling. One for all is refused.
inline std::optional<config> rope_by_kind(const config& c) {
  std::optional<config> all = c.object("rope_parameters");
  if (all && !all->object("full_attention"))
    fail(c.where(), ": rope_parameters: expected an object for each kind of layer, full_attention is missing");
  return all;
}

/// partial_rotary_factor, at the top or inside rope_parameters: the share of a head that is rotated.
inline std::int64_t rotated_dims(const config& c, std::int64_t head_dim, double otherwise,
                                 std::string_view names = "partial_rotary_factor") {
  const std::optional<config> parameters = c.object("rope_parameters");
  const double share = parameters && parameters->has("partial_rotary_factor")
                           ? parameters->positive("partial_rotary_factor", otherwise)
                       : c.absent(names) ? otherwise
                                         : c.positive(names, otherwise);
  if (share > 1) fail(c.where(), ": ", names.substr(0, names.find('|')), ": expected at most 1, got ", share);
  return static_cast<std::int64_t>(static_cast<double>(head_dim) * share);
}

/// Whether entry i of a list with one a layer, `field`, is `one` rather than `other`; otherwise(i) without a list.
/// Either may have several spellings, "mamba|linear_attention".
template <class Otherwise>
bool layer_is(const config& c, std::int64_t layers, std::int64_t i, const char* one, const char* other,
              const Otherwise& otherwise, std::string_view field = "layer_types") {
  const json* types = c.find(field);
  if (!types || types->is_null()) return otherwise(i);
  if (!types->items() || types->items()->size() != static_cast<std::size_t>(layers))
    c.refuse(field, *types, "one entry a layer (" + std::to_string(layers) + ")");
  const json& entry = (*types->items())[static_cast<std::size_t>(i)];
  const auto is_any = [&](std::string_view names) {
    for (std::size_t at = 0; at <= names.size(); at = std::min(names.find('|', at), names.size()) + 1)
      if (entry.is(names.substr(at, names.find('|', at) - at))) return true;
    return false;
  };
  if (is_any(one)) return true;
  if (is_any(other)) return false;
  const auto first = [](std::string_view names) { return std::string(names.substr(0, names.find('|'))); };
  c.refuse(field, entry, first(other) + " or " + first(one));
}
/// Whether layer i has a window, by layer_types.
template <class Otherwise>
bool is_sliding(const config& c, std::int64_t layers, std::int64_t i, const Otherwise& otherwise) {
  return layer_is(c, layers, i, "sliding_attention", "full_attention", otherwise);
}

/// A window in tokens; null and 0 where it is not given mean none.
inline std::int64_t window_of(const config& c, std::int64_t otherwise, std::string_view names = "sliding_window") {
  return c.is_null(names) ? 0 : c.integer(names, otherwise, 1, std::int64_t{1} << 32);
}
/// A soft cap; null means none.
inline double cap_of(const config& c, std::string_view name, double otherwise) {
  return c.is_null(name) || (!c.has(name) && otherwise == 0) ? 0 : c.positive(name, otherwise);
}
/// The number of layers.
inline std::int64_t layers_of(const config& c, std::string_view names, std::int64_t otherwise) {
  return c.integer(names, otherwise, 1, 4096);
}

/// C / H, which must be whole.
inline std::int64_t width_of_head(const config& c, std::int64_t width, std::int64_t heads) {
  if (width % heads != 0) fail(c.where(), ": hidden_size ", width, " is not a multiple of num_attention_heads ", heads);
  return width / heads;
}

// --- Tensors -----------------------------------------------------------------------------------------------------

/// A stored vector, or a matrix that is read as one.
inline vector_plan vector(const std::string& name, std::vector<std::int64_t> shape) {
  return {{{name, std::move(shape)}}};
}

/// A whole stored [rows, cols] matrix; the bias is "<name>.bias" where `bias`.
inline matrix_part all_rows(const std::string& name, std::int64_t rows, bool bias) {
  return {name + ".weight", bias ? name + ".bias" : "", rows, rows, 0, rows, rows};
}
/// One whole stored matrix.
inline linear_plan linear(const std::string& name, std::int64_t rows, std::int64_t cols, bool bias) {
  return {cols, {all_rows(name, rows, bias)}};
}
/// A table of vocabulary rows.
inline linear_plan table(const std::string& weight, std::int64_t rows, std::int64_t cols) {
  return {cols, {{weight, "", rows, rows, 0, rows, rows}}};
}
/// Rows [first, first + rows) of a stored matrix of `stored` rows.
inline matrix_part rows_of(const std::string& name, std::int64_t first, std::int64_t rows, std::int64_t stored,
                           bool bias) {
  return {name + ".weight", bias ? name + ".bias" : "", rows, stored, first, rows, rows};
}
/// q, k, v interleaved by head in one matrix: [q_h: D][k_h: D][v_h: D] for every head h.
inline linear_plan qkv_by_head(const std::string& name, const attention_plan& a, std::int64_t cols, bool bias) {
  linear_plan plan{cols, {}};
  for (std::int64_t which = 0; which < 3; ++which)
    plan.parts.push_back({name + ".weight", bias ? name + ".bias" : "", a.heads * a.head_dim, 3 * a.heads * a.head_dim,
                          which * a.head_dim, a.head_dim, 3 * a.head_dim});
  return plan;
}
/// q, k, v as three matrices.
inline linear_plan qkv_apart(const std::string& q, const std::string& k, const std::string& v, const attention_plan& a,
                             std::int64_t cols, bool bias) {
  return {cols,
          {all_rows(q, a.heads * a.head_dim, bias), all_rows(k, a.kv_heads * a.head_dim, bias),
           all_rows(v, a.kv_heads * a.head_dim, bias)}};
}
/// "<name>.weight", and "<name>.bias" where `bias`.
inline convolution_plan convolution(const std::string& name, std::int64_t channels, std::int64_t taps, bool bias) {
  return {channels, taps, vector(name + ".weight", {channels, 1, taps}),
          bias ? vector(name + ".bias", {channels}) : vector_plan{}};
}
/// A gated MLP of three matrices.
inline mlp_plan gated_mlp(const std::string& gate, const std::string& up, const std::string& down, activation act,
                          std::int64_t inner, std::int64_t width, bool bias) {
  return {
      act, true, {width, {all_rows(gate, inner, bias), all_rows(up, inner, bias)}}, linear(down, width, inner, bias)};
}

/// "<name>.weight", and "<name>.bias" where `bias`.
inline norm_plan layer_norm(const std::string& name, std::int64_t width, double epsilon, bool bias = true) {
  return {norm_kind::layer,
          width,
          epsilon,
          0,
          vector(name + ".weight", {width}),
          bias ? vector(name + ".bias", {width}) : vector_plan{}};
}
/// "<name>.weight".
inline norm_plan rms_norm(const std::string& name, std::int64_t width, double epsilon, double weight_offset = 0) {
  return {norm_kind::rms, width, epsilon, weight_offset, vector(name + ".weight", {width}), {}};
}

/// Embedding and head of a model of this vocabulary and width, without layers.
inline decoder_plan skeleton(const std::string& model_type, const std::string& prefix, std::int64_t vocab,
                             std::int64_t width, const std::string& embedding, const std::string& head, bool tied) {
  decoder_plan plan;
  plan.model_type = model_type;
  plan.prefix = prefix;
  plan.vocab = vocab;
  plan.width = width;
  plan.embedding.table = table(embedding, vocab, width);
  if (!tied) plan.head.table = table(head, vocab, width);
  return plan;
}
/// A bias on the logits. Where the head is tied, the embedding's matrix carries it; rows that are looked up do not.
inline void head_bias(decoder_plan& plan, const std::string& name) {
  (plan.tied() ? plan.embedding.table : plan.head.table).parts.front().bias = name;
}
/// The usual layer: attention, then an MLP or what takes its place, each after a norm.
inline layer_plan pre_norm_layer(norm_plan attention_norm, mixer_plan attention, norm_plan mlp_norm, mixer_plan mlp) {
  layer_plan layer;
  layer.branches.push_back({std::move(attention_norm), {}, std::move(attention), 1});
  layer.branches.push_back({std::move(mlp_norm), {}, std::move(mlp), 1});
  return layer;
}

} // namespace llmap::fields
