// deepseek_v2 (DeepSeek-V2, V2-Lite, Coder-V2): latent attention, and after some dense layers a mixture of experts with
// shared ones. The score scale carries the factor m^2 of the publisher's own code where yarn has mscale_all_dim;
// transformers leaves it out. Sources: transformers 4.57 modeling_deepseek_v2.py; DeepSeek-V2 (2024).
#pragma once
#include "llmap/architectures/experts.hpp"

namespace llmap {

/// Defaults of the sizes of latent attention.
struct latent_sizes {
  std::int64_t q_rank = 1536, kv_rank = 512, nope = 128, value = 128; ///< Lq, Lkv, N, Dv
};

inline latent_attention_plan deepseek_attention(const config& c, const llama_options& o, const rope_plan& rope,
                                                const std::string& name, const latent_sizes& sizes = {}) {
  latent_attention_plan a;
  a.heads = o.heads;
  a.nope_dim = c.integer("qk_nope_head_dim", sizes.nope, 1, 1 << 16);
  a.value_dim = c.integer("v_head_dim", sizes.value, 1, 1 << 16);
  a.rope = rope;
  const std::int64_t H = a.heads, N = a.nope_dim, R = rope.dims, V = a.value_dim,
                     latent = c.integer("kv_lora_rank", sizes.kv_rank);
  const auto newer = c.object("rope_parameters"), scaling = newer ? newer : c.object("rope_scaling");
  const double all = scaling && !scaling->absent("mscale_all_dim") ? scaling->real("mscale_all_dim", 0) : 0;
  const double sharp =
      rope.kind == rope_plan::scaling::yarn && all != 0 ? fields::yarn_sharpening(rope.factor, all) : 1;
  a.scale = sharp * sharp / std::sqrt(static_cast<double>(N + R));
  const bool bias = o.qkv_bias;
  constexpr double epsilon = 1e-6; // of the small norms, whatever rms_norm_eps says
  if (c.is_null("q_lora_rank")) {
    a.q_up = fields::linear(name + "q_proj", H * (N + R), o.width, false);
  } else {
    const std::int64_t rank = c.integer("q_lora_rank", sizes.q_rank);
    a.q_down = fields::linear(name + "q_a_proj", rank, o.width, bias);
    a.q_norm = fields::rms_norm(name + "q_a_layernorm", rank, epsilon);
    a.q_up = fields::linear(name + "q_b_proj", H * (N + R), rank, false);
  }
  a.kv_down = fields::linear(name + "kv_a_proj_with_mqa", latent + R, o.width, bias);
  a.kv_norm = fields::rms_norm(name + "kv_a_layernorm", latent, epsilon);
  a.k_up = {latent, {{name + "kv_b_proj.weight", "", H * N, H * (N + V), 0, N, N + V}}};
  a.v_up = {latent, {{name + "kv_b_proj.weight", "", H * V, H * (N + V), N, V, N + V}}};
  a.out = fields::linear(name + "o_proj", o.width, H * V, bias);
  return a;
}

inline decoder_plan deepseek_v2_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "deepseek_v2", .head_dim = 1, .rope = rope_plan{}});
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = c.boolean("attention_bias", false);
  rope_plan rope = fields::rope_of(c, c.integer("qk_rope_head_dim", 64, 2, 1 << 16), o.positions);
  rope.interleaved = true;
  const std::int64_t dense = c.integer("first_k_dense_replace", 0, 0, o.layers),
                     every = c.integer("moe_layer_freq", 1, 1, o.layers);
  const std::int64_t experts = c.integer("n_routed_experts", 64, 1, 1 << 12),
                     inner = c.integer("moe_intermediate_size", 1407);
  const std::int64_t shared = c.absent("n_shared_experts") ? 0 : c.integer("n_shared_experts", 2, 0, 1 << 12);
  const std::string method = c.text("topk_method", "greedy");
  if (method != "greedy" && method != "group_limited_greedy")
    c.refuse("topk_method", json(method), "greedy or group_limited_greedy");
  if (c.boolean("norm_topk_prob", false))
    fail(c.where(), ": norm_topk_prob: expected false, got true: transformers and the publisher's code differ in it");
  router_plan router{.chosen = c.integer("num_experts_per_tok", 0, 1, experts),
                     .scale = c.positive("routed_scaling_factor", 1)};
  if (!c.has("num_experts_per_tok")) fail(c.where(), ": num_experts_per_tok: missing");
  if (method == "group_limited_greedy")
    router.groups = c.integer("n_group", 1, 1, experts),
    router.chosen_groups = c.integer("topk_group", 1, 1, router.groups);
  return llama_plan(o, [&](std::int64_t i, const std::string& name, layer_plan& layer) {
    layer.branches[0].mixer = deepseek_attention(c, o, rope, name + "self_attn.");
    if (i < dense || i % every != 0) return;
    mixture_plan m = experts_apart(o, name + "mlp.", router, experts, inner);
    if (shared) m.shared = expert(o, name + "mlp.shared_experts.", inner * shared);
    layer.branches[1].mixer = std::move(m);
  });
}

} // namespace llmap
