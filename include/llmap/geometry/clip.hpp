// Clip: l = max(l, threshold), one threshold for the whole matrix: the quantile q (default 0.02) of all
// finite entries, numpy's linear rule: position q (n - 1) of the sorted entries, linear between its two
// neighbours. Few texts with a log-likelihood far below all others would otherwise decide every distance. The
// threshold belongs to the map: it is stored with it and kept when models are added later. q = 0 clips
// nothing.
#pragma once
#include "llmap/geometry/score_matrix.hpp"
#include <algorithm>

namespace llmap {

/// numpy's quantile(values, q, method="linear") of the finite values; reorders `values`.
inline double linear_quantile(std::vector<double>& values, double q) {
  if (!(q >= 0 && q <= 1)) fail("quantile: q is ", q, ", expected 0 to 1");
  std::erase_if(values, [](double v) { return !std::isfinite(v); });
  if (values.empty()) fail("quantile: no finite value");
  const double position = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const double share = position - static_cast<double>(below);
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(below);
  std::nth_element(values.begin(), at, values.end());
  if (below + 1 == values.size()) return *at;
  const double low = *at, high = *std::min_element(at + 1, values.end());
  // As numpy: interpolate from the nearer end, so that share = 1 gives `high` exactly.
  return share < 0.5 ? low + (high - low) * share : high - (high - low) * (1 - share);
}

inline double clip_threshold(const row_matrix& l, double q = 0.02) {
  std::vector<double> values(l.data(), l.data() + l.size());
  return linear_quantile(values, q);
}

struct clipped_matrix {
  row_matrix values;    // (K, N); NaN stays NaN
  double threshold = 0; // nats
  std::size_t raised = 0;
};

/// Raises what lies below the threshold to it. -inf is raised as well: leave such texts out first.
inline clipped_matrix clip(row_matrix l, double threshold) {
  clipped_matrix out{std::move(l), threshold, 0};
  for (double* v = out.values.data(); v != out.values.data() + out.values.size(); ++v)
    if (*v < threshold) *v = threshold, ++out.raised;
  return out;
}

} // namespace llmap
