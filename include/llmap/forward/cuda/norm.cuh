// norm: RMS or layer normalization of each row, or of each group of `width` channels of it; y (M, C) from x (M, C), in
// place or not. Formulas: norm_plan. A group is read once: the threads that take it keep it in registers, up to 8192
// numbers, of double 4096. Statistics are summed in double; layer norm takes the variance around the mean. Error: 4 eps
// of the working type, relative to the terms.
#pragma once
#include "llmap/core/cuda/executor.cuh"
#include "llmap/forward/cuda/storage.cuh"
#include "llmap/forward/cuda/warp_sums.cuh"
#include "llmap/forward/decoder.hpp"
#include "llmap/forward/ops.hpp"

namespace llmap {

namespace gpu {

template <class T> struct norm_operands {
  matrix_view<const T> x;
  matrix_view<T> y;
  const T *weight, *bias; // null where absent
  std::size_t width, weights, biases;
  double epsilon;
  bool layer, rounded;
};

/// The numbers of a group that one of its threads takes: every Threads-th. The first of them stay in registers.
template <class T> inline constexpr unsigned kept_values = 64 / sizeof(T);
template <class T, unsigned Threads> class group_values {
  static constexpr unsigned kept = kept_values<T>;
  const T* in_;
  unsigned width_;
  T own_[kept];

public:
  __device__ group_values(const T* in, unsigned width) : in_(in), width_(width) {
#pragma unroll
    for (unsigned j = 0; j < kept; ++j) {
      const unsigned i = threadIdx.x % Threads + j * Threads;
      own_[j] = i < width ? in[i] : T(0);
    }
  }
  /// body(i, number i)
  template <class Body> __device__ void each(const Body& body) const {
#pragma unroll
    for (unsigned j = 0; j < kept; ++j)
      if (const unsigned i = threadIdx.x % Threads + j * Threads; i < width_) body(i, own_[j]);
#pragma unroll 1
    for (unsigned i = threadIdx.x % Threads + kept * Threads; i < width_; i += Threads) body(i, in_[i]);
  }
};

/// Threads take a group: a warp, of four in a block, or a block.
template <class T, unsigned Threads>
__global__ void __launch_bounds__(Threads == 32 ? warps_of_rows * 32 : Threads) norm_kernel(norm_operands<T> n) {
  const std::size_t groups = n.x.cols / n.width;
  const std::size_t number =
      Threads == 32 ? std::size_t{blockIdx.x} * warps_of_rows + threadIdx.x / 32 : std::size_t{blockIdx.x};
  if (number >= n.x.rows * groups) return;
  const std::size_t row = number / groups, first = number % groups * n.width;
  T* const out = n.y.row(row) + first;
  // One weight per channel of a group, or one per channel of the row.
  const T* const weight = n.weight ? n.weight + (n.weights == n.x.cols ? first : 0) : nullptr;
  const T* const bias = n.bias ? n.bias + (n.biases == n.x.cols ? first : 0) : nullptr;
  const group_values<T, Threads> values(n.x.row(row) + first, static_cast<unsigned>(n.width));
  const auto sum_of = [&](const auto& of) {
    double sum = 0;
    values.each([&](unsigned, T v) { sum += of(static_cast<double>(v)); });
    return over_group<Threads>(sum, add);
  };

  const double C = static_cast<double>(n.width), mean = n.layer ? sum_of([](double v) { return v; }) / C : 0;
  const double exact = 1 / sqrt(sum_of([&](double v) { return (v - mean) * (v - mean); }) / C + n.epsilon);
  if (n.rounded) { // to 8 bits, in double: a step is a larger error than any before it
    const auto normed = [&](unsigned i, T x) {
      const double v = (static_cast<double>(x) - mean) * exact * (weight ? static_cast<double>(weight[i]) : 1.0);
      return bias ? v + static_cast<double>(bias[i]) : v;
    };
    double most = 1e-5;
    values.each([&](unsigned i, T v) { most = fmax(most, fabs(normed(i, v))); });
    const double steps = 127 / over_group<Threads>(most, larger);
    values.each([&](unsigned i, T v) {
      out[i] = static_cast<T>(fmin(fmax(rint(normed(i, v) * steps), -128.0), 127.0) / steps);
    });
    return;
  }
  const T factor = static_cast<T>(exact), shift = static_cast<T>(mean);
  values.each([&](unsigned i, T x) {
    const T v = (x - shift) * factor;
    const T weighted = weight ? v * weight[i] : v;
    out[i] = bias ? weighted + bias[i] : weighted;
  });
}

} // namespace gpu

template <class T>
void norm(const cuda_executor& exec, std::type_identity_t<matrix_view<const T>> x,
          const norm_weights<cuda_executor, T>& w, std::type_identity_t<matrix_view<T>> y) {
  LLMAP_EXPECTS(x.rows == y.rows && x.cols == y.cols, "norm: shapes of x and y");
  LLMAP_EXPECTS(w.width != 0 && x.cols % w.width == 0, "norm: whole groups of channels");
  if (x.rows == 0 || x.cols == 0) return;
  const gpu::norm_operands<T> operands{x,
                                       y,
                                       w.weight.size() ? w.weight.data() : nullptr,
                                       w.bias.size() ? w.bias.data() : nullptr,
                                       w.width,
                                       w.weight.size(),
                                       w.bias.size(),
                                       w.epsilon,
                                       w.kind == norm_kind::layer,
                                       w.rounded};
  const std::size_t groups = x.rows * (x.cols / w.width);
  LLMAP_EXPECTS(groups <= 0x7fffffff && w.width <= 0x7fffffff, "norm: groups");
  const auto count = static_cast<unsigned>(groups); // the choice depends on the width alone
  if (w.width <= 32 * gpu::kept_values<T>) {
    const unsigned blocks = gpu::blocks_of_warps(groups, "norm: groups");
    gpu::norm_kernel<T, 32><<<blocks, gpu::warps_of_rows * 32, 0, exec.stream>>>(operands);
  } else if (w.width <= 128 * gpu::kept_values<T>) {
    gpu::norm_kernel<T, 128><<<count, 128, 0, exec.stream>>>(operands);
  } else {
    gpu::norm_kernel<T, 512><<<count, 512, 0, exec.stream>>>(operands);
  }
  LLMAP_CUDA_CHECK(cudaGetLastError());
}

/// The same, for linear.
template <class T>
void norm(const cuda_executor& exec, std::type_identity_t<matrix_view<const T>> x,
          const norm_weights<cuda_executor, T>& w, cuda_rows<T>& y, cuda_scratch<T>&) {
  norm<T>(exec, x, w, y.reshape(x.rows, x.cols));
}

} // namespace llmap
