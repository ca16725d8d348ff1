// falcon_h1 (Falcon-H1): attention and a mamba2 side by side after one norm, then an MLP; multipliers at every place.
// Source: transformers 5.24 modeling_falcon_h1.py.
#pragma once
#include "llmap/architectures/granitemoehybrid.hpp"

namespace llmap {

/// A list of `n` numbers, all 1 where it is missing.
inline std::vector<double> multipliers(const config& c, const char* field, std::size_t n) {
  const json* list = c.find(field);
  if (!list || list->is_null()) return std::vector<double>(n, 1.0);
  if (!list->items() || list->items()->size() != n) c.refuse(field, *list, std::to_string(n) + " numbers");
  std::vector<double> all;
  for (const json& x : *list->items()) {
    if (!x.number() || !std::isfinite(*x.number()) || *x.number() == 0) c.refuse(field, x, "numbers other than 0");
    all.push_back(*x.number());
  }
  return all;
}

inline decoder_plan falcon_h1_plan(const config& c) {
  llama_options o = read_llama(
      c,
      {.model_type = "falcon_h1", .vocab = 128000, .inner = 14336, .kv_heads = 8, .positions = 8192, .epsilon = 1e-5});
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  o.mlp_bias = c.boolean("mlp_bias", false);
  if (!c.has("rope_theta") && !(c.object("rope_parameters") && c.object("rope_parameters")->has("rope_theta")))
    fail(c.where(), ": rope_theta: missing; versions of transformers differ in what it then is (1e4, 1e5)");
  const std::int64_t inner =
      c.is_null("mamba_d_ssm") ? c.integer("mamba_expand", 2, 1, 1 << 10) * o.width : c.integer("mamba_d_ssm", 1024);
  mamba2_options m = read_mamba_fields(c, inner, o.act);
  m.out_bias = c.boolean("projectors_bias", false);
  const bool normed = c.boolean("mamba_rms_norm", false), norm_first = c.boolean("mamba_norm_before_gate", true);
  const std::vector<double> ssm = multipliers(c, "ssm_multipliers", 5), mlp = multipliers(c, "mlp_multipliers", 2);
  const double ssm_in = c.positive("ssm_in_multiplier", 1), ssm_out = c.positive("ssm_out_multiplier", 1),
               attention_in = c.positive("attention_in_multiplier", 1),
               attention_out = c.positive("attention_out_multiplier", 1), key = c.positive("key_multiplier", 1);
  o.embedding_scale = c.positive("embedding_multiplier", 1);
  decoder_plan plan = llama_plan(o, [&](std::int64_t, const std::string& name, layer_plan& layer) {
    mamba2_plan mixer = mamba2_mixer(m, name + "mamba.", o.width);
    read_step_limits(c, mixer);
    mixer.z_scale = ssm[0], mixer.x_scale = ssm[1], mixer.b_scale = ssm[2], mixer.c_scale = ssm[3],
    mixer.dt_scale = ssm[4];
    if (normed) mixer.norm = mamba2_group_norm(m, name + "mamba.", o.epsilon), mixer.norm_first = norm_first;
    const auto normed_by = [&](double scale) {
      norm_plan n = fields::rms_norm(name + "input_layernorm", o.width, o.epsilon);
      n.scale = scale;
      return n;
    };
    attention_of(layer).scale *= key; // as a factor of every key
    layer.joined = join::side_by_side;
    layer.together = 2;
    layer.branches[0].before = normed_by(attention_in);
    layer.branches[0].scale = attention_out;
    mlp_plan feed_forward = llama_mlp(o, name + "feed_forward.");
    feed_forward.gate_scale = mlp[0];
    layer.branches[1] = {normed_by(ssm_in), {}, std::move(mixer), ssm_out};
    layer.branches.push_back(
        {fields::rms_norm(name + "pre_ff_layernorm", o.width, o.epsilon), {}, std::move(feed_forward), mlp[1]});
  });
  plan.head.norm = fields::rms_norm("model.final_layernorm", o.width, o.epsilon);
  plan.head.scale = c.positive("lm_head_multiplier", 1);
  return plan;
}

} // namespace llmap
