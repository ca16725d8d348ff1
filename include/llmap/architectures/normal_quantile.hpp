// The quantile function of the normal distribution.
#pragma once
#include <cmath>
#include <numbers>

namespace llmap {

/// x with P(normal < x) = share, 0 < share < 1.
inline double normal_quantile(double share) {
  double low = -9, high = 9;
  for (int i = 0; i < 80; ++i) {
    const double middle = (low + high) / 2;
    (0.5 * std::erfc(-middle / std::numbers::sqrt2) < share ? low : high) = middle;
  }
  return (low + high) / 2;
}

} // namespace llmap
