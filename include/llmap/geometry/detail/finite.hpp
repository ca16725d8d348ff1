// Whether all numbers are finite.
#pragma once
#include "llmap/core/view.hpp"
#include <algorithm>
#include <cmath>

namespace llmap::detail {

inline bool all_finite(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); });
}
template <class T> bool all_finite(matrix_view<const T> x) {
  for (std::size_t i = 0; i < x.rows; ++i)
    if (!std::all_of(x.row(i), x.row(i) + x.cols, [](T v) { return std::isfinite(v); })) return false;
  return true;
}

/// An entry that is not finite shows in the mean of its row.
inline void expect_finite(std::span<const double> row_means, const char* step) {
  if (!all_finite(row_means)) fail(step, ": the matrix has entries that are not finite; leave those texts out first");
}

} // namespace llmap::detail
