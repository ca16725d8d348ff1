// Plain loops in double for what is done to streams: the oracle of those ops in forward/cpu/rows.hpp. Matrices
// row-major.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace llmap::reference {

using vector = std::vector<double>;

/// y_i = x_i + sum_j c_ij x_j of the n streams of width C of each row: c (S, n n), x (S, n C)
inline vector mix_streams(const vector& c, const vector& x, std::size_t S, std::size_t n, std::size_t C) {
  vector y = x;
  for (std::size_t s = 0; s < S; ++s)
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t k = 0; k < C; ++k)
        for (std::size_t j = 0; j < n; ++j) y[(s * n + i) * C + k] += c[(s * n + i) * n + j] * x[(s * n + j) * C + k];
  return y;
}

/// y_i = guess_i + (1 + c_i) (x - guess_active): c (S, n), x (S, C), guess (S, n C)
inline vector correct_streams(const vector& c, std::size_t active, const vector& x, const vector& guess, std::size_t S,
                              std::size_t n, std::size_t C) {
  vector y = guess;
  for (std::size_t s = 0; s < S; ++s)
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t k = 0; k < C; ++k)
        y[(s * n + i) * C + k] += (1 + c[s * n + i]) * (x[s * C + k] - guess[(s * n + active) * C + k]);
  return y;
}

/// Each row of y (S, C) with the size of that of x.
inline vector match_size(const vector& x, vector y, std::size_t S, std::size_t C) {
  for (std::size_t s = 0; s < S; ++s) {
    double xx = 0, yy = 0;
    for (std::size_t k = s * C; k < (s + 1) * C; ++k) xx += x[k] * x[k], yy += y[k] * y[k];
    const double n = static_cast<double>(C), factor = std::sqrt(xx / n) / std::sqrt(std::max(yy / n, 1e-5));
    for (std::size_t k = s * C; k < (s + 1) * C; ++k) y[k] *= factor;
  }
  return y;
}

/// Each row of y (S, C): max(y - (mean + cut * deviation), 0), the deviation with divisor C.
inline vector cut_below(vector y, double cut, std::size_t S, std::size_t C) {
  for (std::size_t s = 0; s < S; ++s) {
    const auto row = y.begin() + static_cast<std::ptrdiff_t>(s * C);
    double mean = 0, square = 0;
    for (std::size_t k = 0; k < C; ++k) mean += row[static_cast<std::ptrdiff_t>(k)] / static_cast<double>(C);
    for (std::size_t k = 0; k < C; ++k)
      square += std::pow(row[static_cast<std::ptrdiff_t>(k)] - mean, 2) / static_cast<double>(C);
    for (std::size_t k = 0; k < C; ++k) {
      double& value = row[static_cast<std::ptrdiff_t>(k)];
      value = std::max(value - mean - cut * std::sqrt(square), 0.0);
    }
  }
  return y;
}

} // namespace llmap::reference
