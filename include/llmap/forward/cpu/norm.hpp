// norm: RMS or layer normalization of each row, or of each group of `width` channels of it; y (M, C) from x (M, C).
// Formulas: norm_plan. Statistics are summed in double; layer norm takes the variance around the mean (two passes).
#pragma once
#include "llmap/core/simd.hpp"
#include "llmap/forward/cpu/packed_rows.hpp"
#include "llmap/forward/decoder.hpp"
#include <algorithm>
#include <cmath>

namespace llmap {

namespace detail {

template <class T> struct norm_task {
  matrix_view<const T> x;
  const norm_weights<cpu_executor, T>* w;
  matrix_view<T> y;

  template <class Isa> LLMAP_INLINE void operator()() const {
    const std::size_t C = w->width, groups = x.cols / C;
    // One weight per channel of a group, or one per channel of the row.
    const auto of_group = [&](const aligned_buffer<T>& weights, std::size_t group) -> const T* {
      if (weights.size() == 0) return nullptr;
      return weights.data() + (weights.size() == x.cols ? group * C : 0);
    };
    for (std::size_t r = 0; r < x.rows; ++r)
      for (std::size_t group = 0; group < groups; ++group)
        one<Isa>(x.row(r) + group * C, of_group(w->weight, group), of_group(w->bias, group), y.row(r) + group * C);
  }

private:
  template <class Isa> LLMAP_INLINE void one(const T* in, const T* weight, const T* bias, T* out) const {
    constexpr int W = simd::width<Isa, double>; // two vectors of partial sums, in double
    using V = simd::vec<double, W>;
    const std::size_t C = w->width;
    const auto mean_of = [&](auto&& term) __attribute__((always_inline)) {
      V s0{}, s1{};
      std::size_t i = 0;
      for (; i + 2 * W <= C; i += 2 * W) {
        s0 += term(simd::widen<double, W>(in + i));
        s1 += term(simd::widen<double, W>(in + i + W));
      }
      double total = simd::sum<double, W>(s0 + s1);
      for (; i < C; ++i) total += term(simd::broadcast<double, W>(static_cast<double>(in[i])))[0];
      return total / static_cast<double>(C);
    };
    double mean = 0;
    if (w->kind == norm_kind::layer) mean = mean_of([](const V& v) __attribute__((always_inline)) { return v; });
    const double square =
        mean_of([mean](const V& v) __attribute__((always_inline)) { return (v - mean) * (v - mean); });
    const T factor = static_cast<T>(1 / std::sqrt(square + w->epsilon)), shift = static_cast<T>(mean);
    if (w->rounded) return round(in, mean, 1 / std::sqrt(square + w->epsilon), weight, bias, out);
    if (!weight)
      for (std::size_t i = 0; i < C; ++i) out[i] = (in[i] - shift) * factor;
    else
      for (std::size_t i = 0; i < C; ++i) out[i] = (in[i] - shift) * factor * weight[i];
    if (bias)
      for (std::size_t i = 0; i < C; ++i) out[i] += bias[i];
  }

  /// The normed row in 8 bits, in double: a step is a larger error than any before it.
  void round(const T* in, double mean, double factor, const T* weight, const T* bias, T* out) const {
    const std::size_t C = w->width;
    const auto normed = [&](std::size_t i) {
      const double v = (static_cast<double>(in[i]) - mean) * factor * (weight ? static_cast<double>(weight[i]) : 1.0);
      return bias ? v + static_cast<double>(bias[i]) : v;
    };
    double most = 1e-5;
    for (std::size_t i = 0; i < C; ++i) most = std::max(most, std::abs(normed(i)));
    const double steps = 127 / most;
    for (std::size_t i = 0; i < C; ++i)
      out[i] = static_cast<T>(std::clamp(std::nearbyint(normed(i) * steps), -128.0, 127.0) / steps);
  }
};

} // namespace detail

/// y may be x. A row that is not whole groups of w.width channels is a contract_error.
template <class T>
void norm(const cpu_executor& exec, std::type_identity_t<matrix_view<const T>> x,
          const norm_weights<cpu_executor, T>& w, std::type_identity_t<matrix_view<T>> y) {
  LLMAP_EXPECTS(x.rows == y.rows && x.cols == y.cols, "norm: shapes of x and y");
  LLMAP_EXPECTS(w.width != 0 && x.cols % w.width == 0, "norm: whole groups of channels");
  for_row_blocks(exec, x.rows, 64, [&](std::size_t first, std::size_t count) {
    simd::run(detail::norm_task<T>{x.row_range(first, count), &w, y.row_range(first, count)});
  });
}

/// The same, packed for linear.
template <class T>
void norm(const cpu_executor& exec, std::type_identity_t<matrix_view<const T>> x,
          const norm_weights<cpu_executor, T>& w, packed_rows<T>& y, cpu_scratch<T>& scratch) {
  LLMAP_EXPECTS(w.width != 0 && x.cols % w.width == 0, "norm: whole groups of channels");
  y.fill(exec, x.rows, x.cols, scratch.threads, [&](std::size_t first, std::size_t count, matrix_view<T> out) {
    simd::run(detail::norm_task<T>{x.row_range(first, count), &w, out});
  });
}

} // namespace llmap
