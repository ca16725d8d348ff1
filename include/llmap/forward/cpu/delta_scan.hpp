// delta_scan: the gated delta rule. Contract: forward/ops.hpp; formulas: delta_plan.
#pragma once
#include "llmap/core/vector_math.hpp"
#include "llmap/forward/cpu/slab_texts.hpp"
#include "llmap/forward/ops.hpp"
#include <algorithm>
#include <cmath>
#include <vector>

namespace llmap {

namespace detail {

/// One value head of the delta rule. The columns of its matrix do not depend on one another: a vector of them at a time
/// goes through the rows.
template <class T> struct delta_scan_task {
  matrix_view<const T> v;        // (S, Dv) of this head
  const T *q, *k, *decay, *beta; // (S, Dk) each, normed; (S) each
  std::size_t key_dim;
  matrix_view<T> y;
  T* state; // (Dk, Dv)
  std::size_t first_row, rows;

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, T>;
    const std::size_t Dv = v.cols;
    for (std::size_t j = 0; j < Dv; j += W) {
      const std::size_t n = std::min<std::size_t>(W, Dv - j);
      for (std::size_t t = first_row; t < first_row + rows; ++t) {
        const T *query = q + t * key_dim, *key = k + t * key_dim;
        simd::vec<T, W> held{}, out{};
        for (std::size_t i = 0; i < key_dim; ++i) {
          const auto s = decay[t] * simd::load_partial<T, W>(state + i * Dv + j, n);
          simd::store_partial<T, W>(state + i * Dv + j, n, s);
          held += key[i] * s;
        }
        const auto change = beta[t] * (simd::load_partial<T, W>(v.row(t) + j, n) - held);
        for (std::size_t i = 0; i < key_dim; ++i) {
          const auto s = simd::load_partial<T, W>(state + i * Dv + j, n) + key[i] * change;
          simd::store_partial<T, W>(state + i * Dv + j, n, s);
          out += query[i] * s;
        }
        simd::store_partial<T, W>(y.row(t) + j, n, out);
      }
    }
  }
};

} // namespace detail

template <class T>
void delta_scan(const cpu_executor& exec, const delta_shape& shape, const ragged_batch& batch, slab rows,
                std::type_identity_t<matrix_view<const T>> q, std::type_identity_t<matrix_view<const T>> k,
                std::type_identity_t<matrix_view<const T>> v, std::type_identity_t<matrix_view<const T>> b,
                std::type_identity_t<matrix_view<const T>> a, const aligned_buffer<T>& dt_bias,
                const aligned_buffer<T>& a_log, std::type_identity_t<matrix_view<T>> y,
                std::type_identity_t<matrix_view<T>> state) {
  const std::size_t H = shape.value_heads, Dk = shape.key_dim, Dv = shape.value_dim, S = v.rows;
  LLMAP_EXPECTS(q.cols == shape.key_heads * Dk && k.cols == q.cols && v.cols == H * Dv && b.cols == H && a.cols == H &&
                    dt_bias.size() == H && a_log.size() == H && state.rows == H * Dk && state.cols == Dv,
                "delta_scan: shapes");
  parallel_for(exec.threads, H, [&](std::size_t h) {
    const std::size_t g = h / (H / shape.key_heads);
    std::vector<T> queries(S * Dk), keys(S * Dk), decay(S), beta(S);
    const double rate = -std::exp(static_cast<double>(a_log[h]));
    for (std::size_t t = 0; t < S; ++t) {
      const auto unit = [&](const T* from, double length, T* to) {
        double square = 1e-6;
        for (std::size_t i = 0; i < Dk; ++i) square += static_cast<double>(from[i]) * static_cast<double>(from[i]);
        const T factor = static_cast<T>(length / std::sqrt(square));
        for (std::size_t i = 0; i < Dk; ++i) to[i] = from[i] * factor;
      };
      unit(q.row(t) + g * Dk, 1 / std::sqrt(static_cast<double>(Dk)), queries.data() + t * Dk);
      unit(k.row(t) + g * Dk, 1, keys.data() + t * Dk);
      const double step = detail::softplus(static_cast<double>(a(t, h)) + static_cast<double>(dt_bias[h]));
      decay[t] = static_cast<T>(std::exp(rate * step));
      beta[t] = static_cast<T>(shape.beta_scale / (1 + std::exp(-static_cast<double>(b(t, h)))));
    }
    detail::for_texts(batch, rows, [&](std::size_t row, std::size_t count, bool begins) {
      if (begins) std::fill_n(state.row(h * Dk), Dk * Dv, T(0));
      simd::run(detail::delta_scan_task<T>{v.column_range(h * Dv, Dv), queries.data(), keys.data(), decay.data(),
                                           beta.data(), Dk, y.column_range(h * Dv, Dv), state.row(h * Dk), row, count});
    });
  });
}

} // namespace llmap
