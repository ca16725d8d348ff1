// mamba2: layers of one scan each whose heads have one decay a token, with a norm of each group after the gate.
// transformers 4.57 takes the groups together, unlike mamba_ssm, vLLM and transformers 5.
// Source: transformers 5.24 modeling_mamba2.py; mamba_ssm mamba2.py; Dao and Gu 2024.
#pragma once
#include "llmap/architectures/mamba.hpp"

namespace llmap {

/// A limit; transformers 5 writes {"__float__": "Infinity"} for an infinite one.
inline std::optional<double> step_limit(const json& v) {
  const json* name = v.find("__float__");
  return name && name->is("Infinity") ? std::numeric_limits<double>::infinity() : v.number();
}
/// The limits of the step; Infinity is a number here.
inline void read_step_limits(const config& c, mamba2_plan& m) {
  const json* limits = c.find("time_step_limit");
  if (!limits || limits->is_null()) return;
  if (!limits->items() || limits->items()->size() != 2) c.refuse("time_step_limit", *limits, "two numbers");
  const auto least = step_limit((*limits->items())[0]), most = step_limit((*limits->items())[1]);
  if (!least || !most || !(*least >= 0) || !(*most >= *least))
    c.refuse("time_step_limit", *limits, "two numbers, the second not below the first");
  m.least_step = *least, m.most_step = *most;
}

/// A mamba2 mixer in numbers.
struct mamba2_options {
  std::int64_t heads = 0, head_dim = 0, groups = 1, states = 0, taps = 4; ///< as in mamba2_plan and convolution_plan
  bool convolution_bias = true, in_bias = false, out_bias = false;        ///< which have biases
  activation act = activation::silu;                                      ///< as in mamba2_plan

  std::int64_t inner() const { return heads * head_dim; } ///< M
};

/// Its tensors; a norm, and limits of the step, are the families' to add.
inline mamba2_plan mamba2_mixer(const mamba2_options& o, const std::string& name, std::int64_t C) {
  mamba2_plan m;
  m.heads = o.heads, m.head_dim = o.head_dim, m.groups = o.groups, m.states = o.states, m.act = o.act;
  const std::int64_t M = o.inner(), conv = M + 2 * o.groups * o.states, stored = M + conv + o.heads;
  // Stored [z | x B C | dt]; used [x B C | dt | z].
  m.in = {C,
          {fields::rows_of(name + "in_proj", M, conv + o.heads, stored, o.in_bias),
           fields::rows_of(name + "in_proj", 0, M, stored, o.in_bias)}};
  m.convolution = fields::convolution(name + "conv1d", conv, o.taps, o.convolution_bias);
  m.dt_bias = fields::vector(name + "dt_bias", {o.heads});
  m.a_log = fields::vector(name + "A_log", {o.heads});
  m.d = fields::vector(name + "D", {o.heads});
  m.out = fields::linear(name + "out_proj", C, M, o.out_bias);
  return m;
}
/// RMS norm of each group of its channels by itself.
inline norm_plan mamba2_group_norm(const mamba2_options& o, const std::string& name, double epsilon) {
  norm_plan n = fields::rms_norm(name + "norm", o.inner(), epsilon);
  n.width = o.inner() / o.groups;
  return n;
}

inline decoder_plan mamba2_plan_of(const config& c) {
  return mamba_like_plan(
      c, "mamba2", 32768, 4096, 64, false, [&](const std::string& name, std::int64_t C, double epsilon) {
        mamba2_options o{.heads = c.integer("num_heads", 128, 1, 1 << 16),
                         .head_dim = c.integer("head_dim", 64, 1, 1 << 16),
                         .states = c.integer("state_size", 128, 1, 1 << 12),
                         .taps = c.integer("conv_kernel", 4, 1, 64),
                         .convolution_bias = c.boolean("use_conv_bias", true),
                         .act = fields::activation_of(c, "hidden_act", "silu")};
        o.groups = c.integer("n_groups", 8, 1, o.heads);
        o.in_bias = o.out_bias = c.boolean("use_bias", false);
        if (static_cast<std::int64_t>(c.positive("expand", 2) * static_cast<double>(C)) != o.inner())
          fail(c.where(), ": expand: expected expand * hidden_size to be num_heads * head_dim, ", o.inner());
        mamba2_plan m = mamba2_mixer(o, name, C);
        read_step_limits(c, m);
        m.norm = mamba2_group_norm(o, name, epsilon);
        return m;
      });
}

} // namespace llmap
