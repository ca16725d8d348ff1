// glm4 (GLM-4-0414, GLM-Z1): a glm with a norm after each branch too. Source: transformers 4.57 modeling_glm4.py.
#pragma once
#include "llmap/architectures/glm.hpp"

namespace llmap {

inline decoder_plan glm4_plan(const config& c) {
  const llama_options o = read_glm(c, "glm4");
  return llama_plan(o, [&](std::int64_t, const std::string& name, layer_plan& layer) {
    layer.branches[0].after = fields::rms_norm(name + "post_self_attn_layernorm", o.width, o.epsilon);
    layer.branches[1].after = fields::rms_norm(name + "post_mlp_layernorm", o.width, o.epsilon);
  });
}

} // namespace llmap
