// gptj (GPT-J 6B): attention and MLP side by side after one layer norm, a rotation of neighboring pairs in part of each
// head, a bias on the head. In half precision transformers rounds the frequencies, here they are exact.
// Source: transformers 4.57 modeling_gptj.py.
#pragma once
#include "llmap/architectures/fields.hpp"

namespace llmap {

/// What gptj and codegen share; `fill(name, a, C)` sets q, k and v of the attention.
template <class Fill> decoder_plan gptj_like_plan(const config& c, const std::string& type, const Fill& fill) {
  const std::int64_t C = c.integer("n_embd|hidden_size", 4096),
                     heads = c.integer("n_head|num_attention_heads", 16, 1, 1 << 16);
  const std::int64_t inner = c.absent("n_inner") ? 4 * C : c.integer("n_inner", 4 * C);
  const double epsilon = c.positive("layer_norm_epsilon", 1e-5);
  const activation act = fields::activation_of(c, "activation_function", "gelu_new");
  decoder_plan plan =
      fields::skeleton(type, "transformer.", c.integer("vocab_size", 50400), C, "transformer.wte.weight",
                       "lm_head.weight", c.boolean("tie_word_embeddings", false));
  fields::head_bias(plan, "lm_head.bias");
  plan.context_length = c.integer("n_positions|max_position_embeddings", 2048, 1, std::int64_t{1} << 32);
  for (std::int64_t i = 0, n = fields::layers_of(c, "n_layer|num_hidden_layers", 28); i < n; ++i) {
    const std::string name = "transformer.h." + std::to_string(i) + ".";
    attention_plan a;
    a.heads = a.kv_heads = heads;
    a.head_dim = fields::width_of_head(c, C, heads);
    a.scale = 1 / std::sqrt(static_cast<double>(a.head_dim));
    a.rope = rope_plan{.dims = c.integer("rotary_dim", 64, 2, a.head_dim), .interleaved = true};
    fill(name + "attn.", a, C);
    a.out = fields::linear(name + "attn.out_proj", C, C, false);
    const norm_plan norm = fields::layer_norm(name + "ln_1", C, epsilon);
    plan.layers.push_back(
        fields::pre_norm_layer(norm, std::move(a), norm,
                               mlp_plan{act, false, fields::linear(name + "mlp.fc_in", inner, C, true),
                                        fields::linear(name + "mlp.fc_out", C, inner, true)}));
    plan.layers.back().joined = join::side_by_side;
  }
  plan.head.norm = fields::layer_norm("transformer.ln_f", C, epsilon);
  return plan;
}

inline decoder_plan gptj_plan(const config& c) {
  return gptj_like_plan(c, "gptj", [](const std::string& name, attention_plan& a, std::int64_t C) {
    a.qkv = fields::qkv_apart(name + "q_proj", name + "k_proj", name + "v_proj", a, C, false);
  });
}

} // namespace llmap
