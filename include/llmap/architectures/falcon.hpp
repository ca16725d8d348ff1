// falcon (Falcon RW, 7B, 11B, 40B, 180B): layer norms, one fused qkv in three layouts, a plain MLP; attention and MLP
// side by side or in turn; rotary positions, or ALiBi that is rounded to bf16 and scaled with the scores.
// Source: transformers 4.57 modeling_falcon.py (its default kernel; the eager one adds ALiBi twice).
#pragma once
#include "llmap/architectures/alibi.hpp"
#include "llmap/architectures/fields.hpp"

namespace llmap {

inline decoder_plan falcon_plan(const config& c) {
  const std::int64_t C = c.integer("n_embed|hidden_size", 4544),
                     H = c.integer("num_attention_heads|n_head", 71, 1, 1 << 16);
  const bool grouped = c.boolean("new_decoder_architecture", false), one_kv = c.boolean("multi_query", true),
             parallel = grouped || c.boolean("parallel_attn", true), alibi = c.boolean("alibi", false),
             bias = c.boolean("bias", false);
  const std::int64_t G = !grouped                             ? one_kv ? 1 : H
                         : c.absent("num_kv_heads|n_head_kv") ? H
                                                              : c.integer("num_kv_heads|n_head_kv", H, 1, H);
  if (H % G != 0) fail(c.where(), ": num_attention_heads ", H, " is not a multiple of num_kv_heads ", G);
  const std::int64_t inner = c.absent("ffn_hidden_size") ? 4 * C : c.integer("ffn_hidden_size", 4 * C);
  const std::int64_t norms = c.absent("num_ln_in_parallel_attn") ? 2 : c.integer("num_ln_in_parallel_attn", 2, 1, 2);
  const double epsilon = c.positive("layer_norm_epsilon", 1e-5);
  const activation act = fields::activation_of(c, "activation", "gelu");
  decoder_plan plan =
      fields::skeleton("falcon", "transformer.", c.integer("vocab_size", 65024), C,
                       "transformer.word_embeddings.weight", "lm_head.weight", c.boolean("tie_word_embeddings", true));
  plan.context_length = c.integer("max_position_embeddings", 2048, 1, std::int64_t{1} << 32);
  for (std::int64_t i = 0, n = fields::layers_of(c, "num_hidden_layers|n_layer", 32); i < n; ++i) {
    const std::string name = "transformer.h." + std::to_string(i) + ".", at = name + "self_attention.";
    attention_plan a;
    a.heads = H, a.kv_heads = G;
    const std::int64_t D = a.head_dim = fields::width_of_head(c, C, H);
    a.scale = 1 / std::sqrt(static_cast<double>(D));
    if (alibi) a.alibi = alibi_slopes(H), a.rounded_alibi = true;
    else a.rope = fields::rope_of(c, D, plan.context_length);
    // Of each kv head its query heads, its key and its value.
    const std::int64_t Q = H / G, stored = (H + 2 * G) * D, stride = (Q + 2) * D;
    const std::string fused = at + "query_key_value";
    const auto part = [&](std::int64_t rows, std::int64_t first, std::int64_t group) {
      return matrix_part{fused + ".weight", bias ? fused + ".bias" : "", rows, stored, first, group, stride};
    };
    a.qkv = {C, {part(H * D, 0, Q * D), part(G * D, Q * D, D), part(G * D, (Q + 1) * D, D)}};
    a.out = fields::linear(at + "dense", C, C, bias);
    const auto norm = [&](const char* which) { return fields::layer_norm(name + which, C, epsilon); };
    const bool two = grouped && norms == 2;
    plan.layers.push_back(
        fields::pre_norm_layer(norm(two ? "ln_attn" : "input_layernorm"), std::move(a),
                               norm(two        ? "ln_mlp"
                                    : parallel ? "input_layernorm"
                                               : "post_attention_layernorm"),
                               mlp_plan{act, false, fields::linear(name + "mlp.dense_h_to_4h", inner, C, bias),
                                        fields::linear(name + "mlp.dense_4h_to_h", C, inner, bias)}));
    if (parallel) plan.layers.back().joined = join::side_by_side;
  }
  plan.head.norm = fields::layer_norm("transformer.ln_f", C, epsilon);
  return plan;
}

} // namespace llmap
