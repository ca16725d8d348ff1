// mamba2: layers of one scan each whose heads have one decay a token, with a norm after the gate.
// Source: transformers 4.57 modeling_mamba2.py; Dao and Gu 2024.
#pragma once
#include "llmap/architectures/mamba.hpp"

namespace llmap {

/// The limits of the step; Infinity is a number here.
inline void read_step_limits(const config& c, mamba2_plan& m) {
  const json* limits = c.find("time_step_limit");
  if (!limits || limits->is_null()) return;
  if (!limits->items() || limits->items()->size() != 2) c.refuse("time_step_limit", *limits, "two numbers");
  const auto least = (*limits->items())[0].number(), most = (*limits->items())[1].number();
  if (!least || !most || !(*least >= 0) || !(*most >= *least))
    c.refuse("time_step_limit", *limits, "two numbers, the second not below the first");
  m.least_step = *least, m.most_step = *most;
}

inline decoder_plan mamba2_plan_of(const config& c) {
  return mamba_like_plan(c, "mamba2", 32768, 4096, 64, false,
                         [&](const std::string& name, std::int64_t C, double epsilon) {
                           mamba2_plan m;
                           const std::int64_t H = m.heads = c.integer("num_heads", 128, 1, 1 << 16),
                                              P = m.head_dim = c.integer("head_dim", 64, 1, 1 << 16);
                           const std::int64_t G = m.groups = c.integer("n_groups", 8, 1, H),
                                              N = m.states = c.integer("state_size", 128, 1, 1 << 12);
                           const std::int64_t M = H * P, conv = M + 2 * G * N, stored = M + conv + H;
                           if (static_cast<std::int64_t>(c.positive("expand", 2) * static_cast<double>(C)) != M)
                             fail(c.where(), ": expand: expected expand * hidden_size to be num_heads * head_dim, ", M);
                           const bool bias = c.boolean("use_bias", false);
                           m.act = fields::activation_of(c, "hidden_act", "silu");
                           read_step_limits(c, m);
                           // Stored [z | x B C | dt]; used [x B C | dt | z].
                           m.in = {C,
                                   {fields::rows_of(name + "in_proj", M, conv + H, stored, bias),
                                    fields::rows_of(name + "in_proj", 0, M, stored, bias)}};
                           m.convolution = convolution(c, name + "conv1d", conv, "conv_kernel", "use_conv_bias");
                           m.dt_bias = fields::vector(name + "dt_bias", {H});
                           m.a_log = fields::vector(name + "A_log", {H});
                           m.d = fields::vector(name + "D", {H});
                           m.norm = fields::rms_norm(name + "norm", M, epsilon);
                           m.out = fields::linear(name + "out_proj", C, M, bias);
                           return m;
                         });
}

} // namespace llmap
