// Runs body(row, column) for every element of a matrix: a warp takes 32 neighboring columns, so that what it reads and
// writes of a row is contiguous.
#pragma once
#include "llmap/core/cuda/executor.cuh"
#include <algorithm>
#include <cstddef>

namespace llmap::gpu {

struct element_policy {
  static constexpr unsigned columns = 32, rows = 8; // of a block
  static constexpr std::size_t most_row_blocks = 65535;
};

template <class Body>
__global__ void __launch_bounds__(element_policy::columns* element_policy::rows)
    each_element_kernel(Body body, std::size_t rows, std::size_t cols) {
  const std::size_t column = std::size_t{blockIdx.x} * element_policy::columns + threadIdx.x;
  if (column >= cols) return;
  const std::size_t step = std::size_t{gridDim.y} * element_policy::rows;
  for (std::size_t row = std::size_t{blockIdx.y} * element_policy::rows + threadIdx.y; row < rows; row += step)
    body(row, column);
}

template <class Body>
void each_element(const cuda_executor& exec, std::size_t rows, std::size_t cols, const Body& body) {
  if (rows == 0 || cols == 0) return;
  using policy = element_policy;
  const std::size_t columns = (cols + policy::columns - 1) / policy::columns;
  LLMAP_EXPECTS(columns <= 0x7fffffff, "each_element: columns");
  const std::size_t row_blocks = std::min((rows + policy::rows - 1) / policy::rows, policy::most_row_blocks);
  each_element_kernel<<<dim3(static_cast<unsigned>(columns), static_cast<unsigned>(row_blocks)),
                        dim3(policy::columns, policy::rows), 0, exec.stream>>>(body, rows, cols);
  LLMAP_CUDA_CHECK(cudaGetLastError());
}

/// Rows that a thread of each_strip goes through.
inline constexpr std::size_t strip_rows = 32;

template <class Body> struct strip_element {
  Body body;
  std::size_t rows;
  __device__ void operator()(std::size_t strip, std::size_t column) const {
    body(strip * strip_rows, min((strip + 1) * strip_rows, rows), column);
  }
};

/// Runs body(first row, end, column) for every column of strips of rows: what a column has for all of them, or of the
/// row before, is read once a strip.
template <class Body> void each_strip(const cuda_executor& exec, std::size_t rows, std::size_t cols, const Body& body) {
  each_element(exec, (rows + strip_rows - 1) / strip_rows, cols, strip_element<Body>{body, rows});
}

} // namespace llmap::gpu
