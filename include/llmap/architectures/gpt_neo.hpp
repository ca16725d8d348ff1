// gpt_neo (GPT-Neo): a gpt2 with matrices stored [out, in], scores that are not scaled, and a window on its local
// layers. Source: transformers 4.57 modeling_gpt_neo.py.
#pragma once
#include "llmap/architectures/fields.hpp"

namespace llmap {

/// attention_types, [[["global", "local"], 12], ...]: whether each layer is local.
inline std::vector<bool> gpt_neo_local_layers(const config& c, std::int64_t layers) {
  std::vector<bool> local;
  const json* groups = c.find("attention_types");
  const auto wrong = [&] {
    c.refuse("attention_types", *groups, "[[[\"global\" or \"local\", ...], count], ...] of num_layers entries");
  };
  if (!groups)
    for (std::int64_t i = 0; i < layers; ++i) local.push_back(i % 2 == 1);
  else if (!groups->items()) wrong();
  else
    for (const json& group : *groups->items()) {
      if (!group.items() || group.items()->size() != 2 || !(*group.items())[0].items()) wrong();
      const std::int64_t count = (*group.items())[1].integer().value_or(-1);
      if (count < 0 || count > layers) wrong();
      for (std::int64_t n = 0; n < count; ++n)
        for (const json& kind : *(*group.items())[0].items()) {
          if (!kind.is("global") && !kind.is("local")) wrong();
          local.push_back(kind.is("local"));
        }
    }
  if (static_cast<std::int64_t>(local.size()) != layers) wrong();
  return local;
}

inline decoder_plan gpt_neo_plan(const config& c) {
  const std::int64_t C = c.integer("hidden_size", 2048),
                     heads = c.integer("num_heads|num_attention_heads", 16, 1, 1 << 16);
  const std::int64_t inner = c.absent("intermediate_size") ? 4 * C : c.integer("intermediate_size", 4 * C);
  const std::int64_t window = c.integer("window_size", 256),
                     layers = fields::layers_of(c, "num_layers|num_hidden_layers", 24);
  const double epsilon = c.positive("layer_norm_epsilon", 1e-5);
  const activation act = fields::activation_of(c, "activation_function", "gelu_new");
  decoder_plan plan =
      fields::skeleton("gpt_neo", "transformer.", c.integer("vocab_size", 50257), C, "transformer.wte.weight",
                       "lm_head.weight", c.boolean("tie_word_embeddings", true));
  plan.position_limit = plan.context_length = c.integer("max_position_embeddings", 2048);
  plan.embedding.positions = fields::vector("transformer.wpe.weight", {plan.position_limit, C});
  const std::vector<bool> local = gpt_neo_local_layers(c, layers);
  for (std::int64_t i = 0; i < layers; ++i) {
    const std::string name = "transformer.h." + std::to_string(i) + ".", at = name + "attn.attention.";
    attention_plan a;
    a.heads = a.kv_heads = heads;
    a.head_dim = fields::width_of_head(c, C, heads);
    if (local[static_cast<std::size_t>(i)]) a.window = window;
    a.qkv = fields::qkv_apart(at + "q_proj", at + "k_proj", at + "v_proj", a, C, false);
    a.out = fields::linear(at + "out_proj", C, C, true);
    const mlp_plan mlp{act, false, fields::linear(name + "mlp.c_fc", inner, C, true),
                       fields::linear(name + "mlp.c_proj", C, inner, true)};
    plan.layers.push_back(fields::pre_norm_layer(fields::layer_norm(name + "ln_1", C, epsilon), std::move(a),
                                                 fields::layer_norm(name + "ln_2", C, epsilon), mlp));
  }
  plan.head.norm = fields::layer_norm("transformer.ln_f", C, epsilon);
  return plan;
}

} // namespace llmap
