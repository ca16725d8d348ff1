// qwen2_moe (Qwen1.5-MoE, Qwen2-57B-A14B): a qwen2 with mixtures of experts beside a shared expert, which has a gate
// of its own. Where use_sliding_window is true, every layer has the window, or those that layer_types names. Source:
// transformers 4.57 and 5.24 modeling_qwen2_moe.py.
#pragma once
#include "llmap/architectures/experts.hpp"
#include <algorithm>
#include <functional>

namespace llmap {

/// Whether layer i has experts by Qwen's rule: not in mlp_only_layers, and every decoder_sparse_step-th.
inline std::function<bool(std::int64_t)> qwen_sparse_layers(const config& c, std::int64_t layers,
                                                            std::int64_t experts) {
  const std::int64_t step = c.integer("decoder_sparse_step", 1, 1, 1 << 20);
  std::vector<std::int64_t> dense;
  if (const json* only = c.find("mlp_only_layers"); only && !only->is_null()) {
    if (!only->items()) c.refuse("mlp_only_layers", *only, "a list of layers");
    for (const json& i : *only->items()) {
      if (!i.integer() || *i.integer() < 0 || *i.integer() >= layers)
        c.refuse("mlp_only_layers", i, "a layer's number");
      dense.push_back(*i.integer());
    }
  }
  return [=](std::int64_t i) {
    return experts > 0 && (i + 1) % step == 0 && std::find(dense.begin(), dense.end(), i) == dense.end();
  };
}

/// The experts of a qwen: their number (0: none), inner width, and how they are chosen.
struct qwen_experts {
  std::int64_t count = 0, inner = 0, shared = 0; // shared: inner width of the shared expert, 0 for none
  router_plan router;                            ///< without its tensors

  /// Reads the fields; the numbers are their defaults.
  qwen_experts(const config& c, std::int64_t count_, std::int64_t chosen, bool normalized, std::int64_t inner_)
      : count(c.integer("num_experts|num_local_experts", count_, 0, 1 << 12)),
        inner(c.integer("moe_intermediate_size", inner_)) {
    if (count == 0) return;
    router.chosen = c.integer("num_experts_per_tok", chosen, 1, count);
    router.normalized = c.boolean("norm_topk_prob", normalized);
  }
  /// The mixture of the layer whose tensors begin with `name`.
  mixture_plan layer(const llama_options& o, const std::string& name) const {
    mixture_plan m = experts_apart(o, name + "mlp.", router, count, inner);
    if (!shared) return m;
    m.shared = expert(o, name + "mlp.shared_expert.", shared);
    m.shared_gate = fields::linear(name + "mlp.shared_expert_gate", 1, o.width, false);
    return m;
  }
};

inline decoder_plan qwen2_moe_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "qwen2_moe",
                                   .vocab = 151936,
                                   .width = 2048,
                                   .inner = 5632,
                                   .layers = 24,
                                   .heads = 16,
                                   .kv_heads = 16,
                                   .positions = 32768});
  o.act = fields::activation_of(c, "hidden_act", "silu");
  o.qkv_bias = c.boolean("qkv_bias", true);
  qwen_experts experts(c, 60, 4, false, 1408);
  experts.shared = c.integer("shared_expert_intermediate_size", 5632);
  const auto sparse = qwen_sparse_layers(c, o.layers, experts.count);
  const std::int64_t window = c.boolean("use_sliding_window", false) ? fields::window_of(c, 4096) : 0;
  return llama_plan(o, [&](std::int64_t i, const std::string& name, layer_plan& layer) {
    if (fields::is_sliding(c, o.layers, i, [](std::int64_t) { return true; })) attention_of(layer).window = window;
    if (sparse(i)) layer.branches[1].mixer = experts.layer(o, name);
  });
}

} // namespace llmap
