// hunyuan_v1_dense (Hunyuan 0.5B to 7B): a llama whose q and k are normed after the rotation. Its dynamic rotation with
// alpha has one base for every length. Source: transformers 4.57 modeling_hunyuan_v1_dense.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

/// theta alpha^(r / (r - 2)) where the kind is dynamic and alpha is given; else as for any llama.
inline rope_plan hunyuan_rope(const config& c, std::int64_t dims, std::int64_t positions) {
  const auto newer = c.object("rope_parameters"), scaling = newer ? newer : c.object("rope_scaling");
  if (!scaling || scaling->text("type|rope_type", "default") != "dynamic" || scaling->absent("alpha"))
    return fields::rope_of(c, dims, positions);
  const double r = static_cast<double>(dims), theta = scaling->positive("rope_theta", c.positive("rope_theta", 10000));
  return {.dims = dims, .theta = theta * std::pow(scaling->positive("alpha", 1), r / (r - 2))};
}

inline decoder_plan hunyuan_v1_dense_plan(const config& c) {
  llama_options o =
      read_llama(c, {.model_type = "hunyuan_v1_dense", .vocab = 290943, .epsilon = 1e-5, .rope = rope_plan{}});
  o.rope = hunyuan_rope(c, o.head_width(), o.positions);
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  return llama_plan(o, [&](std::int64_t, const std::string& name, layer_plan& layer) {
    attention_plan& a = attention_of(layer);
    a.norm_after_rotation = true;
    a.q_norm = fields::rms_norm(name + "self_attn.query_layernorm", a.head_dim, o.epsilon);
    a.k_norm = fields::rms_norm(name + "self_attn.key_layernorm", a.head_dim, o.epsilon);
  });
}

} // namespace llmap
