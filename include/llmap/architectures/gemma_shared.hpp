// What gemma3n and gemma4 share: scores that are not scaled with q, k and v normed, layers that use the keys of earlier
// ones, and an input of its own that each layer has for every token.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

/// The number under which layer i keeps its keys and values, or finds those of an earlier layer; 0 for none. The layers
/// from `kept` on use those of the last layer of their kind before `kept`.
template <class IsSliding>
std::int64_t kept_number(std::int64_t i, std::int64_t kept, std::int64_t layers, const IsSliding& is_sliding) {
  if (kept == layers) return 0;
  for (std::int64_t j = i + 1; j < kept; ++j)
    if (is_sliding(j) == is_sliding(i)) return 0;
  return is_sliding(i) ? 1 : 2;
}

/// Norms of q, k and v of each head, that of v without weights. Where keys are used again only q is computed.
inline void norm_unscaled_attention(attention_plan& a, const std::string& name, double epsilon) {
  a.scale = 1;
  a.q_norm = fields::rms_norm(name + "q_norm", a.head_dim, epsilon);
  if (a.reuses) {
    a.qkv.parts.resize(1);
    return;
  }
  a.k_norm = fields::rms_norm(name + "k_norm", a.head_dim, epsilon);
  a.v_norm = norm_plan{norm_kind::rms, a.head_dim, epsilon, 0, {}, {}};
}

/// The inputs of all layers, p columns each, from the first `rows` of a table of `stored` rows.
inline layer_inputs_plan gemma_inputs(const llama_options& o, std::int64_t p, std::int64_t rows, std::int64_t stored) {
  layer_inputs_plan in;
  const std::int64_t all = o.layers * p;
  in.table = {all, {{"model.embed_tokens_per_layer.weight", "", rows, stored, 0, rows, rows}}};
  in.scale = std::sqrt(static_cast<double>(p) / 2);
  in.projection = fields::linear("model.per_layer_model_projection", all, o.width, false);
  // The projection is divided by sqrt(C) before its norm, which leaves nothing of it but a larger epsilon.
  in.norm = fields::rms_norm("model.per_layer_projection_norm", p, o.epsilon * static_cast<double>(o.width));
  in.norm.scale = std::sqrt(0.5);
  return in;
}
/// The branch of layer i that reads its own p columns of the layer inputs.
inline branch_plan gemma_input(const llama_options& o, const std::string& name, std::int64_t i, std::int64_t p) {
  const layer_input_plan own{o.act, i * p, fields::linear(name + "per_layer_input_gate", p, o.width, false),
                             fields::linear(name + "per_layer_projection", o.width, p, false)};
  return {{}, fields::rms_norm(name + "post_per_layer_input_norm", o.width, o.epsilon), own, 1};
}

} // namespace llmap
