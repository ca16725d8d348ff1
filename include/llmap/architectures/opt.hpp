// opt (OPT, Galactica, ...): learned positions that start at row 2, layer norms before or after each branch, an
// embedding that may be narrower than the model. Source: transformers 4.57 modeling_opt.py.
#pragma once
#include "llmap/architectures/fields.hpp"

namespace llmap {

/// Layers and final norm as fairseq names them: layer norms before each branch, biases everywhere (xglm, biogpt).
inline void fairseq_layers(decoder_plan& plan, const std::string& prefix, std::int64_t layers, std::int64_t heads,
                           std::int64_t inner, activation act, const config& c) {
  const std::int64_t C = plan.width;
  for (std::int64_t i = 0; i < layers; ++i) {
    const std::string name = prefix + "layers." + std::to_string(i) + ".", at = name + "self_attn.";
    attention_plan a;
    a.heads = a.kv_heads = heads;
    a.head_dim = fields::width_of_head(c, C, heads);
    a.scale = 1 / std::sqrt(static_cast<double>(a.head_dim));
    a.qkv = fields::qkv_apart(at + "q_proj", at + "k_proj", at + "v_proj", a, C, true);
    a.out = fields::linear(at + "out_proj", C, C, true);
    const mlp_plan mlp{act, false, fields::linear(name + "fc1", inner, C, true),
                       fields::linear(name + "fc2", C, inner, true)};
    plan.layers.push_back(fields::pre_norm_layer(fields::layer_norm(name + "self_attn_layer_norm", C, 1e-5),
                                                 std::move(a), fields::layer_norm(name + "final_layer_norm", C, 1e-5),
                                                 mlp));
  }
  plan.head.norm = fields::layer_norm(prefix + "layer_norm", C, 1e-5);
}

inline decoder_plan opt_plan(const config& c) {
  const std::int64_t C = c.integer("hidden_size", 768), heads = c.integer("num_attention_heads", 12, 1, 1 << 16);
  const std::int64_t vocab = c.integer("vocab_size", 50272), inner = c.integer("ffn_dim", 3072);
  const std::int64_t E = c.absent("word_embed_proj_dim") ? C : c.integer("word_embed_proj_dim", C);
  const bool before = c.boolean("do_layer_norm_before", true), bias = c.boolean("enable_bias", true);
  const bool affine = c.boolean("layer_norm_elementwise_affine", true);
  const activation act = fields::activation_of(c, "activation_function", "relu");
  const auto norm = [&](const std::string& name) {
    return affine ? fields::layer_norm(name, C, 1e-5) : norm_plan{norm_kind::layer, C, 1e-5, 0, {}, {}};
  };
  decoder_plan plan = fields::skeleton("opt", "model.", vocab, E, "model.decoder.embed_tokens.weight", "lm_head.weight",
                                       c.boolean("tie_word_embeddings", true));
  plan.width = C;
  plan.position_limit = plan.context_length = c.integer("max_position_embeddings", 2048);
  plan.embedding.positions = fields::vector("model.decoder.embed_positions.weight", {plan.position_limit + 2, C});
  plan.embedding.position_offset = 2;
  if (E != C) plan.embedding.projection = fields::linear("model.decoder.project_in", C, E, false);
  for (std::int64_t i = 0, n = fields::layers_of(c, "num_hidden_layers", 12); i < n; ++i) {
    const std::string name = "model.decoder.layers." + std::to_string(i) + ".", at = name + "self_attn.";
    attention_plan a;
    a.heads = a.kv_heads = heads;
    a.head_dim = fields::width_of_head(c, C, heads);
    a.scale = 1 / std::sqrt(static_cast<double>(a.head_dim));
    a.qkv = fields::qkv_apart(at + "q_proj", at + "k_proj", at + "v_proj", a, C, bias);
    a.out = fields::linear(at + "out_proj", C, C, bias);
    const mlp_plan mlp{act, false, fields::linear(name + "fc1", inner, C, bias),
                       fields::linear(name + "fc2", C, inner, bias)};
    layer_plan layer =
        fields::pre_norm_layer(norm(name + "self_attn_layer_norm"), std::move(a), norm(name + "final_layer_norm"), mlp);
    if (!before) {
      layer.joined = join::norm_of_sum;
      for (branch_plan& b : layer.branches) std::swap(b.before, b.after);
    }
    plan.layers.push_back(std::move(layer));
  }
  if (before && !c.boolean("_remove_final_layer_norm", false)) plan.head.norm = norm("model.decoder.final_layer_norm");
  if (E != C) plan.head.projection = fields::linear("model.decoder.project_out", E, C, false);
  return plan;
}

} // namespace llmap
