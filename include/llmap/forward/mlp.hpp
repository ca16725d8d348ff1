// activate: the non-linearity between the two matrices of an MLP, y (M, I).
//   plain  x (M, I):    y = act(x)
//   gated  x (M, 2 I):  y = act(x[:, :I]) * x[:, I:]
// Formulas: gelu 0.5 x (1 + erf(x / sqrt 2)); gelu_tanh 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)));
// quick_gelu x sigmoid(1.702 x); silu x sigmoid(x). Absolute error below 8 eps (1 + |x|).
#pragma once
#include "llmap/architectures/decoder_plan.hpp"
#include "llmap/core/vector_math.hpp"
#include "llmap/forward/packed_rows.hpp"

namespace llmap {

namespace detail {

template <activation A, class T, int W> LLMAP_INLINE simd::vec<T, W> activated(simd::vec<T, W> x) {
  using V = simd::vec<T, W>;
  if constexpr (A == activation::gelu) return T(0.5) * x * (T(1) + simd::erf<T, W>(x * T(0.70710678118654752440)));
  // 0.5 (1 + tanh z) = sigmoid(2 z)
  else if constexpr (A == activation::gelu_tanh)
    return x * simd::sigmoid<T, W>(T(1.5957691216057307117597842397375) * (x + T(0.044715) * (x * x * x)));
  else if constexpr (A == activation::gelu_bloom) // sqrt(2/pi) cut to eight digits, as BLOOM was trained with
    return x * simd::sigmoid<T, W>(T(2 * 0.79788456) * (x + T(0.044715) * (x * x * x)));
  else if constexpr (A == activation::quick_gelu) return x * simd::sigmoid<T, W>(T(1.702) * x);
  else if constexpr (A == activation::silu) return x * simd::sigmoid<T, W>(x);
  else if constexpr (A == activation::relu) return x < T(0) ? V{} : x;
  else if constexpr (A == activation::relu_squared) return x < T(0) ? V{} : x * x;
  else if constexpr (A == activation::tanh) return simd::tanh<T, W>(x);
  else if constexpr (A == activation::sigmoid) return simd::sigmoid<T, W>(x);
  else return x;
}

template <activation A, class T> struct activate_task {
  matrix_view<const T> x;
  matrix_view<T> y; // (m, I)
  bool gated;

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, T>;
    for (std::size_t r = 0; r < x.rows; ++r) {
      const T *row = x.row(r), *up = row + y.cols;
      T* out = y.row(r);
      std::size_t i = 0;
      for (; i + W <= y.cols; i += W) {
        simd::vec<T, W> v = activated<A, T, W>(simd::load<T, W>(row + i));
        if (gated) v *= simd::load<T, W>(up + i);
        simd::store<T, W>(out + i, v);
      }
      if (i < y.cols) {
        simd::vec<T, W> v = activated<A, T, W>(simd::load_partial<T, W>(row + i, y.cols - i));
        if (gated) v *= simd::load_partial<T, W>(up + i, y.cols - i);
        simd::store_partial<T, W>(out + i, y.cols - i, v);
      }
    }
  }
};

/// Calls run.template operator()<A>() with the activation as a type.
template <class Run> void visit_activation(activation act, const Run& run) {
  switch (act) {
  case activation::gelu: return run.template operator()<activation::gelu>();
  case activation::gelu_tanh: return run.template operator()<activation::gelu_tanh>();
  case activation::gelu_bloom: return run.template operator()<activation::gelu_bloom>();
  case activation::quick_gelu: return run.template operator()<activation::quick_gelu>();
  case activation::silu: return run.template operator()<activation::silu>();
  case activation::relu: return run.template operator()<activation::relu>();
  case activation::relu_squared: return run.template operator()<activation::relu_squared>();
  case activation::tanh: return run.template operator()<activation::tanh>();
  case activation::sigmoid: return run.template operator()<activation::sigmoid>();
  case activation::identity: return run.template operator()<activation::identity>();
  }
}

} // namespace detail

template <class T>
void activate(const cpu_executor& exec, activation act, bool gated, std::type_identity_t<matrix_view<const T>> x,
              std::type_identity_t<matrix_view<T>> y) {
  LLMAP_EXPECTS(x.rows == y.rows && x.cols == (gated ? 2 : 1) * y.cols, "activate: shapes of x and y");
  detail::visit_activation(act, [&]<activation A>() {
    for_row_blocks(exec, x.rows, 16, [&](std::size_t first, std::size_t count) {
      simd::run(detail::activate_task<A, T>{x.row_range(first, count), y.row_range(first, count), gated});
    });
  });
}

/// The same, packed for linear.
template <class T>
void activate(const cpu_executor& exec, activation act, bool gated, std::type_identity_t<matrix_view<const T>> x, packed_rows<T>& y) {
  detail::visit_activation(act, [&]<activation A>() {
    y.fill(exec, x.rows, gated ? x.cols / 2 : x.cols, [&](std::size_t first, std::size_t count, matrix_view<T> out) {
      simd::run(detail::activate_task<A, T>{x.row_range(first, count), out, gated});
    });
  });
}

} // namespace llmap
