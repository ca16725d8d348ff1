// gpt2: learned positions, layer norms, plain MLP, matrices stored [in, out] (Conv1D). The score flags
// scale_attn_weights and scale_attn_by_inverse_layer_idx are honored as the eager path of transformers does;
// reorder_and_upcast_attn changes rounding only. Source: transformers 4.57 modeling_gpt2.py.
#pragma once
#include "llmap/architectures/fields.hpp"

namespace llmap {

/// What gpt2 and gpt_bigcode share: names, and all but the layout of the matrices. `adjust(attention, name)` comes
/// last.
template <class Adjust>
decoder_plan gpt2_like_plan(const config& c, const std::string& type, const char* usual_activation, bool transposed,
                            const Adjust& adjust) {
  const std::int64_t C = c.integer("n_embd|hidden_size", 768),
                     heads = c.integer("n_head|num_attention_heads", 12, 1, 1 << 16);
  const std::int64_t inner = c.absent("n_inner") ? 4 * C : c.integer("n_inner", 4 * C);
  const double epsilon = c.positive("layer_norm_epsilon", 1e-5);
  const activation act = fields::activation_of(c, "activation_function", usual_activation);
  const bool scaled = c.boolean("scale_attn_weights", true),
             by_layer = c.boolean("scale_attn_by_inverse_layer_idx", false);
  if (c.boolean("add_cross_attention", false)) fail(c.where(), ": add_cross_attention: expected false, got true");
  decoder_plan plan =
      fields::skeleton(type, "transformer.", c.integer("vocab_size", 50257), C, "transformer.wte.weight",
                       "lm_head.weight", c.boolean("tie_word_embeddings", true));
  plan.position_limit = plan.context_length = c.integer("n_positions|max_position_embeddings", 1024);
  plan.embedding.positions = fields::vector("transformer.wpe.weight", {plan.position_limit, C});
  const auto linear = [&](const std::string& name, std::int64_t rows, std::int64_t cols) {
    return linear_plan{cols, {{name + ".weight", name + ".bias", rows, rows, 0, rows, rows, transposed}}};
  };
  for (std::int64_t i = 0, n = fields::layers_of(c, "n_layer|num_hidden_layers", 12); i < n; ++i) {
    const std::string name = "transformer.h." + std::to_string(i) + ".";
    attention_plan a;
    a.heads = a.kv_heads = heads;
    a.head_dim = fields::width_of_head(c, C, heads);
    a.scale =
        (scaled ? 1 / std::sqrt(static_cast<double>(a.head_dim)) : 1.0) / (by_layer ? static_cast<double>(i + 1) : 1.0);
    a.qkv = linear(name + "attn.c_attn", 3 * C, C);
    a.out = linear(name + "attn.c_proj", C, C);
    adjust(a, name);
    const mlp_plan mlp{act, false, linear(name + "mlp.c_fc", inner, C), linear(name + "mlp.c_proj", C, inner)};
    plan.layers.push_back(fields::pre_norm_layer(fields::layer_norm(name + "ln_1", C, epsilon), std::move(a),
                                                 fields::layer_norm(name + "ln_2", C, epsilon), mlp));
  }
  plan.head.norm = fields::layer_norm("transformer.ln_f", C, epsilon);
  return plan;
}

inline decoder_plan gpt2_plan(const config& c) {
  return gpt2_like_plan(c, "gpt2", "gelu_new", true, [](attention_plan&, const std::string&) {}); // stored [in, out]
}

} // namespace llmap
