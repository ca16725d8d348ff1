// activate: the non-linearity between the two matrices of an MLP, in place.
//   plain  x (M, I):    x <- act(x)
//   gated  x (M, 2 I):  x[:, :I] <- act(x[:, :I]) * x[:, I:]
// Formulas: gelu 0.5 x (1 + erf(x / sqrt 2)); gelu_tanh 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)));
// quick_gelu x sigmoid(1.702 x); silu x sigmoid(x). Absolute error below 8 eps (1 + |x|).
#pragma once
#include "llmap/architectures/decoder_plan.hpp"
#include "llmap/core/vector_math.hpp"
#include "llmap/forward/cpu_executor.hpp"

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
  matrix_view<T> x;
  std::size_t inner;
  bool gated;

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, T>;
    for (std::size_t r = 0; r < x.rows; ++r) {
      T* row = x.row(r);
      const T* up = row + inner;
      std::size_t i = 0;
      for (; i + W <= inner; i += W) {
        simd::vec<T, W> v = activated<A, T, W>(simd::load<T, W>(row + i));
        if (gated) v *= simd::load<T, W>(up + i);
        simd::store<T, W>(row + i, v);
      }
      if (i < inner) {
        simd::vec<T, W> v = activated<A, T, W>(simd::load_partial<T, W>(row + i, inner - i));
        if (gated) v *= simd::load_partial<T, W>(up + i, inner - i);
        simd::store_partial<T, W>(row + i, inner - i, v);
      }
    }
  }
};

} // namespace detail

template <class T>
void activate(const cpu_executor& exec, activation act, bool gated, std::type_identity_t<matrix_view<T>> x) {
  const std::size_t inner = gated ? x.cols / 2 : x.cols;
  const auto run = [&]<activation A>() {
    for_row_blocks(exec, x.rows, 16, [&](std::size_t first, std::size_t count) {
      simd::run(detail::activate_task<A, T>{x.row_range(first, count), inner, gated});
    });
  };
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

} // namespace llmap
