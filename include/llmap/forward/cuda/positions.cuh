// Where the rows of a slab lie in their texts, for kernels.
#pragma once
#include "llmap/core/cuda/buffer.cuh"
#include "llmap/forward/batch.hpp"

namespace llmap::gpu {

/// The position of each row of a slab in its text.
inline std::vector<std::int32_t> positions_of(const ragged_batch& batch, slab rows) {
  std::vector<std::int32_t> positions;
  positions.reserve(rows.count);
  for_parts(batch, rows, [&](std::size_t, std::size_t position, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) positions.push_back(static_cast<std::int32_t>(position + i));
  });
  return positions;
}

/// A list of the host, on the device.
template <class T> cuda_buffer<T> on_device(const cuda_executor& exec, std::span<const T> list) {
  return cuda_buffer<T>(exec, list);
}
template <class T> cuda_buffer<T> on_device(const cuda_executor& exec, const std::vector<T>& list) {
  return cuda_buffer<T>(exec, std::span<const T>(list));
}

} // namespace llmap::gpu
