// The scans of Mamba and Mamba-2. Contracts: forward/ops.hpp; formulas: mamba_plan, mamba2_plan.
#pragma once
#include "llmap/core/cuda/each_element.cuh"
#include "llmap/core/cuda/numbers.cuh"
#include "llmap/forward/cuda/state_tile.cuh"
#include "llmap/forward/cuda/storage.cuh"
#include "llmap/forward/ops.hpp"
#include <cmath>

namespace llmap {

namespace gpu {

/// What a row does: states = decay * states + a x B, y = C states + d x. decay(q, j): of state j of channel q; d(q).
template <class T, class Policy, class Decay, class Direct>
__device__ void pass_states(scan_row<T, Policy>& row, scan_states<T, Policy>& states, unsigned lanes,
                            const Decay& decay, const Direct& d) {
#pragma unroll
  for (unsigned q = 0; q < Policy::channels; ++q) {
    const T dx = row.a[q] * row.x[q];
    row.y[q] = 0;
#pragma unroll
    for (unsigned j = 0; j < Policy::states; ++j) {
      states[q][j] = decay(q, j) * states[q][j] + dx * row.B[j];
      row.y[q] += row.C[j] * states[q][j];
    }
  }
  over_lanes(row.y, lanes);
#pragma unroll
  for (unsigned q = 0; q < Policy::channels; ++q) row.y[q] += d(q) * row.x[q];
}

/// selective_scan: every state decays at its own rate.
template <class T> struct selective_rule {
  matrix_view<const T> step; // (S, M), softplus already taken
  const T *rate, *d;         // (M, N): -exp(a_log); (M)
  matrix_view<T> kept;       // (M, N)

  using policy = selective_policy;
  static constexpr bool has_b = false;
  struct constants {
    T rate[policy::states], d;
  };
  template <class StateOf> __device__ constants constants_of(std::size_t m, const StateOf& n) const {
    constants c;
#pragma unroll
    for (unsigned j = 0; j < policy::states; ++j) c.rate[j] = n(j) < kept.cols ? rate[m * kept.cols + n(j)] : T(0);
    c.d = d[m];
    return c;
  }
  __device__ T a(std::size_t t, std::size_t m) const { return step(t, m); }
  __device__ T& state(std::size_t m, std::size_t n) const { return kept(m, n); }
  __device__ void advance(const constants (&c)[policy::channels], scan_states<T, policy>& states,
                          scan_row<T, policy>& row, unsigned lanes) const {
    pass_states(
        row, states, lanes, [&](unsigned q, unsigned j) { return exp(row.a[q] * c[q].rate[j]); },
        [&](unsigned q) { return c[q].d; });
  }
};

/// head_scan: one decay a head.
template <class T> struct head_rule {
  matrix_view<const T> steps; // (S, 2 H): steps, then decays
  std::size_t heads, head_dim;
  const T* d;          // (H)
  matrix_view<T> kept; // (H P, N)

  using policy = matrix_policy;
  static constexpr bool has_b = true;
  using constants = T;
  template <class StateOf> __device__ T constants_of(std::size_t m, const StateOf&) const { return d[m / head_dim]; }
  __device__ T a(std::size_t t, std::size_t m) const { return steps(t, m / head_dim); }
  __device__ T b(std::size_t t, std::size_t m) const { return steps(t, heads + m / head_dim); }
  __device__ T& state(std::size_t m, std::size_t n) const { return kept(m, n); }
  __device__ void advance(const T (&d)[policy::channels], scan_states<T, policy>& states, scan_row<T, policy>& row,
                          unsigned lanes) const {
    pass_states(
        row, states, lanes, [&](unsigned q, unsigned) { return row.b[q]; }, [&](unsigned q) { return d[q]; });
  }
};

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
  const gpu::texts_of_slab texts(exec, batch, rows);
  gpu::run_state_scan(exec, gpu::state_scan<T, gpu::selective_rule<T>>{
                                {step, rates.data(), d.data(), state}, x, B, C, x.cols, N, texts.parts(), y});
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
  const gpu::texts_of_slab texts(exec, batch, rows);
  gpu::run_state_scan(exec, gpu::state_scan<T, gpu::head_rule<T>>{
                                {steps, H, P, d.data(), state}, x, B, C, H / shape.groups * P, N, texts.parts(), y});
}

} // namespace llmap
