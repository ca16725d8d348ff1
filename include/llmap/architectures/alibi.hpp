// Slopes of attention with linear biases, head by head. Source: Press et al. 2022, with BLOOM's rule where H is no
// power of two.
#pragma once
#include <cmath>
#include <cstdint>
#include <vector>

namespace llmap {

/// (H), the steepest first where H is a power of two.
inline std::vector<double> alibi_slopes(std::int64_t heads) {
  std::int64_t power = 1;
  while (power * 2 <= heads) power *= 2;
  std::vector<double> slopes;
  const double p = static_cast<double>(power);
  for (std::int64_t i = 1; i <= power; ++i) slopes.push_back(std::exp2(-8.0 * static_cast<double>(i) / p));
  for (std::int64_t i = 1; static_cast<std::int64_t>(slopes.size()) < heads; i += 2)
    slopes.push_back(std::exp2(-4.0 * static_cast<double>(i) / p));
  return slopes;
}

} // namespace llmap
