// granitemoehybrid (Granite 4.0): layers of mamba2 or attention, then a shared MLP, beside which there may be a mixture
// of experts; the multipliers of granite. Positions are rotary where position_embedding_type says so, else absent.
// Source: transformers 5.24 modeling_granitemoehybrid.py.
#pragma once
#include "llmap/architectures/granitemoe.hpp"
#include "llmap/architectures/mamba2.hpp"

namespace llmap {

/// The mamba2 of granite and falcon_h1: mamba_d_head "auto" means inner / heads.
inline mamba2_options read_mamba_fields(const config& c, std::int64_t inner, activation act) {
  mamba2_options m{.heads = c.integer("mamba_n_heads", 128, 1, 1 << 16),
                   .states = c.integer("mamba_d_state", 256, 1, 1 << 12),
                   .taps = c.integer("mamba_d_conv", 4, 1, 64),
                   .convolution_bias = c.boolean("mamba_conv_bias", true),
                   .act = act};
  m.groups = c.integer("mamba_n_groups", 1, 1, m.heads);
  m.in_bias = m.out_bias = c.boolean("mamba_proj_bias", false);
  const json* dim = c.find("mamba_d_head");
  m.head_dim = !dim || dim->is("auto") ? inner / m.heads : c.integer("mamba_d_head", 64, 1, 1 << 16);
  if (m.inner() != inner)
    fail(c.where(), ": mamba_d_head: expected mamba_n_heads * mamba_d_head to be ", inner, ", got ", m.inner());
  return m;
}

inline decoder_plan granitemoehybrid_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "granitemoehybrid"});
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  const std::int64_t experts = c.integer("num_local_experts", 8, 0, 1 << 12),
                     shared = c.integer("shared_intermediate_size", 1024);
  const std::string positions = c.absent("position_embedding_type") ? "nope" : c.text("position_embedding_type", "");
  if (positions != "rope" && positions != "nope")
    c.refuse("position_embedding_type", json(positions), "rope, nope or null");
  const auto is_mamba = [&](std::int64_t i) {
    return fields::layer_is(c, o.layers, i, "mamba|linear_attention", "attention|full_attention",
                            [](std::int64_t) { return true; });
  };
  bool any = false;
  for (std::int64_t i = 0; i < o.layers; ++i) any |= is_mamba(i);
  mamba2_options m;
  if (any) m = read_mamba_fields(c, c.integer("mamba_expand", 2, 1, 1 << 10) * o.width, o.act);
  decoder_plan plan = llama_plan(o, [&](std::int64_t i, const std::string& name, layer_plan& layer) {
    if (is_mamba(i)) {
      mamba2_plan mixer = mamba2_mixer(m, name + "mamba.", o.width);
      read_step_limits(c, mixer);
      mixer.norm = mamba2_group_norm(m, name + "mamba.", o.epsilon);
      layer.branches[0].mixer = std::move(mixer);
    } else if (positions == "nope") {
      attention_of(layer).rope.reset();
    }
    mlp_plan mlp{o.act, true, fields::linear(name + "shared_mlp.input_linear", 2 * shared, o.width, false),
                 fields::linear(name + "shared_mlp.output_linear", o.width, shared, false)};
    if (experts == 0) {
      layer.branches[1].mixer = std::move(mlp);
    } else {
      mixture_plan mixture = granite_experts(c, o, name, experts);
      mixture.shared = std::move(mlp);
      layer.branches[1].mixer = std::move(mixture);
    }
  });
  granite_scalars(c).apply(plan);
  return plan;
}

} // namespace llmap
