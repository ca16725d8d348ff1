// Numbers on the device: stored types widened, exponentials by working type.
#pragma once
#include "llmap/core/cuda/ptx.cuh"
#include "llmap/core/dtype.hpp"
#include <cmath>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace llmap::gpu {

/// The type that an element is computed in.
template <class Stored> struct working { using type = float; };
template <> struct working<double> { using type = double; };
template <class Stored> using working_t = typename working<Stored>::type;

__device__ inline double widen(double x) { return x; }
__device__ inline float widen(float x) { return x; }
__device__ inline float widen(bf16 x) { return __uint_as_float(static_cast<std::uint32_t>(x.bits) << 16); }
__device__ inline float widen_f16(std::uint32_t bits) {
  return __half2float(__ushort_as_half(static_cast<std::uint16_t>(bits)));
}
__device__ inline float widen(f16 x) { return widen_f16(x.bits); }

/// The bits of the nearest bf16.
__device__ inline std::uint16_t narrow(float x) { return __bfloat16_as_ushort(__float2bfloat16_rn(x)); }

/// The nearest bf16 of both, in one register; what they leave stays in the numbers.
__device__ inline std::uint32_t take_nearest(float& low, float& high) {
  const __nv_bfloat162 nearest = __floats2bfloat162_rn(low, high);
  const std::uint32_t pair = __bfloat16_as_ushort(nearest.x) | std::uint32_t{__bfloat16_as_ushort(nearest.y)} << 16;
  low -= __uint_as_float(pair << 16);
  high -= __uint_as_float(pair & 0xffff0000u);
  return pair;
}

/// exp(x) for x <= 0. The product is rounded after the difference that made x, so its error shrinks with x.
__device__ inline float exp_below(float x) { return ex2(x * 1.44269504f); }
__device__ inline double exp_below(double x) { return exp(x); }

template <class T> __device__ T sigmoid(T x) { return T(1) / (T(1) + exp(-x)); }
/// min(max(x, -limit), limit); NaN stays NaN.
template <class T> __device__ T within(T x, T limit) { return x < -limit ? -limit : limit < x ? limit : x; }
/// log(1 + exp(x))
__device__ inline double softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }

/// A logit from a product (and bias): cap(scale * product + bias).
template <class T> struct logit_of {
  T scale = 1, cap = 0;
  __device__ T operator()(T product, T bias = T(0)) const {
    const T z = product * scale + bias;
    return cap == T(0) ? z : cap * tanh(z / cap);
  }
};

} // namespace llmap::gpu
