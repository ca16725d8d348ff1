// activate: the non-linearity between the two matrices of an MLP, y (M, I); formulas: forward/cpu/activate.hpp.
// Absolute error below 8 eps (1 + |x|) of the working type.
#pragma once
#include "llmap/core/cuda/each_element.cuh"
#include "llmap/core/cuda/numbers.cuh"
#include "llmap/forward/cuda/storage.cuh"
#include "llmap/forward/ops.hpp"
#include <cmath>

namespace llmap {

namespace gpu {

template <class T> __device__ T activated(activation act, T x) {
  switch (act) {
  case activation::gelu:
    return T(0.5) * x * (T(1) + erf(x * T(0.70710678118654752440)));
  case activation::gelu_tanh: // 0.5 (1 + tanh z) = sigmoid(2 z)
    return x * sigmoid(T(1.5957691216057307117597842397375) * (x + T(0.044715) * (x * x * x)));
  case activation::gelu_bloom: // sqrt(2/pi) cut to eight digits, as BLOOM was trained with
    return x * sigmoid(T(2 * 0.79788456) * (x + T(0.044715) * (x * x * x)));
  case activation::quick_gelu:
    return x * sigmoid(T(1.702) * x);
  case activation::silu:
    return x * sigmoid(x);
  case activation::relu:
    return x < T(0) ? T(0) : x;
  case activation::relu_squared:
    return x < T(0) ? T(0) : x * x;
  case activation::tanh:
    return tanh(x);
  case activation::sigmoid:
    return sigmoid(x);
  case activation::clamped_swiglu: {
    const T gate = x > T(7) ? T(7) : x;
    return gate * sigmoid(T(1.702) * gate);
  }
  default:
    return x;
  }
}

template <class T> struct activate_element {
  activation act;
  bool gated;
  matrix_view<const T> x;
  matrix_view<T> y; // may be x, or its first half
  __device__ void operator()(std::size_t r, std::size_t k) const {
    const T v = activated(act, x(r, k));
    if (!gated) y(r, k) = v;
    else if (act == activation::clamped_swiglu) y(r, k) = v * (within(x(r, y.cols + k), T(7)) + T(1));
    else y(r, k) = v * x(r, y.cols + k);
  }
};

template <class T> struct xielu_element {
  const T* parameters; // alpha_p, alpha_n, beta, eps
  matrix_view<const T> x;
  matrix_view<T> y;
  __device__ void operator()(std::size_t r, std::size_t k) const {
    const T v = x(r, k), beta = parameters[2];
    const auto raised = [](T alpha) { return static_cast<T>(softplus(static_cast<double>(alpha))); };
    if (v > T(0)) {
      y(r, k) = raised(parameters[0]) * v * v + beta * v;
    } else {
      const T below = v > parameters[3] ? parameters[3] : v;
      y(r, k) = (beta + raised(parameters[1])) * (exp(below) - T(1) - v) + beta * v;
    }
  }
};

} // namespace gpu

template <class T>
void activate(const cuda_executor& exec, activation act, bool gated, std::type_identity_t<matrix_view<const T>> x,
              matrix_view<T> y) {
  LLMAP_EXPECTS(x.rows == y.rows && x.cols == (gated ? 2 : 1) * y.cols, "activate: shapes of x and y");
  LLMAP_EXPECTS(gated || act != activation::clamped_swiglu, "activate: clamped_swiglu is gated");
  LLMAP_EXPECTS(act != activation::xielu, "activate: xielu has parameters of its own");
  gpu::each_element(exec, y.rows, y.cols, gpu::activate_element<T>{act, gated, x, y});
}

/// The same, for linear.
template <class T>
void activate(const cuda_executor& exec, activation act, bool gated, std::type_identity_t<matrix_view<const T>> x,
              cuda_rows<T>& y, cuda_scratch<T>&) {
  activate<T>(exec, act, gated, x, y.reshape(x.rows, gated ? x.cols / 2 : x.cols));
}

/// y (M, I), for linear, of x (M, I).
template <class T>
void xielu(const cuda_executor& exec, const cuda_buffer<std::type_identity_t<T>>& parameters,
           std::type_identity_t<matrix_view<const T>> x, cuda_rows<T>& y, cuda_scratch<T>&) {
  LLMAP_EXPECTS(parameters.size() == 4, "xielu: alpha_p, alpha_n, beta, eps");
  gpu::each_element(exec, x.rows, x.cols, gpu::xielu_element<T>{parameters.data(), x, y.reshape(x.rows, x.cols)});
}

} // namespace llmap
