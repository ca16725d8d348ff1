// ernie4_5_moe (ERNIE-4.5-21B-A3B, 300B-A47B): an ernie4_5 with experts in some layers, chosen by a softmax with a
// correction, and shared experts; use_bias means the head too, but not the experts. Source: transformers 5.24
// modeling_ernie4_5_moe.py.
#pragma once
#include "llmap/architectures/ernie4_5.hpp"
#include "llmap/architectures/experts.hpp"

namespace llmap {

inline decoder_plan ernie4_5_moe_plan(const config& c) {
  const llama_options o = read_ernie(
      c, {.model_type = "ernie4_5_moe", .width = 2560, .inner = 12288, .layers = 28, .heads = 20, .kv_heads = 4});
  const std::int64_t experts = c.integer("moe_num_experts", 64, 1, 1 << 12),
                     inner = c.integer("moe_intermediate_size", 1536),
                     shared = c.integer("moe_num_shared_experts", 2, 0, 1 << 12);
  const std::int64_t first = c.integer("moe_layer_start_index", 1, 0, 4096),
                     end = c.integer("moe_layer_end_index", -1, -1, 4096), last = end < 0 ? o.layers - 1 : end,
                     interval = c.integer("moe_layer_interval", 1, 1, 4096);
  const router_plan router{
      .chosen = c.integer("moe_k", 6, 1, experts), .normalized = true, .least_sum = c.positive("moe_norm_min", 1e-12)};
  decoder_plan plan = llama_plan(o, [&](std::int64_t i, const std::string& name, layer_plan& layer) {
    if ((i + 1) % interval != 0 || i < first || i > last) return;
    mixture_plan m = experts_apart(o, name + "mlp.", router, experts, inner);
    m.router.correction = fields::vector(name + "mlp.moe_statics.e_score_correction_bias", {1, experts});
    const std::string at = name + "mlp.shared_experts.";
    if (shared)
      m.shared = fields::gated_mlp(at + "gate_proj", at + "up_proj", at + "down_proj", o.act, inner * shared, o.width,
                                   o.mlp_bias);
    layer.branches[1].mixer = std::move(m);
  });
  if (o.mlp_bias) fields::head_bias(plan, "lm_head.bias");
  return plan;
}

} // namespace llmap
