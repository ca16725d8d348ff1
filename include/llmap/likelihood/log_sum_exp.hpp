// log_sum_exp: log(sum_i exp(x_i)) as a small mergeable value. {m, s} stands for m + log(s), m the largest x seen.
// The identity is {-inf, 0}; no operation on it makes a NaN. +inf gives +inf; a NaN pushed stays NaN.
#pragma once
#include "llmap/core/host_device.hpp"
#include <cmath>
#include <limits>

namespace llmap {

/// A sum of exponentials in two numbers, for threads, chunks and kernels that each sum a part.
template <class T> struct log_sum_exp {
  /// Log 0, and what no sum is.
  static constexpr T none = -std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();

  T m = none; ///< the largest x; -inf before the first
  T s = 0;    ///< sum of exp(x - m)

  /// Adds the term exp(x).
  LLMAP_HD void push(T x) { merge({x, T(1)}); }

  /// Afterwards this stands for the terms of both. Commutative; associative up to rounding.
  LLMAP_HD void merge(const log_sum_exp& other) {
    if (other.s == T(0)) return;
    if (s == T(0)) {
      *this = other;
    } else if (std::isnan(m) || std::isnan(other.m)) {
      m = s = nan;
    } else if (other.m == m) {
      s += other.s; // also if both are infinite: their difference would be NaN
    } else if (other.m > m) {
      s = other.s + s * std::exp(m - other.m);
      m = other.m;
    } else {
      s += other.s * std::exp(other.m - m);
    }
  }

  /// -inf for no terms.
  LLMAP_HD T value() const {
    if (s == T(0)) return none;
    return std::isinf(m) ? m : m + std::log(s);
  }

  /// x - value() of finite terms, without the rounding of m + log(s): log of the share that exp(x) has of the sum.
  LLMAP_HD T log_share(T x) const { return s == T(0) ? nan : (x - m) - std::log(s); }
};

} // namespace llmap
