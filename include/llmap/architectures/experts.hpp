// The mixtures of experts that several families share: where their tensors lie.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

/// Names of a gated expert's matrices.
struct expert_names {
  const char* gate = "gate_proj"; ///< (I, C)
  const char* up = "up_proj";     ///< (I, C)
  const char* down = "down_proj"; ///< (C, I)
};

/// An expert of inner width `inner`; its matrices are named `at` and then `names`.
inline mlp_plan expert(const llama_options& o, const std::string& at, std::int64_t inner, expert_names names = {}) {
  return fields::gated_mlp(at + names.gate, at + names.up, at + names.down, o.act, inner, o.width, false);
}

/// `count` experts, "<name>experts.3." and so on, chosen by "<name>gate".
inline mixture_plan experts_apart(const llama_options& o, const std::string& name, router_plan router,
                                  std::int64_t count, std::int64_t inner, expert_names names = {}) {
  mixture_plan m;
  m.router = std::move(router);
  m.router.logits = fields::linear(name + "gate", count, o.width, false);
  for (std::int64_t e = 0; e < count; ++e)
    m.experts.push_back(expert(o, name + "experts." + std::to_string(e) + ".", inner, names));
  return m;
}

/// `count` experts in two stacks: [count, 2 inner, width] with gate above up, and [count, width, inner]; or, where
/// `transposed`, their transposes.
inline std::vector<mlp_plan> stacked_experts(const llama_options& o, const std::string& in, const std::string& out,
                                             std::int64_t count, std::int64_t inner, bool transposed = false) {
  std::vector<mlp_plan> all;
  for (std::int64_t e = 0; e < count; ++e)
    all.push_back({o.act,
                   true,
                   {o.width, {{in, "", 2 * inner, 2 * inner, 0, 2 * inner, 2 * inner, transposed, count, e}}},
                   {inner, {{out, "", o.width, o.width, 0, o.width, o.width, transposed, count, e}}}});
  return all;
}

} // namespace llmap
