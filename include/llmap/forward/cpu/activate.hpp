// activate: the non-linearity between the two matrices of an MLP, y (M, I).
//   plain  x (M, I):    y = act(x)
//   gated  x (M, 2 I):  y = act(x[:, :I]) * x[:, I:]
// Formulas: gelu 0.5 x (1 + erf(x / sqrt 2)); gelu_tanh 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)));
// quick_gelu x sigmoid(1.702 x); silu x sigmoid(x). Absolute error below 8 eps (1 + |x|).
// xielu (Huang and Schlag 2024): with ap = softplus(alpha_p) and an = beta + softplus(alpha_n),
//   ap x^2 + beta x where x > 0, an (exp(min(x, eps)) - 1 - x) + beta x elsewhere.
// clamped_swiglu (gpt-oss) is gated only: g = min(gate, 7), u = up clamped to [-7, 7], (u + 1) g sigmoid(1.702 g).
#pragma once
#include "llmap/architectures/decoder_plan.hpp"
#include "llmap/core/vector_math.hpp"
#include "llmap/forward/cpu/packed_rows.hpp"
#include <algorithm>
#include <cmath>

namespace llmap {

namespace detail {

template <class T> inline constexpr T swiglu_limit = T(7);

template <activation A, class T, int W> LLMAP_INLINE simd::vec<T, W> activated(const simd::vec<T, W>& x) {
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
  else if constexpr (A == activation::clamped_swiglu) {
    const V gate = x > swiglu_limit<T> ? simd::broadcast<T, W>(swiglu_limit<T>) : x;
    return gate * simd::sigmoid<T, W>(T(1.702) * gate);
  } else return x;
}

/// The factor of the activated gate.
template <activation A, class T, int W> LLMAP_INLINE simd::vec<T, W> gate_factor(const simd::vec<T, W>& up) {
  if constexpr (A != activation::clamped_swiglu) return up;
  const simd::vec<T, W> below = up > swiglu_limit<T> ? simd::broadcast<T, W>(swiglu_limit<T>) : up;
  return (below < -swiglu_limit<T> ? simd::broadcast<T, W>(-swiglu_limit<T>) : below) + T(1);
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
        if (gated) v *= gate_factor<A, T, W>(simd::load<T, W>(up + i));
        simd::store<T, W>(out + i, v);
      }
      if (i < y.cols) {
        simd::vec<T, W> v = activated<A, T, W>(simd::load_partial<T, W>(row + i, y.cols - i));
        if (gated) v *= gate_factor<A, T, W>(simd::load_partial<T, W>(up + i, y.cols - i));
        simd::store_partial<T, W>(out + i, y.cols - i, v);
      }
    }
  }
};

/// Calls run.template operator()<A>() with the activation as a template argument.
template <class Run> void visit_activation(activation act, const Run& run) {
  switch (act) {
  case activation::gelu:
    return run.template operator()<activation::gelu>();
  case activation::gelu_tanh:
    return run.template operator()<activation::gelu_tanh>();
  case activation::gelu_bloom:
    return run.template operator()<activation::gelu_bloom>();
  case activation::quick_gelu:
    return run.template operator()<activation::quick_gelu>();
  case activation::silu:
    return run.template operator()<activation::silu>();
  case activation::relu:
    return run.template operator()<activation::relu>();
  case activation::relu_squared:
    return run.template operator()<activation::relu_squared>();
  case activation::tanh:
    return run.template operator()<activation::tanh>();
  case activation::sigmoid:
    return run.template operator()<activation::sigmoid>();
  case activation::identity:
    return run.template operator()<activation::identity>();
  case activation::clamped_swiglu:
    return run.template operator()<activation::clamped_swiglu>();
  case activation::xielu:
    break;
  }
  LLMAP_EXPECTS(false, "activate: xielu has parameters of its own");
}

template <class T> void activate_rows(activation act, bool gated, matrix_view<const T> x, matrix_view<T> y) {
  visit_activation(act, [&]<activation A>() { simd::run(activate_task<A, T>{x, y, gated}); });
}

} // namespace detail

/// Other shapes, or clamped_swiglu without a gate, are a contract_error.
template <class T>
void activate(const cpu_executor& exec, activation act, bool gated, std::type_identity_t<matrix_view<const T>> x,
              matrix_view<T> y) {
  LLMAP_EXPECTS(x.rows == y.rows && x.cols == (gated ? 2 : 1) * y.cols, "activate: shapes of x and y");
  LLMAP_EXPECTS(gated || act != activation::clamped_swiglu, "activate: clamped_swiglu is gated");
  LLMAP_EXPECTS(act != activation::xielu, "activate: xielu has parameters of its own");
  for_row_blocks(exec, x.rows, 16, [&](std::size_t first, std::size_t count) {
    detail::activate_rows<T>(act, gated, x.row_range(first, count), y.row_range(first, count));
  });
}

/// The same, packed for linear.
template <class T>
void activate(const cpu_executor& exec, activation act, bool gated, std::type_identity_t<matrix_view<const T>> x,
              packed_rows<T>& y, cpu_scratch<T>& scratch) {
  LLMAP_EXPECTS(gated || act != activation::clamped_swiglu, "activate: clamped_swiglu is gated");
  LLMAP_EXPECTS(act != activation::xielu, "activate: xielu has parameters of its own");
  y.fill(exec, x.rows, gated ? x.cols / 2 : x.cols, scratch.threads,
         [&](std::size_t first, std::size_t count, matrix_view<T> out) {
           detail::activate_rows<T>(act, gated, x.row_range(first, count), out);
         });
}

namespace detail {
template <class T> struct xielu_task {
  matrix_view<const T> x;
  matrix_view<T> y;
  T positive, negative, beta, eps; // ap, an

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, T>;
    for (std::size_t r = 0; r < x.rows; ++r)
      for (std::size_t i = 0; i < x.cols; i += W) {
        const std::size_t n = std::min<std::size_t>(W, x.cols - i);
        const auto v = simd::load_partial<T, W>(x.row(r) + i, n);
        const auto below = v > eps ? simd::broadcast<T, W>(eps) : v;
        const auto left = negative * (simd::exp<T, W>(below) - T(1) - v), right = positive * v * v;
        simd::store_partial<T, W>(y.row(r) + i, n, (v > T(0) ? right : left) + beta * v);
      }
  }
};
} // namespace detail

/// y (M, I), packed for linear, of x (M, I).
template <class T>
void xielu(const cpu_executor& exec, const aligned_buffer<T>& parameters, std::type_identity_t<matrix_view<const T>> x,
           packed_rows<T>& y, cpu_scratch<T>& scratch) {
  LLMAP_EXPECTS(parameters.size() == 4, "xielu: alpha_p, alpha_n, beta, eps");
  const auto softplus = [](T v) { return static_cast<T>(std::log1p(std::exp(static_cast<double>(v)))); };
  const T beta = parameters[2];
  y.fill(exec, x.rows, x.cols, scratch.threads, [&](std::size_t first, std::size_t count, matrix_view<T> out) {
    simd::run(detail::xielu_task<T>{x.row_range(first, count), out, softplus(parameters[0]),
                                    beta + softplus(parameters[1]), beta, parameters[3]});
  });
}

} // namespace llmap
