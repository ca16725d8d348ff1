// mamba: layers of one selective scan each, no attention, no positions. Source: transformers 4.57 modeling_mamba.py; Gu
// and Dao 2023.
#pragma once
#include "llmap/architectures/fields.hpp"

namespace llmap {

/// What mamba and mamba2 share: embedding, one norm and one mixer a layer, final norm.
template <class Mixer>
decoder_plan mamba_like_plan(const config& c, const std::string& type, std::int64_t vocab, std::int64_t width,
                             std::int64_t layers, bool tied, const Mixer& mixer) {
  const std::int64_t C = c.integer("hidden_size", width);
  decoder_plan plan =
      fields::skeleton(type, "backbone.", c.integer("vocab_size", vocab), C, "backbone.embeddings.weight",
                       "lm_head.weight", c.boolean("tie_word_embeddings", tied));
  const double epsilon = c.positive("layer_norm_epsilon", 1e-5);
  for (std::int64_t i = 0, n = fields::layers_of(c, "num_hidden_layers", layers); i < n; ++i) {
    const std::string name = "backbone.layers." + std::to_string(i) + ".";
    layer_plan layer;
    layer.branches.push_back({fields::rms_norm(name + "norm", C, epsilon), {}, mixer(name + "mixer.", C, epsilon), 1});
    plan.layers.push_back(std::move(layer));
  }
  plan.head.norm = fields::rms_norm("backbone.norm_f", C, epsilon);
  return plan;
}

/// A selective scan of M channels with N states, step rank R.
inline mamba_plan selective_scan_mixer(const std::string& name, std::int64_t C, std::int64_t M, std::int64_t N,
                                       std::int64_t R, std::int64_t taps, bool convolution_bias, bool bias,
                                       activation act) {
  mamba_plan m;
  m.inner = M, m.states = N, m.rank = R, m.act = act;
  m.in = fields::linear(name + "in_proj", 2 * M, C, bias);
  m.convolution = fields::convolution(name + "conv1d", M, taps, convolution_bias);
  m.select = fields::linear(name + "x_proj", R + 2 * N, M, false);
  m.step = fields::linear(name + "dt_proj", M, R, true);
  m.a_log = fields::vector(name + "A_log", {M, N});
  m.d = fields::vector(name + "D", {M});
  m.out = fields::linear(name + "out_proj", C, M, bias);
  return m;
}
/// The rank of the step: a number, or "auto" for a sixteenth of the width.
inline std::int64_t step_rank(const config& c, const char* field, std::int64_t width) {
  const json* rank = c.find(field);
  return !rank || rank->is("auto") ? (width + 15) / 16 : c.integer(field, 1);
}

inline decoder_plan mamba_plan_of(const config& c) {
  return mamba_like_plan(c, "mamba", 50280, 768, 32, true, [&](const std::string& name, std::int64_t C, double) {
    const auto M = static_cast<std::int64_t>(c.positive("expand", 2) * static_cast<double>(C));
    return selective_scan_mixer(name, C, M, c.integer("state_size", 16, 1, 1 << 12), step_rank(c, "time_step_rank", C),
                                c.integer("conv_kernel", 4, 1, 64), c.boolean("use_conv_bias", true),
                                c.boolean("use_bias", false), fields::activation_of(c, "hidden_act", "silu"));
  });
}

} // namespace llmap
