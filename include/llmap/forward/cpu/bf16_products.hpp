// Products of bf16 pairs (AVX512_BF16): c (R, V W) += sum_k a0[i][k] b0[k][j] + a1[i][k] b1[k][j], sums in float.
// A and B are as in matrix_tile, with a pair in place of each element. The instruction takes denormals as zero and
// rounds each of its sums to nearest. Sums are in the order of K, so the bits depend on nothing else.
#pragma once
#include "llmap/core/simd.hpp"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace llmap {

namespace detail {

/// Rounds n floats (n even) to bf16, nearest even, two neighbors per pair.
struct round_to_pairs_task {
  const float* x;
  bf16_pair* out;
  std::size_t n;
  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, float>;
    auto* to = reinterpret_cast<std::uint16_t*>(out);
    std::size_t i = 0;
    for (; i + W <= n; i += W) {
      const auto v = simd::load<float, W>(x + i);
      const auto u = reinterpret_cast<simd::vec<std::uint32_t, W>>(v);
      const auto nearest = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16,
                 quiet = (u >> 16) | 0x40u; // a NaN must not round up to infinity
      const auto bits = v == v ? nearest : quiet;
      simd::store<std::uint16_t, W>(to + i, __builtin_convertvector(bits, simd::vec<std::uint16_t, W>));
    }
    for (; i < n; ++i) to[i] = bf16(x[i]).bits;
  }
};

#if defined(__x86_64__)
/// c (R, 32) in memory; A (K, R), B (K, 32), both of pairs.
template <int R>
[[gnu::target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16"), gnu::noinline]] void
multiply_add_pairs(float* c, std::size_t K, const bf16_pair* A, const bf16_pair* B) {
  __m512 sum[R][2];
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i) sum[i][0] = _mm512_loadu_ps(c + i * 32), sum[i][1] = _mm512_loadu_ps(c + i * 32 + 16);
#pragma GCC unroll 1
  for (std::size_t k = 0; k < K; ++k) {
    const __m512i b0 = _mm512_loadu_si512(B), b1 = _mm512_loadu_si512(B + 16);
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
      const __m512i a = _mm512_set1_epi32(std::bit_cast<int>(A[i]));
      sum[i][0] = _mm512_dpbf16_ps(sum[i][0], (__m512bh)a, (__m512bh)b0);
      sum[i][1] = _mm512_dpbf16_ps(sum[i][1], (__m512bh)a, (__m512bh)b1);
    }
    A += R;
    B += 32;
  }
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i) _mm512_storeu_ps(c + i * 32, sum[i][0]), _mm512_storeu_ps(c + i * 32 + 16, sum[i][1]);
}
#endif

} // namespace detail
} // namespace llmap
