// cross_entropy on a GPU: log p(target) from logits that are already there.
//   log p_t = z_t - log sum_v exp(z_v),  z = cap(scale * logits),  logits (M, V) in double, float, bf16 or f16; nats,
//   double
// A block takes a row, once: 4 KiB at a time come by cp.async, aligned, whatever the alignment of the row; a thread
// takes every 256th element. Which thread sums what depends on V alone, so that a row has the same bits wherever it
// lies. Terms are in double where the logits are, else in float, summed with a carry (Kahan 1965); threads merge in
// double. Error: 8 eps of the sum's logarithm, beside the rounding of z. -infinity is probability 0; a NaN or +infinity
// among the logits of a row gives NaN. A target outside [0, V) gives NaN: targets lie on the device, where nobody looks
// first.
#pragma once
#include "llmap/core/cuda/executor.cuh"
#include "llmap/core/cuda/numbers.cuh"
#include "llmap/core/cuda/reduce.cuh"
#include "llmap/core/view.hpp"
#include "llmap/forward/head_options.hpp"
#include "llmap/likelihood/log_sum_exp.hpp"
#include <cstdint>
#include <cuda_pipeline_primitives.h>
#include <span>

namespace llmap {

namespace gpu {

/// log sum exp of what one thread sees, a group of terms at a time.
template <class T> struct running_sum {
  T m = log_sum_exp<T>::none, s = 0, carry = 0;

  template <int N> __device__ void push(const T (&z)[N]) {
    T most = m;
#pragma unroll
    for (int i = 0; i < N; ++i) most = max(most, z[i]); // a NaN is not taken, but comes in with the sum
    const T shift = most == log_sum_exp<T>::none ? T(0) : most;
    if (most > m) {
      const T factor = exp_below(m - shift);
      s *= factor, carry *= factor, m = most;
    }
    T sum = 0;
#pragma unroll
    for (int i = 0; i < N; ++i) sum += exp_below(z[i] - shift); // of +infinity: NaN
    const T term = sum - carry, total = s + term;
    carry = (total - s) - term;
    s = total;
  }
  __device__ log_sum_exp<double> value() const {
    const double sum = static_cast<double>(s) - static_cast<double>(carry);
    return {sum != sum ? sum : static_cast<double>(m), sum};
  }
};

struct cross_entropy_policy {
  static constexpr int threads = 256;
  static constexpr unsigned window = threads * 16; // bytes that a block fetches at once, 16 a thread
  static constexpr unsigned windows = 4;           // of the ring in shared memory; two are on their way
};

template <class Stored>
__global__ void __launch_bounds__(cross_entropy_policy::threads)
    cross_entropy_kernel(const Stored* logits, std::size_t stride, std::size_t V, const std::int32_t* targets,
                         logit_of<working_t<Stored>> logit, double* log_probability) {
  using T = working_t<Stored>;
  using policy = cross_entropy_policy;
  using merged = block_merge<log_sum_exp<double>, policy::threads>;
  constexpr unsigned ring_bytes = policy::window * policy::windows;
  constexpr unsigned elements = policy::window / sizeof(Stored); // of a window
  constexpr int each = elements / policy::threads;
  alignas(16) __shared__ unsigned char ring[ring_bytes];
  __shared__ typename merged::storage room;

  const Stored* const row = logits + blockIdx.x * stride;
  const unsigned thread = threadIdx.x;
  const unsigned before = static_cast<unsigned>(reinterpret_cast<std::uintptr_t>(row) % 16); // bytes
  const unsigned char* const start = reinterpret_cast<const unsigned char*>(row) - before;
  const std::size_t end = before + V * sizeof(Stored);

  const auto fetch = [&](std::size_t window) {
    const std::size_t at = window * policy::window + thread * 16;
    if (at == 0 && before != 0) { // what lies before the row is not ours to read
      for (unsigned b = before; b < 16 && b < end; b += sizeof(Stored))
        *reinterpret_cast<Stored*>(ring + b) = *reinterpret_cast<const Stored*>(start + b);
    } else if (at < end) {
      const std::size_t left = end - at;
      __pipeline_memcpy_async(ring + at % ring_bytes, start + at, 16, left < 16 ? 16 - left : 0);
    }
    __pipeline_commit();
  };

  for (unsigned w = 0; w + 1 < policy::windows; ++w) fetch(w);
  running_sum<T> sum;
  const std::size_t chunks = (V + elements - 1) / elements;
  for (std::size_t k = 0; k < chunks; ++k) {
    __pipeline_wait_prior(policy::windows - 3); // the windows k and k + 1 of this thread are there
    __syncthreads();                            // those of all; and all are done with window k - 1
    fetch(k + policy::windows - 1);
    T z[each];
#pragma unroll
    for (int i = 0; i < each; ++i) {
      const std::size_t v = k * elements + i * policy::threads + thread;
      z[i] = v < V ? logit(widen(*reinterpret_cast<const Stored*>(ring + (before + v * sizeof(Stored)) % ring_bytes)))
                   : log_sum_exp<T>::none;
    }
    sum.push(z);
  }
  const log_sum_exp<double> all = merged::run(room, sum.value());
  if (thread == 0) {
    const std::int32_t target = targets[blockIdx.x];
    const bool valid = target >= 0 && static_cast<std::size_t>(target) < V;
    log_probability[blockIdx.x] =
        valid ? all.log_share(static_cast<double>(logit(widen(row[target])))) : log_sum_exp<double>::nan;
  }
}

} // namespace gpu

/// All views and spans lie on the device.
template <class Stored>
void cross_entropy(const cuda_executor& exec, matrix_view<Stored> logits, std::span<const std::int32_t> targets,
                   const head_options& options, std::span<double> log_probability) {
  using element = std::remove_const_t<Stored>;
  using T = gpu::working_t<element>;
  LLMAP_EXPECTS(targets.size() == logits.rows && log_probability.size() == logits.rows,
                "cross_entropy: a target a row");
  if (logits.rows == 0) return;
  LLMAP_EXPECTS(logits.cols > 0 && logits.rows <= 0x7fffffff, "cross_entropy: shapes");
  const gpu::logit_of<T> logit{static_cast<T>(options.scale), static_cast<T>(options.softcap)};
  gpu::cross_entropy_kernel<element>
      <<<static_cast<unsigned>(logits.rows), gpu::cross_entropy_policy::threads, 0, exec.stream>>>(
          logits.data, logits.stride, logits.cols, targets.data(), logit, log_probability.data());
  LLMAP_CUDA_CHECK(cudaGetLastError());
}

} // namespace llmap
