// norm: RMS or layer normalization of each row, or of each group of `width` channels of it; y (M, C) from x (M, C), in
// place or not. Formulas: norm_plan. A warp takes a group. Statistics are summed in double; layer norm takes the
// variance around the mean (two passes). Error: 4 eps of the working type, relative to the terms.
#pragma once
#include "llmap/core/cuda/executor.cuh"
#include "llmap/forward/cuda/storage.cuh"
#include "llmap/forward/cuda/warp_sums.cuh"
#include "llmap/forward/decoder.hpp"
#include "llmap/forward/ops.hpp"

namespace llmap {

namespace gpu {

inline constexpr unsigned warps_of_rows = 4; // of a block, for kernels in which a warp takes a row

template <class T> struct norm_operands {
  matrix_view<const T> x;
  matrix_view<T> y;
  const T *weight, *bias; // null where absent
  std::size_t width, weights, biases;
  double epsilon;
  bool layer, rounded;
};

template <class T> __global__ void __launch_bounds__(warps_of_rows * 32) norm_kernel(norm_operands<T> n) {
  const std::size_t groups = n.x.cols / n.width;
  const std::size_t number = std::size_t{blockIdx.x} * warps_of_rows + threadIdx.x / 32;
  if (number >= n.x.rows * groups) return;
  const std::size_t row = number / groups, first = number % groups * n.width;
  const T* const in = n.x.row(row) + first;
  T* const out = n.y.row(row) + first;
  // One weight per channel of a group, or one per channel of the row.
  const T* const weight = n.weight ? n.weight + (n.weights == n.x.cols ? first : 0) : nullptr;
  const T* const bias = n.bias ? n.bias + (n.biases == n.x.cols ? first : 0) : nullptr;

  const double C = static_cast<double>(n.width);
  double mean = 0;
  if (n.layer) mean = warp_sum(n.width, [&](std::size_t i) { return static_cast<double>(in[i]); }) / C;
  const double square = warp_sum(n.width, [&](std::size_t i) {
    const double off = static_cast<double>(in[i]) - mean;
    return off * off;
  });
  const double exact = 1 / sqrt(square / C + n.epsilon);
  if (n.rounded) { // to 8 bits, in double: a step is a larger error than any before it
    const auto normed = [&](std::size_t i) {
      const double v = (static_cast<double>(in[i]) - mean) * exact * (weight ? static_cast<double>(weight[i]) : 1.0);
      return bias ? v + static_cast<double>(bias[i]) : v;
    };
    const double steps = 127 / warp_most(n.width, 1e-5, [&](std::size_t i) { return fabs(normed(i)); });
    for (std::size_t i = threadIdx.x % 32; i < n.width; i += 32)
      out[i] = static_cast<T>(fmin(fmax(rint(normed(i) * steps), -128.0), 127.0) / steps);
    return;
  }
  const T factor = static_cast<T>(exact), shift = static_cast<T>(mean);
  for (std::size_t i = threadIdx.x % 32; i < n.width; i += 32) {
    const T v = (in[i] - shift) * factor;
    const T weighted = weight ? v * weight[i] : v;
    out[i] = bias ? weighted + bias[i] : weighted;
  }
}

inline unsigned blocks_of_warps(std::size_t rows, const char* what) {
  const std::size_t blocks = (rows + warps_of_rows - 1) / warps_of_rows;
  LLMAP_EXPECTS(blocks <= 0x7fffffff, what);
  return static_cast<unsigned>(blocks);
}

} // namespace gpu

template <class T>
void norm(const cuda_executor& exec, std::type_identity_t<matrix_view<const T>> x,
          const norm_weights<cuda_executor, T>& w, std::type_identity_t<matrix_view<T>> y) {
  LLMAP_EXPECTS(x.rows == y.rows && x.cols == y.cols, "norm: shapes of x and y");
  LLMAP_EXPECTS(w.width != 0 && x.cols % w.width == 0, "norm: whole groups of channels");
  if (x.rows == 0 || x.cols == 0) return;
  const unsigned blocks = gpu::blocks_of_warps(x.rows * (x.cols / w.width), "norm: groups");
  gpu::norm_kernel<T><<<blocks, gpu::warps_of_rows * 32, 0, exec.stream>>>(
      {x, y, w.weight.size() ? w.weight.data() : nullptr, w.bias.size() ? w.bias.data() : nullptr, w.width,
       w.weight.size(), w.bias.size(), w.epsilon, w.kind == norm_kind::layer, w.rounded});
  LLMAP_CUDA_CHECK(cudaGetLastError());
}

/// The same, for linear.
template <class T>
void norm(const cuda_executor& exec, std::type_identity_t<matrix_view<const T>> x,
          const norm_weights<cuda_executor, T>& w, cuda_rows<T>& y, cuda_scratch<T>&) {
  norm<T>(exec, x, w, y.reshape(x.rows, x.cols));
}

} // namespace llmap
