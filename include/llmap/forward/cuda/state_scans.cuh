// The scans of Mamba and Mamba-2: a warp takes a channel through the rows of a slab in order, its lanes the channel's
// states, which lie in `state`; lanes add up in a tree whose order depends on the number of states alone. Contracts:
// forward/ops.hpp; formulas: mamba_plan, mamba2_plan.
#pragma once
#include "llmap/core/cuda/each_element.cuh"
#include "llmap/core/cuda/numbers.cuh"
#include "llmap/forward/cuda/positions.cuh"
#include "llmap/forward/cuda/storage.cuh"
#include "llmap/forward/ops.hpp"
#include <cmath>

namespace llmap {

namespace gpu {

inline constexpr unsigned scan_warps = 4; // channels of a block

/// How far a channel's states decay, and what enters them, of selective_scan.
template <class T> struct selective_rule {
  matrix_view<const T> step; // (S, M), softplus already taken
  const T* rate;             // (M, N): -exp(a_log)
  __device__ T step_of(std::size_t t, std::size_t m) const { return step(t, m); }
  __device__ T decay_of(std::size_t t, std::size_t m, std::size_t at, T dt) const { return exp(dt * rate[at]); }
};
/// Of head_scan: one decay a head.
template <class T> struct head_rule {
  matrix_view<const T> steps; // (S, 2 H): steps, then decays
  std::size_t heads, head_dim;
  __device__ T step_of(std::size_t t, std::size_t m) const { return steps(t, m / head_dim); }
  __device__ T decay_of(std::size_t t, std::size_t m, std::size_t, T) const { return steps(t, heads + m / head_dim); }
};

template <class T, class Rule> struct state_scan {
  Rule rule;
  matrix_view<const T> x, B, C; // (S, M), (S, G N)
  const T* d;                   // of channel m: d[m / channels_of_d]
  std::size_t channels_of_d, channels_of_group, N;
  const std::int32_t* position;
  matrix_view<T> y, state; // (S, M), (M, N)
};

template <class T, class Rule>
__global__ void __launch_bounds__(scan_warps * 32) state_scan_kernel(state_scan<T, Rule> s) {
  const std::size_t m = std::size_t{blockIdx.x} * scan_warps + threadIdx.x / 32;
  if (m >= s.x.cols) return;
  const unsigned lane = threadIdx.x % 32;
  const std::size_t group = m / s.channels_of_group * s.N;
  T* const state = s.state.row(m);
  const T d = s.d[m / s.channels_of_d];
  for (std::size_t t = 0; t < s.x.rows; ++t) {
    const bool begins = s.position[t] == 0;
    const T value = s.x(t, m), dt = s.rule.step_of(t, m), dx = dt * value;
    T sum = 0;
#pragma unroll 1 // several exponentials of double at once would not fit into registers
    for (std::size_t n = lane; n < s.N; n += 32) {
      const T entering = dx * s.B(t, group + n);
      const T next = begins ? entering : s.rule.decay_of(t, m, m * s.N + n, dt) * state[n] + entering;
      state[n] = next;
      sum += s.C(t, group + n) * next;
    }
#pragma unroll
    for (unsigned offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, offset);
    if (lane == 0) s.y(t, m) = sum + d * value;
  }
}

template <class T, class Rule> void run_state_scan(const cuda_executor& exec, const state_scan<T, Rule>& scan) {
  const std::size_t blocks = (scan.x.cols + scan_warps - 1) / scan_warps;
  LLMAP_EXPECTS(blocks <= 0x7fffffff, "scan: channels");
  state_scan_kernel<<<static_cast<unsigned>(blocks), scan_warps * 32, 0, exec.stream>>>(scan);
  LLMAP_CUDA_CHECK(cudaGetLastError());
}

template <class T> struct softplus_element {
  matrix_view<T> y;
  __device__ void operator()(std::size_t r, std::size_t k) const {
    y(r, k) = static_cast<T>(softplus(static_cast<double>(y(r, k))));
  }
};
template <class T> struct rate_element {
  const T* a_log;
  matrix_view<T> rates;
  __device__ void operator()(std::size_t m, std::size_t n) const { rates(m, n) = -exp(a_log[m * rates.cols + n]); }
};
template <class T> struct head_step {
  matrix_view<const T> dt;
  const T *dt_bias, *a_log;
  double least, most;
  matrix_view<T> steps;
  __device__ void operator()(std::size_t t, std::size_t h) const {
    const double raw = softplus(static_cast<double>(dt(t, h)) + static_cast<double>(dt_bias[h]));
    const double s = raw < least ? least : most < raw ? most : raw;
    steps(t, h) = static_cast<T>(s);
    steps(t, dt.cols + h) = static_cast<T>(exp(s * -exp(static_cast<double>(a_log[h]))));
  }
};

} // namespace gpu

template <class T>
void selective_scan(const cuda_executor& exec, const ragged_batch& batch, slab rows,
                    std::type_identity_t<matrix_view<const T>> x, matrix_view<T> step,
                    std::type_identity_t<matrix_view<const T>> B, std::type_identity_t<matrix_view<const T>> C,
                    const cuda_buffer<T>& a_log, const cuda_buffer<T>& d, std::type_identity_t<matrix_view<T>> y,
                    std::type_identity_t<matrix_view<T>> state) {
  const std::size_t N = state.cols;
  LLMAP_EXPECTS(a_log.size() == state.rows * N && d.size() == x.cols && B.cols == N && C.cols == N &&
                    state.rows == x.cols && x.rows == rows.count,
                "selective_scan: shapes");
  if (x.rows == 0 || x.cols == 0) return;
  gpu::each_element(exec, step.rows, step.cols, gpu::softplus_element<T>{step});
  const cuda_buffer<T> rates(exec, a_log.size());
  gpu::each_element(exec, state.rows, N, gpu::rate_element<T>{a_log.data(), {rates.data(), state.rows, N}});
  const auto position = gpu::on_device(exec, gpu::positions_of(batch, rows));
  gpu::run_state_scan(exec, gpu::state_scan<T, gpu::selective_rule<T>>{
                                {step, rates.data()}, x, B, C, d.data(), 1, x.cols, N, position.data(), y, state});
}

template <class T>
void head_scan(const cuda_executor& exec, const head_scan_shape& shape, const ragged_batch& batch, slab rows,
               std::type_identity_t<matrix_view<const T>> x, std::type_identity_t<matrix_view<const T>> B,
               std::type_identity_t<matrix_view<const T>> C, std::type_identity_t<matrix_view<const T>> dt,
               const cuda_buffer<T>& dt_bias, const cuda_buffer<T>& a_log, const cuda_buffer<T>& d,
               std::type_identity_t<matrix_view<T>> y, std::type_identity_t<matrix_view<T>> state) {
  const std::size_t H = shape.heads, P = shape.head_dim, N = shape.states;
  LLMAP_EXPECTS(x.cols == H * P && B.cols == shape.groups * N && state.rows == x.cols && state.cols == N &&
                    dt.cols == H && x.rows == rows.count,
                "head_scan: shapes");
  if (x.rows == 0 || x.cols == 0) return;
  const cuda_buffer<T> room(exec, x.rows * 2 * H);
  const matrix_view<T> steps(room.data(), x.rows, 2 * H);
  gpu::each_element(exec, x.rows, H,
                    gpu::head_step<T>{dt, dt_bias.data(), a_log.data(), shape.least_step, shape.most_step, steps});
  const auto position = gpu::on_device(exec, gpu::positions_of(batch, rows));
  gpu::run_state_scan(exec,
                      gpu::state_scan<T, gpu::head_rule<T>>{
                          {steps, H, P}, x, B, C, d.data(), P, H / shape.groups * P, N, position.data(), y, state});
}

} // namespace llmap
