// A value for each row of a table: a block takes a row, each of its threads pushes every 256th column to a value of its
// own, and these merge in a tree. The order depends on the number of columns alone.
#pragma once
#include "llmap/core/cuda/buffer.cuh"
#include "llmap/core/cuda/reduce.cuh"

namespace llmap::gpu {

inline constexpr unsigned row_values_threads = 256;

template <class V, class Push>
__global__ void __launch_bounds__(row_values_threads) row_values_kernel(Push push, std::size_t cols, V* out) {
  using merged = block_merge<V, row_values_threads>;
  __shared__ typename merged::storage room;
  V own;
  for (std::size_t k = threadIdx.x; k < cols; k += row_values_threads) push(own, blockIdx.x, k);
  const V all = merged::run(room, own);
  if (threadIdx.x == 0) out[blockIdx.x] = all;
}

/// out (rows): V{} with push(value, row, column) for every column.
template <class V, class Push>
void row_values(const cuda_executor& exec, std::size_t rows, std::size_t cols, const Push& push, cuda_buffer<V>& out) {
  LLMAP_EXPECTS(rows <= 0x7fffffff, "row_values: rows");
  out.resize(exec, rows);
  if (rows == 0) return;
  row_values_kernel<<<static_cast<unsigned>(rows), row_values_threads, 0, exec.stream>>>(push, cols, out.data());
  LLMAP_CUDA_CHECK(cudaGetLastError());
}

} // namespace llmap::gpu
