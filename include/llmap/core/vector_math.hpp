// exp, log, tanh, sigmoid and erf on SIMD vectors of float or double, from one source.
//
//   exp(x) = 2^n exp(r),  n = round(x / ln 2),  |r| <= ln 2 / 2, exp(r) by a polynomial (degree 6 in float, Taylor's
//   of degree 13 in double); ln 2 is split in two parts so that r is exact to a few ulp (Cody and Waite).
//   log(x) = e ln 2 + log(m),  m = x / 2^e in [0.707, 1.414];  log(m) = 2 atanh((m - 1) / (m + 1)) by its series
// Contracts (tested): exp_error_ulp bounds the error for results in the normal range; below the smallest normal
// number the result is 0, above the largest it is +infinity; NaN stays NaN. exp(0) = 1 exactly.
// log of a positive normal number is within log_error_ulp, and log(1) = 0 exactly; for any other x it is undefined.
// tanh and sigmoid are built on exp: absolute error below 4 epsilon. erf: absolute error below 4 epsilon.
#pragma once
#include "llmap/core/simd.hpp"
#include <bit>
#include <cmath>
#include <iterator>
#include <limits>

namespace llmap::simd {

/// The bound on the error of exp and exp_term, ulp of the result.
inline constexpr double exp_error_ulp = 1.5;

template <class T> struct exp_constants;
/// The constants of exp in float.
template <> struct exp_constants<float> {
  using integer = std::int32_t;                                              ///< as wide as float
  static constexpr float largest = 88.72283f, smallest = -87.33654f;         ///< beyond: infinity, and 0
  static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f; ///< ln 2 in two parts
  static constexpr float round_magic = 0x1.8p23f;                            ///< added, rounds to integers
  static constexpr int fraction_bits = 23;                                   ///< of a float
  /// Minimax in relative error on |r| <= ln 2 / 2 with the first two fixed: 3.1e-9.
  static constexpr float coefficients[] = {
      1, 1, 0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558f2p-5f, 0x1.1239e2p-7f, 0x1.6a2434p-10f};
};
/// The constants of exp in double.
template <> struct exp_constants<double> {
  using integer = std::int64_t;                                                      ///< as wide as double
  static constexpr double largest = 709.782712893384, smallest = -708.3964185322641; ///< beyond: infinity, and 0
  static constexpr double ln2_high = 6.93145751953125e-1, ln2_low = 1.42860682030941723212e-6; ///< ln 2 in two parts
  static constexpr double round_magic = 0x1.8p52; ///< added, rounds to integers
  static constexpr int fraction_bits = 52;        ///< of a double
  /// Of the Taylor series.
  static constexpr double coefficients[] = {
      1.0,        1.0,         1.0 / 2,      1.0 / 6,       1.0 / 24,       1.0 / 120,       1.0 / 720,
      1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800.0};
};

namespace detail {
/// exp(x) = mantissa * 2^n. The low bits of `shifted` are n.
template <class T, int W> struct exp_parts { vec<T, W> mantissa, shifted; };
template <class T, int W> LLMAP_INLINE exp_parts<T, W> split_exp(const vec<T, W>& x) {
  using constants = exp_constants<T>;
  constexpr T magic = constants::round_magic;
  constexpr int degree = static_cast<int>(std::size(constants::coefficients)) - 1;
  const vec<T, W> shifted = x * static_cast<T>(1.44269504088896340736) + magic;
  const vec<T, W> n = shifted - magic;
  vec<T, W> r = x - n * constants::ln2_high;
  r = r - n * constants::ln2_low;
  vec<T, W> p = r * constants::coefficients[degree] + constants::coefficients[degree - 1];
#pragma GCC unroll 16
  for (int k = degree - 2; k >= 0; --k) p = p * r + constants::coefficients[k];
  return {p, shifted};
}
} // namespace detail

/// Lane by lane, for any x.
template <class T, int W> LLMAP_INLINE vec<T, W> exp(const vec<T, W>& x) {
  using constants = exp_constants<T>;
  using integer = typename constants::integer;
  const auto [p, shifted] = detail::split_exp<T, W>(x);
  // 2^n in two factors, since n may be one beyond the exponent range at the upper end.
  constexpr int bias = std::numeric_limits<T>::max_exponent - 1;
  const auto n = reinterpret_cast<vec<integer, W>>(shifted) - std::bit_cast<integer>(constants::round_magic);
  const auto half = n >> 1;
  const auto a = reinterpret_cast<vec<T, W>>((half + bias) << constants::fraction_bits);
  const auto b = reinterpret_cast<vec<T, W>>((n - half + bias) << constants::fraction_bits);
  vec<T, W> y = p * a * b;
  y = x < constants::smallest ? vec<T, W>{} : y;
  y = x > constants::largest ? broadcast<T, W>(std::numeric_limits<T>::infinity()) : y;
  return x == x ? y : x;
}

/// The largest argument of exp_term.
template <class T> inline constexpr T exp_term_limit = static_cast<T>(exp_constants<T>::largest - 1);
/// exp(x) for x <= exp_term_limit, in half the instructions of exp: for the terms of a sum whose maximum is known. The
/// error bound is that of exp, but below the smallest normal number the result is not 0 but at most twice that number.
/// NaN stays NaN.
template <class T, int W> LLMAP_INLINE vec<T, W> exp_term(const vec<T, W>& value) {
  using constants = exp_constants<T>;
  using integer = typename constants::integer;
  const vec<T, W> x = value < constants::smallest ? constants::smallest + vec<T, W>{} : value;
  const auto [p, shifted] = detail::split_exp<T, W>(x);
  return reinterpret_cast<vec<T, W>>(reinterpret_cast<vec<integer, W>>(p) +
                                     (reinterpret_cast<vec<integer, W>>(shifted) << constants::fraction_bits));
}

/// The bound on the error of log, ulp of the result.
inline constexpr double log_error_ulp = 1.0;

/// Lane by lane, for positive normal numbers.
template <class T, int W> LLMAP_INLINE vec<T, W> log(const vec<T, W>& x) {
  using constants = exp_constants<T>;
  using integer = typename constants::integer;
  using natural = std::make_unsigned_t<integer>;
  constexpr T magic = constants::round_magic;
  constexpr int bias = std::numeric_limits<T>::max_exponent - 1;
  // The exponent of x / sqrt(1/2), offset to be positive for a logical shift, then made a T by the magic number.
  constexpr natural root_half = std::bit_cast<natural>(static_cast<T>(0.70710678118654752440));
  constexpr natural offset = natural{bias + 1} << constants::fraction_bits;
  const auto bits = reinterpret_cast<vec<natural, W>>(x);
  const auto exponent = ((bits - (root_half - offset)) >> constants::fraction_bits) - natural{bias + 1};
  const vec<T, W> e = reinterpret_cast<vec<T, W>>(exponent + std::bit_cast<natural>(magic)) - magic;
  const vec<T, W> f = reinterpret_cast<vec<T, W>>(bits - (exponent << constants::fraction_bits)) - T(1);
  const vec<T, W> s = f / (f + T(2)), z = s * s, half = f * f * T(0.5);
  vec<T, W> p = broadcast<T, W>(static_cast<T>(2.0 / 21));
#pragma GCC unroll 16
  for (int k = 19; k >= 3; k -= 2) p = p * z + static_cast<T>(2.0 / k);
  // log(1 + f) = f - (half - s (half + z p)): f is exact, and the part subtracted is small.
  return e * constants::ln2_high + (f - (half - (s * (half + z * p) + e * constants::ln2_low)));
}

/// 1 / (1 + exp(-x)).
template <class T, int W> LLMAP_INLINE vec<T, W> sigmoid(const vec<T, W>& x) { return T(1) / (T(1) + exp<T, W>(-x)); }

/// 1 - 2 / (exp(2 |x|) + 1) with the sign of x.
template <class T, int W> LLMAP_INLINE vec<T, W> tanh(const vec<T, W>& x) {
  const vec<T, W> a = x < T(0) ? -x : x;
  const vec<T, W> y = T(1) - T(2) / (exp<T, W>(a + a) + T(1));
  return x < T(0) ? -y : y;
}

/// Lane by lane through std::erf, with its accuracy; the one activation that needs it (erf-gelu) is rare.
template <class T, int W> LLMAP_INLINE vec<T, W> erf(const vec<T, W>& x) {
  vec<T, W> y;
  for (int i = 0; i < W; ++i) y[i] = std::erf(x[i]);
  return y;
}

} // namespace llmap::simd
