// What the kernels cannot compute is refused before anything is loaded.
#pragma once
#include "llmap/architectures/decoder_plan.hpp"
#include "llmap/forward/cuda/state_tile.cuh"
#include "llmap/forward/executor.hpp"
#include <variant>

namespace llmap {

/// Fails where products of this kind are not computed here, or a channel of a recurrence has more states than lanes
/// keep.
template <class T>
void check_support(const cuda_executor&, const decoder_plan& plan, compute_type compute, const std::string& where) {
  if (compute == compute_type::bf16 && !std::is_same_v<T, float>)
    fail(where, ": bf16 arithmetic: expected float sums, got another working type");
  for (std::size_t i = 0; i < plan.layers.size(); ++i) {
    const auto at_most = [&](std::size_t most, const char* mixer, std::int64_t states) {
      if (states > static_cast<std::int64_t>(most))
        fail(where, ": layer ", i, ": ", mixer, ": expected at most ", most, " states of a channel on CUDA, got ",
             states);
    };
    for (const branch_plan& branch : plan.layers[i].branches) {
      if (const auto* m = std::get_if<mamba_plan>(&branch.mixer))
        at_most(gpu::selective_policy::most_states, "mamba", m->states);
      if (const auto* m = std::get_if<mamba2_plan>(&branch.mixer))
        at_most(gpu::matrix_policy::most_states, "mamba2", m->states);
      if (const auto* d = std::get_if<delta_plan>(&branch.mixer))
        at_most(gpu::matrix_policy::most_states, "delta rule", d->key_dim);
    }
  }
}

} // namespace llmap
