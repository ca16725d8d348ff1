// The scans of Mamba and Mamba-2: a task takes channels through the rows of a slab in order. Contracts:
// forward/ops.hpp; formulas: mamba_plan, mamba2_plan.
#pragma once
#include "llmap/core/vector_math.hpp"
#include "llmap/forward/cpu/slab_texts.hpp"
#include "llmap/forward/ops.hpp"
#include <algorithm>
#include <cmath>
#include <vector>

namespace llmap {

namespace detail {

template <class T> struct selective_scan_task {
  matrix_view<const T> x, step, B, C;
  const T *a, *d; // (M, N) -exp(a_log), (M)
  matrix_view<T> y;
  T* state; // (M, N)
  std::size_t first_channel, channels, first_row, rows;

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, T>;
    const std::size_t N = B.cols;
    for (std::size_t t = first_row; t < first_row + rows; ++t) {
      const T *b = B.row(t), *c = C.row(t);
      for (std::size_t m = first_channel; m < first_channel + channels; ++m) {
        const T dt = step(t, m), dx = dt * x(t, m);
        const T* const decay = a + m * N;
        T* const s = state + m * N;
        simd::vec<T, W> sum{};
        std::size_t n = 0;
        for (; n + W <= N; n += W) {
          const auto next = simd::exp<T, W>(dt * simd::load<T, W>(decay + n)) * simd::load<T, W>(s + n) +
                            dx * simd::load<T, W>(b + n);
          simd::store<T, W>(s + n, next);
          sum += simd::load<T, W>(c + n) * next;
        }
        if (n < N) {
          const std::size_t rest = N - n;
          const auto next =
              simd::exp<T, W>(dt * simd::load_partial<T, W>(decay + n, rest)) * simd::load_partial<T, W>(s + n, rest) +
              dx * simd::load_partial<T, W>(b + n, rest);
          simd::store_partial<T, W>(s + n, rest, next);
          sum += simd::load_partial<T, W>(c + n, rest) * next;
        }
        y(t, m) = simd::sum<T, W>(sum) + d[m] * x(t, m);
      }
    }
  }
};

template <class T> struct head_scan_task {
  matrix_view<const T> x, B, C; // (S, M), (S, G N)
  const T *decay, *step;        // (rows) of this head
  T d;
  matrix_view<T> y;
  T* state; // (head_dim, N) of this head
  std::size_t first_channel, channels, first_state, N, first_row, rows;

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, T>;
    for (std::size_t t = first_row; t < first_row + rows; ++t) {
      const T *b = B.row(t) + first_state, *c = C.row(t) + first_state;
      const T keep = decay[t - first_row], dt = step[t - first_row];
      for (std::size_t p = 0; p < channels; ++p) {
        const T value = x(t, first_channel + p), dx = dt * value;
        T* const s = state + p * N;
        simd::vec<T, W> sum{};
        std::size_t n = 0;
        for (; n + W <= N; n += W) {
          const auto next = keep * simd::load<T, W>(s + n) + dx * simd::load<T, W>(b + n);
          simd::store<T, W>(s + n, next);
          sum += simd::load<T, W>(c + n) * next;
        }
        T total = simd::sum<T, W>(sum);
        for (; n < N; ++n) {
          s[n] = keep * s[n] + dx * b[n];
          total += c[n] * s[n];
        }
        y(t, first_channel + p) = total + d * value;
      }
    }
  }
};

} // namespace detail

template <class T>
void selective_scan(const cpu_executor& exec, const ragged_batch& batch, slab rows,
                    std::type_identity_t<matrix_view<const T>> x, matrix_view<T> step,
                    std::type_identity_t<matrix_view<const T>> B, std::type_identity_t<matrix_view<const T>> C,
                    const aligned_buffer<T>& a_log, const aligned_buffer<T>& d, std::type_identity_t<matrix_view<T>> y,
                    std::type_identity_t<matrix_view<T>> state) {
  const std::size_t N = state.cols;
  LLMAP_EXPECTS(a_log.size() == state.rows * N && d.size() == x.cols && B.cols == N && C.cols == N &&
                    state.rows == x.cols,
                "selective_scan: shapes");
  detail::for_channels(exec, x.cols, [&](std::size_t first, std::size_t channels) {
    std::vector<T> a(channels * N);
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = -std::exp(a_log[first * N + i]);
    for (std::size_t t = 0; t < step.rows; ++t)
      for (std::size_t m = first; m < first + channels; ++m)
        step(t, m) = static_cast<T>(detail::softplus(static_cast<double>(step(t, m))));
    detail::for_texts(batch, rows, [&](std::size_t row, std::size_t count, bool begins) {
      if (begins) std::fill_n(state.row(first), channels * N, T(0));
      simd::run(detail::selective_scan_task<T>{x.column_range(first, channels), step.column_range(first, channels), B,
                                               C, a.data(), d.data() + first, y.column_range(first, channels),
                                               state.row(first), 0, channels, row, count});
    });
  });
}

template <class T>
void head_scan(const cpu_executor& exec, const head_scan_shape& shape, const ragged_batch& batch, slab rows,
               std::type_identity_t<matrix_view<const T>> x, std::type_identity_t<matrix_view<const T>> B,
               std::type_identity_t<matrix_view<const T>> C, std::type_identity_t<matrix_view<const T>> dt,
               const aligned_buffer<T>& dt_bias, const aligned_buffer<T>& a_log, const aligned_buffer<T>& d,
               std::type_identity_t<matrix_view<T>> y, std::type_identity_t<matrix_view<T>> state) {
  const std::size_t P = shape.head_dim, N = shape.states;
  LLMAP_EXPECTS(x.cols == shape.heads * P && B.cols == shape.groups * N && state.rows == x.cols && state.cols == N &&
                    dt.cols == shape.heads,
                "head_scan: shapes");
  parallel_for(exec.threads, shape.heads, [&](std::size_t h) {
    std::vector<T> step(x.rows), decay(x.rows);
    const double a = -std::exp(static_cast<double>(a_log[h]));
    for (std::size_t t = 0; t < x.rows; ++t) {
      const double s = std::clamp(detail::softplus(static_cast<double>(dt(t, h)) + static_cast<double>(dt_bias[h])),
                                  shape.least_step, shape.most_step);
      step[t] = static_cast<T>(s), decay[t] = static_cast<T>(std::exp(s * a));
    }
    detail::for_texts(batch, rows, [&](std::size_t row, std::size_t count, bool begins) {
      if (begins) std::fill_n(state.row(h * P), P * N, T(0));
      simd::run(detail::head_scan_task<T>{x, B, C, decay.data() + row, step.data() + row, d[h], y, state.row(h * P),
                                          h * P, P, h / (shape.heads / shape.groups) * N, N, row, count});
    });
  });
}

} // namespace llmap
