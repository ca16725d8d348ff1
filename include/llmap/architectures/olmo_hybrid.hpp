// olmo_hybrid (Olmo-Hybrid): three layers of gated delta nets, normed before each branch, then one of attention like
// those of olmo2, normed after. A rope_theta of null means no positions. Source: transformers 5.24
// modeling_olmo_hybrid.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

/// The rotation of full layers, or none.
inline std::optional<rope_plan> olmo_hybrid_rope(const config& c, std::int64_t dims, std::int64_t positions) {
  const auto parameters = c.object("rope_parameters");
  if ((parameters && parameters->is_null("rope_theta")) || c.is_null("rope_theta")) return std::nullopt;
  return fields::rope_of(c, dims, positions);
}

inline delta_plan olmo_delta(const config& c, const llama_options& o, const std::string& name) {
  delta_plan d;
  constexpr std::int64_t most = 1 << 16;
  const auto number = [&](const char* field, std::int64_t otherwise) {
    return c.absent(field) ? otherwise : c.integer(field, otherwise, 1, most);
  };
  d.key_heads = number("linear_num_key_heads", o.heads), d.value_heads = number("linear_num_value_heads", o.heads);
  d.key_dim = number("linear_key_head_dim",
                     static_cast<std::int64_t>(0.75 * static_cast<double>(o.width) / static_cast<double>(d.key_heads)));
  d.value_dim = number("linear_value_head_dim", 2 * d.key_dim);
  d.beta_scale = c.boolean("linear_allow_neg_eigval", true) ? 2 : 1;
  d.act = o.act;
  const std::int64_t K = d.key_heads * d.key_dim, V = d.value_heads * d.value_dim,
                     taps = c.integer("linear_conv_kernel_dim", 4, 1, 64);
  const auto matrix = [&](const char* which, std::int64_t rows) { return fields::all_rows(name + which, rows, false); };
  d.in = {o.width,
          {matrix("q_proj", K), matrix("k_proj", K), matrix("v_proj", V), matrix("b_proj", d.value_heads),
           matrix("a_proj", d.value_heads), matrix("g_proj", V)}};
  d.convolution = {2 * K + V,
                   taps,
                   {{{name + "q_conv1d.weight", {K, 1, taps}},
                     {name + "k_conv1d.weight", {K, 1, taps}},
                     {name + "v_conv1d.weight", {V, 1, taps}}}},
                   {}};
  d.dt_bias = fields::vector(name + "dt_bias", {d.value_heads});
  d.a_log = fields::vector(name + "A_log", {d.value_heads});
  d.norm = fields::rms_norm(name + "o_norm", d.value_dim, 1e-5); // whatever rms_norm_eps says
  d.out = fields::linear(name + "o_proj", o.width, V, false);
  return d;
}

inline decoder_plan olmo_hybrid_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "olmo_hybrid",
                                   .vocab = 100352,
                                   .width = 3840,
                                   .heads = 30,
                                   .positions = 65536,
                                   .rope = rope_plan{}});
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  const std::optional<rope_plan> rope = olmo_hybrid_rope(c, o.head_width(), o.positions);
  o.rope = rope_plan{.dims = o.head_width()};
  const std::int64_t last = o.layers - 1;
  return llama_plan(o, [&](std::int64_t i, const std::string& name, layer_plan& layer) {
    const auto norm = [&](const std::string& which, std::int64_t width) {
      return fields::rms_norm(name + which, width, o.epsilon);
    };
    const bool full = fields::layer_is(c, o.layers, i, "full_attention", "linear_attention",
                                       [&](std::int64_t j) { return j % 4 == 3 || (last < 3 && j == last); });
    if (!full) {
      layer.branches[0].before = norm("attention_layer_norm", o.width);
      layer.branches[1].before = norm("feedforward_layer_norm", o.width);
      layer.branches[0].mixer = olmo_delta(c, o, name + "linear_attn.");
      return;
    }
    attention_plan& a = attention_of(layer);
    a.rope = rope;
    a.q_norm = norm("self_attn.q_norm", a.heads * a.head_dim);
    a.k_norm = norm("self_attn.k_norm", a.kv_heads * a.head_dim);
    for (branch_plan& b : layer.branches) b.before.reset();
    layer.branches[0].after = norm("post_attention_layernorm", o.width);
    layer.branches[1].after = norm("post_feedforward_layernorm", o.width);
  });
}

} // namespace llmap
