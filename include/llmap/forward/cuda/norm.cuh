// norm: RMS or layer normalization of each row, or of each group of `width` channels of it; y (M, C) from x (M, C), in
// place or not. Formulas: norm_plan. A group is read once: the threads that take it keep it in registers, up to 8192
// numbers, of double 4096; weights are read once for up to 32 rows. Statistics are summed in double; layer norm takes
// the variance around the mean. Error: 4 eps of the working type, relative to the terms.
#pragma once
#include "llmap/core/cuda/executor.cuh"
#include "llmap/forward/cuda/group_values.cuh"
#include "llmap/forward/cuda/storage.cuh"
#include "llmap/forward/decoder.hpp"
#include "llmap/forward/ops.hpp"
#include <algorithm>

namespace llmap {

namespace gpu {

template <class T> struct norm_operands {
  matrix_view<const T> x;
  matrix_view<T> y;
  const T *weight, *bias; // null where absent
  std::size_t width, weights, biases, rows_together;
  double epsilon;
  bool layer, rounded;
};

/// Weights or biases of a group, in shared memory as far as its numbers stay in registers. A thread reads what it wrote
/// itself.
template <class T, unsigned Threads> class group_weights {
  static constexpr unsigned kept = kept_values<T> * Threads;
  const T *in_, *shared_;

public:
  __device__ group_weights(const T* in, unsigned width, T* shared) : in_(in), shared_(shared) {
    if (in)
      for (unsigned i = threadIdx.x % Threads; i < min(width, kept); i += Threads) shared[i] = in[i];
  }
  __device__ explicit operator bool() const { return in_; }
  __device__ T operator[](unsigned i) const { return i < kept ? shared_[i] : in_[i]; }
};

/// Threads take the group of the same channels in several rows: a warp, of four in a block, or a block. The block has
/// shared memory for weights and biases of each group that it takes.
template <class T, unsigned Threads>
__global__ void __launch_bounds__(group_threads<Threads>, Threads == 512 ? 1 : 4) norm_kernel(norm_operands<T> n) {
  extern __shared__ __align__(16) unsigned char room[];
  const std::size_t groups = n.x.cols / n.width;
  const std::size_t number = group_number<Threads>();
  const std::size_t first = number % groups * n.width, begin = number / groups * n.rows_together,
                    end = min(begin + n.rows_together, n.x.rows);
  if (begin >= end) return;
  // One weight per channel of a group, or one per channel of the row.
  const auto width = static_cast<unsigned>(n.width), kept = min(width, kept_values<T> * Threads);
  T* const own = reinterpret_cast<T*>(room) + threadIdx.x / Threads * ((n.weight ? kept : 0) + (n.bias ? kept : 0));
  const group_weights<T, Threads> weight(n.weight && n.weights == n.x.cols ? n.weight + first : n.weight, width, own),
      bias(n.bias && n.biases == n.x.cols ? n.bias + first : n.bias, width, own + (n.weight ? kept : 0));

  const T* in = n.x.row(begin) + first;
  T* out = n.y.row(begin) + first;
#pragma unroll 1
  for (auto left = static_cast<unsigned>(end - begin); left > 0; --left, in += n.x.stride, out += n.y.stride) {
    const group_values<T, Threads> values(in, width);
    const double C = static_cast<double>(n.width),
                 mean = n.layer ? values.sum([](T v) { return static_cast<double>(v); }) / C : 0;
    const double squares = values.sum([&](T v) {
      const double off = static_cast<double>(v) - mean;
      return off * off;
    });
    const double exact = 1 / sqrt(squares / C + n.epsilon);
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
      continue;
    }
    const T factor = static_cast<T>(exact), shift = static_cast<T>(mean);
    values.each([&](unsigned i, T x) {
      const T v = (x - shift) * factor;
      const T weighted = weight ? v * weight[i] : v;
      out[i] = bias ? weighted + bias[i] : weighted;
    });
  }
}

/// Rows that a team of threads takes one after another: up to 32, while teams remain for 512 threads of each
/// multiprocessor, which its registers are enough for. `threads` are those of a team for each row. Bits do not depend
/// on it.
inline std::size_t rows_together(const cuda_executor& exec, std::size_t threads) {
  int processors = 0;
  LLMAP_CUDA_CHECK(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, exec.device));
  return std::clamp<std::size_t>(threads / (512 * static_cast<std::size_t>(processors)), 1, 32);
}

template <class T, unsigned Threads>
void launch_norm(const cuda_executor& exec, matrix_view<const T> x, const norm_weights<cuda_executor, T>& w,
                 matrix_view<T> y) {
  const std::size_t groups = x.cols / w.width, together = rows_together(exec, x.rows * groups * Threads),
                    teams = (x.rows + together - 1) / together * groups;
  const std::size_t shared = group_threads<Threads> / Threads *
                             std::min<std::size_t>(w.width, kept_values<T> * Threads) *
                             ((w.weight.size() != 0) + (w.bias.size() != 0)) * sizeof(T);
  const auto kernel = norm_kernel<T, Threads>;
  LLMAP_CUDA_CHECK(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                        cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared)));
  kernel<<<group_blocks<Threads>(teams, w.width, "norm: groups"), group_threads<Threads>, shared, exec.stream>>>(
      {x, y, w.weight.size() ? w.weight.data() : nullptr, w.bias.size() ? w.bias.data() : nullptr, w.width,
       w.weight.size(), w.bias.size(), together, w.epsilon, w.kind == norm_kind::layer, w.rounded});
  LLMAP_CUDA_CHECK(cudaGetLastError());
}

} // namespace gpu

template <class T>
void norm(const cuda_executor& exec, std::type_identity_t<matrix_view<const T>> x,
          const norm_weights<cuda_executor, T>& w, std::type_identity_t<matrix_view<T>> y) {
  LLMAP_EXPECTS(x.rows == y.rows && x.cols == y.cols, "norm: shapes of x and y");
  LLMAP_EXPECTS(w.width != 0 && x.cols % w.width == 0, "norm: whole groups of channels");
  if (x.rows == 0 || x.cols == 0) return;
  gpu::by_width<T>(w.width, [&]<unsigned Threads>() { gpu::launch_norm<T, Threads>(exec, x, w, y); });
}

/// The same, for linear.
template <class T>
void norm(const cuda_executor& exec, std::type_identity_t<matrix_view<const T>> x,
          const norm_weights<cuda_executor, T>& w, cuda_rows<T>& y, cuda_scratch<T>&) {
  norm<T>(exec, x, w, y.reshape(x.rows, x.cols));
}

} // namespace llmap
