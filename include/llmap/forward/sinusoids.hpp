// Fixed positions of sines and cosines. Source: Vaswani et al. 2017, in the order and with the base of fairseq.
#pragma once
#include <cmath>
#include <cstdint>
#include <vector>

namespace llmap {

/// Rows (positions, width): sin(p f_i) for the first half of a row, cos(p f_i) for the second, f_i = 10000^(-i / (half
/// - 1)). Of an odd width the last column is 0.
inline std::vector<double> sinusoids(std::int64_t positions, std::int64_t width) {
  const std::int64_t half = width / 2;
  std::vector<double> rows(static_cast<std::size_t>(positions * width), 0.0);
  for (std::int64_t i = 0; i < half; ++i) {
    const double f = std::exp(-static_cast<double>(i) * std::log(10000.0) / static_cast<double>(half - 1));
    for (std::int64_t p = 0; p < positions; ++p) {
      double* row = rows.data() + p * width;
      row[i] = std::sin(static_cast<double>(p) * f);
      row[half + i] = std::cos(static_cast<double>(p) * f);
    }
  }
  return rows;
}

} // namespace llmap
