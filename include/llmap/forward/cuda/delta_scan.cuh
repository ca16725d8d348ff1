// delta_scan: the gated delta rule. Queries and keys are made unit vectors first, by a warp each. A column of
// a head's matrix depends on no other column: it is a channel, its rows the channel's states. Contract:
// forward/ops.hpp; formulas: delta_plan.
#pragma once
#include "llmap/core/cuda/each_element.cuh"
#include "llmap/core/cuda/numbers.cuh"
#include "llmap/forward/cuda/state_tile.cuh"
#include "llmap/forward/cuda/storage.cuh"
#include "llmap/forward/cuda/warp_sums.cuh"
#include "llmap/forward/ops.hpp"

namespace llmap {

namespace gpu {

/// y = x / |x| * length of each group of `width` columns.
template <class T>
__global__ void __launch_bounds__(warps_of_rows * 32)
    unit_vectors_kernel(matrix_view<const T> x, std::size_t width, double length, matrix_view<T> y) {
  const std::size_t groups = x.cols / width;
  const std::size_t number = std::size_t{blockIdx.x} * warps_of_rows + threadIdx.x / 32;
  if (number >= x.rows * groups) return;
  const std::size_t first = number % groups * width;
  const T* const from = x.row(number / groups) + first;
  T* const to = y.row(number / groups) + first;
  const double square = 1e-6 + warp_sum(width, [&](std::size_t i) {
                          return static_cast<double>(from[i]) * static_cast<double>(from[i]);
                        });
  const T factor = static_cast<T>(length / sqrt(square));
  for (std::size_t i = threadIdx.x % 32; i < width; i += 32) to[i] = from[i] * factor;
}

template <class T> struct delta_gate {
  matrix_view<const T> b, a;
  const T *dt_bias, *a_log;
  double beta_scale;
  matrix_view<T> gates; // (S, 2 H): decays, then betas
  __device__ void operator()(std::size_t t, std::size_t h) const {
    const double step = softplus(static_cast<double>(a(t, h)) + static_cast<double>(dt_bias[h]));
    gates(t, h) = static_cast<T>(exp(-exp(static_cast<double>(a_log[h])) * step));
    gates(t, b.cols + h) = static_cast<T>(beta_scale * sigmoid(static_cast<double>(b(t, h))));
  }
};

template <class T> struct delta_rule {
  matrix_view<const T> gates; // (S, 2 H): decays, then betas
  std::size_t Dk, Dv;
  matrix_view<T> kept; // (H Dk, Dv)

  using policy = matrix_policy;
  static constexpr bool has_b = true;
  struct constants {};
  template <class StateOf> __device__ constants constants_of(std::size_t, const StateOf&) const { return {}; }
  __device__ T a(std::size_t t, std::size_t m) const { return gates(t, gates.cols / 2 + m / Dv); }
  __device__ T b(std::size_t t, std::size_t m) const { return gates(t, m / Dv); }
  __device__ T& state(std::size_t m, std::size_t n) const { return kept(m / Dv * Dk + n, m % Dv); }
  __device__ void advance(const constants (&)[policy::channels], scan_states<T, policy>& states,
                          scan_row<T, policy>& row, unsigned lanes) const {
    T held[policy::channels]; // what the decayed matrix has for the key
#pragma unroll
    for (unsigned q = 0; q < policy::channels; ++q) {
      held[q] = 0;
#pragma unroll
      for (unsigned j = 0; j < policy::states; ++j) {
        states[q][j] *= row.b[q];
        held[q] += row.B[j] * states[q][j];
      }
    }
    over_lanes(held, lanes);
#pragma unroll
    for (unsigned q = 0; q < policy::channels; ++q) {
      const T change = row.a[q] * (row.x[q] - held[q]);
      row.y[q] = 0;
#pragma unroll
      for (unsigned j = 0; j < policy::states; ++j) {
        states[q][j] += row.B[j] * change;
        row.y[q] += row.C[j] * states[q][j];
      }
    }
    over_lanes(row.y, lanes);
  }
};

template <class T>
void unit_vectors(const cuda_executor& exec, matrix_view<const T> x, std::size_t width, double length,
                  matrix_view<T> y) {
  const unsigned blocks = blocks_of_warps(x.rows * (x.cols / width), "delta_scan: rows");
  unit_vectors_kernel<T><<<blocks, warps_of_rows * 32, 0, exec.stream>>>(x, width, length, y);
  LLMAP_CUDA_CHECK(cudaGetLastError());
}

} // namespace gpu

template <class T>
void delta_scan(const cuda_executor& exec, const delta_shape& shape, const ragged_batch& batch, slab rows,
                std::type_identity_t<matrix_view<const T>> q, std::type_identity_t<matrix_view<const T>> k,
                std::type_identity_t<matrix_view<const T>> v, std::type_identity_t<matrix_view<const T>> b,
                std::type_identity_t<matrix_view<const T>> a, const cuda_buffer<T>& dt_bias,
                const cuda_buffer<T>& a_log, std::type_identity_t<matrix_view<T>> y,
                std::type_identity_t<matrix_view<T>> state) {
  const std::size_t H = shape.value_heads, Dk = shape.key_dim, Dv = shape.value_dim, S = v.rows, keys = q.cols;
  LLMAP_EXPECTS(keys == shape.key_heads * Dk && k.cols == keys && v.cols == H * Dv && b.cols == H && a.cols == H &&
                    dt_bias.size() == H && a_log.size() == H && state.rows == H * Dk && state.cols == Dv &&
                    S == rows.count,
                "delta_scan: shapes");
  if (S == 0 || v.cols == 0) return;
  const cuda_buffer<T> room(exec, S * 2 * (keys + H));
  const matrix_view<T> units(room.data(), S, 2 * keys), gates(room.data() + S * 2 * keys, S, 2 * H),
      queries = units.column_range(0, keys), unit_keys = units.column_range(keys, keys);
  gpu::unit_vectors<T>(exec, q, Dk, 1 / std::sqrt(static_cast<double>(Dk)), queries);
  gpu::unit_vectors<T>(exec, k, Dk, 1, unit_keys);
  gpu::each_element(exec, S, H, gpu::delta_gate<T>{b, a, dt_bias.data(), a_log.data(), shape.beta_scale, gates});
  const gpu::texts_of_slab texts(exec, batch, rows);
  gpu::run_state_scan(
      exec, gpu::state_scan<T, gpu::delta_rule<T>>{
                {gates, Dk, Dv, state}, v, unit_keys, queries, H / shape.key_heads * Dv, Dk, texts.parts(), y});
}

} // namespace llmap
