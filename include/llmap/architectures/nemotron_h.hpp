// nemotron_h (Nemotron-H, Nemotron Nano 2, Nemotron 3): one mixer a layer, which is a mamba2, attention without
// positions, an MLP without a gate, or a mixture of such, also in rows narrower than the model. The head is never tied.
// Source: transformers 5.24 modeling_nemotron_h.py.
#pragma once
#include "llmap/architectures/deepseek_v3.hpp"
#include "llmap/architectures/mamba2.hpp"

namespace llmap {

/// The kind of each layer, as a letter: M mamba, * attention, - mlp, E moe.
inline std::string nemotron_h_layers(const config& c) {
  static constexpr std::pair<const char*, char> words[] = {{"mamba", 'M'},     {"linear_attention", 'M'},
                                                           {"attention", '*'}, {"full_attention", '*'},
                                                           {"mlp", '-'},       {"moe", 'E'}};
  const json* list = c.find("layers_block_type");
  std::string kinds = list && !list->is_null() ? "" : c.text("hybrid_override_pattern", "");
  if (kinds.empty()) {
    if (!list || !list->items() || list->items()->empty())
      fail(c.where(), ": layers_block_type: expected a kind for every layer, or hybrid_override_pattern");
    for (const json& entry : *list->items()) {
      char kind = 0;
      for (const auto& [word, letter] : words)
        if (entry.is(word)) kind = letter;
      if (!kind) c.refuse("layers_block_type", entry, "mamba, attention, mlp or moe");
      kinds += kind;
    }
  }
  if (kinds.find_first_not_of("M*-E") != std::string::npos)
    c.refuse("hybrid_override_pattern", json(kinds), "letters M, *, - and E");
  return kinds;
}

inline decoder_plan nemotron_h_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "nemotron_h",
                                   .vocab = 131072,
                                   .inner = 21504,
                                   .kv_heads = 8,
                                   .head_dim = 128,
                                   .gated = false,
                                   .rope = rope_plan{}});
  o.act = fields::activation_of(c, "mlp_hidden_act", "relu2");
  o.mlp_bias = c.boolean("mlp_bias", false);
  const double epsilon = c.positive("layer_norm_epsilon", 1e-5);
  mamba2_options m{.heads = c.integer("mamba_num_heads", 128, 1, 1 << 16),
                   .head_dim = c.integer("mamba_head_dim", 64, 1, 1 << 16),
                   .states = c.integer("ssm_state_size", 128, 1, 1 << 12),
                   .taps = c.integer("conv_kernel|mamba_d_conv", 4, 1, 64),
                   .convolution_bias = c.boolean("use_conv_bias|mamba_conv_bias", true),
                   .act = fields::activation_of(c, "mamba_hidden_act", "silu")};
  m.groups = c.integer("n_groups|mamba_n_groups", 8, 1, m.heads);
  m.in_bias = m.out_bias = c.boolean("use_bias", false);
  const double least_step = c.positive("time_step_min|mamba_dt_min", 0.001);
  deepseek_experts e{8, 2, 1, 1, 7688, 0, 1};
  const router_plan router = read_deepseek_router(c, e);
  const std::int64_t shared = c.integer("moe_shared_expert_intermediate_size", 7688),
                     latent = c.absent("moe_latent_size") ? 0 : c.integer("moe_latent_size", 1);
  const auto mlp = [&](const std::string& at, std::int64_t inner, std::int64_t width, bool bias) {
    return mlp_plan{o.act, false, fields::linear(at + "up_proj", inner, width, bias),
                    fields::linear(at + "down_proj", width, inner, bias)};
  };

  decoder_plan plan = fields::skeleton("nemotron_h", "backbone.", o.vocab, o.width, "backbone.embeddings.weight",
                                       "lm_head.weight", false);
  plan.nested = {"model."}; // as transformers itself writes it
  plan.context_length = c.has("max_position_embeddings") ? o.positions : 0;
  const std::string kinds = nemotron_h_layers(c);
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const std::string layer = "backbone.layers." + std::to_string(i) + ".", name = layer + "mixer.";
    branch_plan branch{fields::rms_norm(layer + "norm", o.width, epsilon), {}, {}, 1};
    if (kinds[i] == 'M') {
      mamba2_plan mixer = mamba2_mixer(m, name, o.width);
      mixer.least_step = least_step;
      mixer.norm = mamba2_group_norm(m, name, epsilon);
      branch.mixer = std::move(mixer);
    } else if (kinds[i] == '*') {
      attention_plan a = llama_attention(o, name);
      a.rope.reset();
      branch.mixer = std::move(a);
    } else if (kinds[i] == '-') {
      branch.mixer = mlp(name, o.inner, o.width, o.mlp_bias);
    } else {
      mixture_plan mixer;
      mixer.router = router;
      mixer.router.logits = fields::linear(name + "gate", e.count, o.width, false);
      mixer.router.correction = fields::vector(name + "gate.e_score_correction_bias", {e.count});
      if (latent) {
        mixer.narrow = fields::linear(name + "fc1_latent_proj", latent, o.width, o.mlp_bias);
        mixer.wide = fields::linear(name + "fc2_latent_proj", o.width, latent, o.mlp_bias);
      }
      for (std::int64_t n = 0; n < e.count; ++n)
        mixer.experts.push_back(
            mlp(name + "experts." + std::to_string(n) + ".", e.inner, latent ? latent : o.width, false));
      mixer.shared = mlp(name + "shared_experts.", shared, o.width, o.mlp_bias);
      branch.mixer = std::move(mixer);
    }
    plan.layers.emplace_back().branches.push_back(std::move(branch));
  }
  plan.head.norm = fields::rms_norm("backbone.norm_f", o.width, epsilon);
  return plan;
}

} // namespace llmap
