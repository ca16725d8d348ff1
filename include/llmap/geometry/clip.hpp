// Clip: l = max(l, threshold), with one threshold for the whole matrix: the quantile q (default 0.02) of all finite
// entries, by numpy's linear rule: position q (n - 1) of the sorted entries, linear between its two neighbors.
// Otherwise a few texts with a log-likelihood far below all others would decide every distance. The threshold belongs
// to the map: it is stored with it and kept when models are added later. q = 0 clips nothing.
#pragma once
#include "llmap/core/cpu_executor.hpp"
#include "llmap/core/simd.hpp"
#include "llmap/geometry/score_matrix.hpp"
#include <algorithm>
#include <bit>
#include <functional>
#include <limits>
#include <numeric>

namespace llmap {

namespace detail {

/// Where the quantile q of n values lies: between the sorted values `below` and `below` + 1.
struct quantile_position {
  std::size_t below;
  double share;

  quantile_position(double q, std::size_t n) {
    if (!(q >= 0 && q <= 1)) fail("quantile: q is ", q, ", expected 0 to 1");
    if (n == 0) fail("quantile: no finite value");
    const double position = q * static_cast<double>(n - 1);
    below = static_cast<std::size_t>(position);
    share = position - static_cast<double>(below);
  }
  /// As numpy: from the nearer end, so that share = 1 gives `high` exactly.
  double between(double low, double high) const {
    return share < 0.5 ? low + (high - low) * share : high - (high - low) * (1 - share);
  }
  /// The quantile, given `values` without the `left_out` smallest ones; reorders them.
  double of(std::vector<double>& values, std::size_t left_out = 0) const {
    const auto at = values.begin() + static_cast<std::ptrdiff_t>(below - left_out);
    std::nth_element(values.begin(), at, values.end());
    return at + 1 == values.end() ? *at : between(*at, *std::min_element(at + 1, values.end()));
  }
};

/// An integer that is ordered like the double.
inline std::uint64_t ordered_bits(double v) {
  const auto bits = std::bit_cast<std::uint64_t>(v);
  return bits ^ ((0 - (bits >> 63)) | (std::uint64_t{1} << 63));
}

} // namespace detail

/// numpy's quantile(values, q, method="linear") of the finite values; reorders `values`.
inline double linear_quantile(std::vector<double>& values, double q) {
  std::erase_if(values, [](double v) { return !std::isfinite(v); });
  return detail::quantile_position(q, values.size()).of(values);
}

/// The same for a whole matrix, which is read twice and not copied: its entries are counted by their leading bits
/// (sign, exponent, five of the mantissa), and only those of the bins around the quantile are put in order.
template <class T> double clip_threshold(const cpu_executor& exec, matrix_view<const T> l, double q = 0.02) {
  constexpr int kept_bits = 17;
  constexpr std::size_t bins = std::size_t{1} << kept_bits;
  const auto bin_of = [](double v) { return static_cast<std::size_t>(detail::ordered_bits(v) >> (64 - kept_bits)); };
  // One run of rows and one table per thread; counts do not depend on their number.
  const auto runs = static_cast<std::size_t>(std::max(exec.threads, 1));
  const auto each_run = [&](const auto& body) {
    parallel_for(exec.threads, runs, [&](std::size_t r) {
      const std::size_t first = l.rows * r / runs;
      body(r, l.row_range(first, l.rows * (r + 1) / runs - first));
    });
  };
  std::vector<std::vector<std::size_t>> counts(runs);
  each_run([&](std::size_t r, matrix_view<const T> rows) {
    counts[r].resize(bins);
    for (std::size_t i = 0; i < rows.rows; ++i)
      for (const T *v = rows.row(i), *end = v + rows.cols; v < end; ++v) ++counts[r][bin_of(*v)];
  });
  for (std::size_t r = 1; r < runs; ++r)
    std::transform(counts[0].begin(), counts[0].end(), counts[r].begin(), counts[0].begin(), std::plus<>());
  const std::vector<std::size_t>& count = counts[0];

  constexpr double infinity = std::numeric_limits<double>::infinity();
  const std::size_t first = bin_of(-infinity) + 1,
                    last = bin_of(infinity); // finite values lie in [first, last)
  const auto at = [&](std::size_t bin) { return count.begin() + static_cast<std::ptrdiff_t>(bin); };
  const std::size_t finite = std::accumulate(at(first), at(last), std::size_t{0});
  const detail::quantile_position position(q, finite);
  std::size_t low = first, left_out = 0; // the bin of the value below, and how many are before it
  while (left_out + count[low] <= position.below) left_out += count[low++];
  std::size_t high = low, seen = left_out + count[low]; // the bin of the next value
  while (seen <= position.below + 1 && high + 1 < last) seen += count[++high];

  std::vector<std::vector<double>> found(runs);
  each_run([&](std::size_t r, matrix_view<const T> rows) {
    for (std::size_t i = 0; i < rows.rows; ++i)
      for (const T *v = rows.row(i), *end = v + rows.cols; v < end; ++v)
        if (const std::size_t bin = bin_of(*v); bin >= low && bin <= high) found[r].push_back(*v);
  });
  for (std::size_t r = 1; r < runs; ++r) found[0].insert(found[0].end(), found[r].begin(), found[r].end());
  return position.of(found[0], left_out);
}

/// A matrix whose low entries were raised to the threshold, and how many were.
template <class T> struct clipped_matrix {
  matrix<T> values;       // (K, N); NaN stays NaN
  double threshold = 0;   // nats
  std::size_t raised = 0; ///< entries
};

namespace detail {

/// to = max(from, threshold), possibly in place, and counts the entries that were below.
template <class T> struct clip_row {
  const T* from;
  T* to;
  std::size_t n;
  T threshold;
  std::size_t* below;

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, T>;
    using vec = simd::vec<T, W>;
    using integer = std::conditional_t<sizeof(T) == 8, std::int64_t, std::int32_t>;
    const vec least = simd::broadcast<T, W>(threshold);
    simd::vec<integer, W> count{};
    std::size_t s = 0;
    for (; s + W <= n; s += W) {
      const vec x = simd::load<T, W>(from + s);
      const auto is_below = x < least; // -1 or 0
      count -= is_below;
      simd::store<T, W>(to + s, is_below ? least : x);
    }
    *below = static_cast<std::size_t>(simd::sum<integer, W>(count));
    for (; s < n; ++s) {
      const T x = from[s];
      *below += x < threshold;
      to[s] = x < threshold ? threshold : x;
    }
  }
};

template <class T>
std::size_t clip_rows(const cpu_executor& exec, matrix_view<const T> from, matrix_view<T> to, double threshold) {
  std::vector<std::size_t> below(from.rows);
  parallel_for(exec.threads, below.size(), [&](std::size_t i) {
    simd::run(clip_row<T>{from.row(i), to.row(i), from.cols, static_cast<T>(threshold), &below[i]});
  });
  return std::accumulate(below.begin(), below.end(), std::size_t{0});
}

} // namespace detail

/// Raises entries below the threshold to it, rounded to T. -inf is raised as well: leave such texts out first.
template <class T> clipped_matrix<T> clip(const cpu_executor& exec, matrix_view<const T> l, double threshold) {
  clipped_matrix<T> out{matrix<T>(l.rows, l.cols), threshold, 0};
  out.raised = detail::clip_rows(exec, l, out.values.mutable_view(), threshold);
  return out;
}

/// The same in place.
template <class T> clipped_matrix<T> clip(const cpu_executor& exec, matrix<T>&& l, double threshold) {
  clipped_matrix<T> out{std::move(l), threshold, 0};
  out.raised = detail::clip_rows(exec, out.values.view(), out.values.mutable_view(), threshold);
  return out;
}

} // namespace llmap
