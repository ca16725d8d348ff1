// norm: RMS or layer normalisation of each row, y (M, C) from x (M, C); formulas in norm_plan.
// Statistics are accumulated in double; layer norm takes the variance around the mean (two passes).
#pragma once
#include "llmap/architectures/decoder_plan.hpp"
#include "llmap/core/simd.hpp"
#include "llmap/forward/packed_rows.hpp"
#include <cmath>

namespace llmap {

/// A norm with its weights at working precision; empty buffers leave out the factor or the term.
template <class T> struct norm_weights {
  norm_kind kind = norm_kind::rms;
  double epsilon = 0;
  aligned_buffer<T> weight, bias; // (C); the plan's weight_offset is already added to weight
};

namespace detail {

template <class T> struct norm_task {
  matrix_view<const T> x;
  const norm_weights<T>* w;
  matrix_view<T> y;

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, double>; // four partial sums of a vector each, in double
    const std::size_t C = x.cols;
    for (std::size_t r = 0; r < x.rows; ++r) {
      const T* in = x.row(r);
      T* out = y.row(r);
      const auto mean_of = [&](auto&& term) __attribute__((always_inline)) {
        simd::vec<double, W> s0{}, s1{};
        std::size_t i = 0;
        for (; i + 2 * W <= C; i += 2 * W) {
          s0 += term(simd::widen<double, W>(in + i));
          s1 += term(simd::widen<double, W>(in + i + W));
        }
        double total = simd::sum<double, W>(s0 + s1);
        for (; i < C; ++i) total += term(simd::broadcast<double, W>(static_cast<double>(in[i])))[0];
        return total / static_cast<double>(C);
      };
      using V = simd::vec<double, W>;
      double mean = 0;
      if (w->kind == norm_kind::layer) mean = mean_of([](V v) __attribute__((always_inline)) { return v; });
      const double square = mean_of([mean](V v) __attribute__((always_inline)) { return (v - mean) * (v - mean); });
      const T scale = static_cast<T>(1 / std::sqrt(square + w->epsilon)), shift = static_cast<T>(mean);
      if (w->weight.size() == 0)
        for (std::size_t i = 0; i < C; ++i) out[i] = (in[i] - shift) * scale;
      else
        for (std::size_t i = 0; i < C; ++i) out[i] = (in[i] - shift) * scale * w->weight[i];
      if (w->bias.size() != 0)
        for (std::size_t i = 0; i < C; ++i) out[i] += w->bias[i];
    }
  }
};

} // namespace detail

template <class T>
void norm(const cpu_executor& exec, std::type_identity_t<matrix_view<const T>> x, const norm_weights<T>& w,
          std::type_identity_t<matrix_view<T>> y) {
  LLMAP_EXPECTS(x.rows == y.rows && x.cols == y.cols, "norm: shapes of x and y");
  for_row_blocks(exec, x.rows, 64, [&](std::size_t first, std::size_t count) {
    simd::run(detail::norm_task<T>{x.row_range(first, count), &w, y.row_range(first, count)});
  });
}

/// The same, packed for linear.
template <class T>
void norm(const cpu_executor& exec, std::type_identity_t<matrix_view<const T>> x, const norm_weights<T>& w, packed_rows<T>& y) {
  y.fill(exec, x.rows, x.cols, [&](std::size_t first, std::size_t count, matrix_view<T> out) {
    simd::run(detail::norm_task<T>{x.row_range(first, count), &w, out});
  });
}

} // namespace llmap
