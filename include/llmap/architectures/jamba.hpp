// jamba (Jamba): layers of mamba with norms on its step, B and C, or of attention without positions; every so many have
// a mixture of experts instead of the MLP. Source: transformers 5.24 modeling_jamba.py.
#pragma once
#include "llmap/architectures/experts.hpp"
#include "llmap/architectures/mamba.hpp"

namespace llmap {

inline decoder_plan jamba_plan(const config& c) {
  llama_options o = read_llama(
      c,
      {.model_type = "jamba", .vocab = 65536, .inner = 14336, .kv_heads = 8, .positions = 262144, .rope = rope_plan{}});
  o.act = fields::activation_of(c, "hidden_act", "silu");
  const std::int64_t experts = c.integer("num_experts", 16, 1, 1 << 12),
                     chosen = c.integer("num_experts_per_tok", 2, 1, experts);
  constexpr std::int64_t most = 1 << 20;
  const std::int64_t expert_period = c.integer("expert_layer_period", 2, 1, most),
                     expert_offset = c.integer("expert_layer_offset", 1, 0, most),
                     attention_period = c.integer("attn_layer_period", 8, 1, most),
                     attention_offset = c.integer("attn_layer_offset", 4, 0, most);
  const std::int64_t M = c.integer("mamba_expand", 2, 1, 1 << 10) * o.width,
                     N = c.integer("mamba_d_state", 16, 1, 1 << 12), R = step_rank(c, "mamba_dt_rank", o.width),
                     taps = c.integer("mamba_d_conv", 4, 1, 64);
  const bool conv_bias = c.boolean("mamba_conv_bias", true), bias = c.boolean("mamba_proj_bias", false);
  decoder_plan plan = llama_plan(o, [&](std::int64_t i, const std::string& name, layer_plan& layer) {
    attention_of(layer).rope.reset();
    if (i % attention_period != attention_offset) {
      mamba_plan m = selective_scan_mixer(name + "mamba.", o.width, M, N, R, taps, conv_bias, bias, o.act);
      m.step_norm = fields::rms_norm(name + "mamba.dt_layernorm", R, o.epsilon);
      m.b_norm = fields::rms_norm(name + "mamba.b_layernorm", N, o.epsilon);
      m.c_norm = fields::rms_norm(name + "mamba.c_layernorm", N, o.epsilon);
      layer.branches[0].mixer = std::move(m);
    }
    layer.branches[1].before = fields::rms_norm(name + "pre_ff_layernorm", o.width, o.epsilon);
    const std::string ff = name + "feed_forward.";
    if (experts == 1 || i % expert_period != expert_offset) {
      layer.branches[1].mixer = llama_mlp(o, ff);
      return;
    }
    mixture_plan mixture = experts_apart(o, ff, {.chosen = chosen}, experts, o.inner);
    mixture.router.logits = fields::linear(ff + "router", experts, o.width, false);
    layer.branches[1].mixer = std::move(mixture);
  });
  plan.head.norm = fields::rms_norm("model.final_layernorm", o.width, o.epsilon);
  return plan;
}

} // namespace llmap
