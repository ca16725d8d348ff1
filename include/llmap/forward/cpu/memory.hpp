// What only the CPU knows about memory: the arena of the weights, what loading takes besides them, and how many rows a
// slab should have.
#pragma once
#include "llmap/forward/cpu/pack.hpp"
#include "llmap/forward/memory_plan.hpp"

namespace llmap {

/// Activations within 16 MiB. A slab has at least 576 rows (with fewer, the matrix products wait for weights), and at
/// most 1152 (with more, a small model's activations leave the caches from op to op) or, if more, 144 per thread.
inline row_limits row_limits_of(const cpu_executor& exec) {
  const std::size_t most = static_cast<std::size_t>(std::max(24, 3 * exec.threads)) * slab_unit;
  return {.activation_bytes = std::size_t{16} << 20,
          .least = 12 * slab_unit,
          .most = most,
          .most_batch = std::max<std::size_t>(most, 4096)};
}

/// The block that `pack` takes the weights' memory from.
template <class T, tensor_source Source>
arena room_for(const cpu_executor& exec, const decoder_plan& plan, const Source& source) {
  return arena(weight_bytes<T>(exec, plan, source));
}

/// For bf16 products a matrix of more than two bytes per element is packed before it is rounded, so that the largest
/// one exists twice. Codes stay as they are.
template <class T, tensor_source Source>
std::uint64_t loading_bytes(const cpu_executor& exec, const decoder_plan& plan, const Source& source,
                            compute_type compute) {
  if (compute == compute_type::working) return 0;
  const tensor_naming names(source, plan.prefix, plan.nested);
  std::uint64_t twice = 0;
  visit_tensors(plan, [&](const auto& p, tensor_use) {
    if constexpr (std::is_same_v<std::decay_t<decltype(p)>, linear_plan>)
      if (bits_of(packed_dtype<T>(source, p, names)) > 16 && detail::panels_in_codes<T>(source, p, names).empty())
        twice = std::max(twice, packed_bytes<T>(exec, source, p, names));
  });
  return twice;
}

} // namespace llmap
