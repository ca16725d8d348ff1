// Clip: l = max(l, threshold), one threshold for the whole matrix: the quantile q (default 0.02) of all
// finite entries, numpy's linear rule: position q (n - 1) of the sorted entries, linear between its two
// neighbours. Few texts with a log-likelihood far below all others would otherwise decide every distance. The
// threshold belongs to the map: it is stored with it and kept when models are added later. q = 0 clips
// nothing.
#pragma once
#include "llmap/core/large_pages.hpp"
#include "llmap/core/parallel.hpp"
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
  /// `values` without the first `left_out` of their sorted order; reorders them.
  double of(std::vector<double>& values, std::size_t left_out = 0) const {
    const auto at = values.begin() + static_cast<std::ptrdiff_t>(below - left_out);
    std::nth_element(values.begin(), at, values.end());
    return at + 1 == values.end() ? *at : between(*at, *std::min_element(at + 1, values.end()));
  }
};

/// A whole number whose order is that of the doubles.
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

/// The same of a whole matrix, which is read twice and not copied: its entries are counted by their leading
/// bits (sign, exponent, five of the mantissa), and only those of the bins around the quantile are put in
/// order.
inline double clip_threshold(const row_matrix& l, double q = 0.02, int threads = default_threads()) {
  constexpr int kept_bits = 17;
  constexpr std::size_t bins = std::size_t{1} << kept_bits;
  const auto bin_of = [](double v) {
    return static_cast<std::size_t>(detail::ordered_bits(v) >> (64 - kept_bits));
  };
  // One run of the matrix and one table a thread; counts do not depend on how many there are.
  const auto size = static_cast<std::size_t>(l.size()), runs = static_cast<std::size_t>(std::max(threads, 1));
  const auto each_run = [&](const auto& body) {
    parallel_for(threads, runs, [&](std::size_t r) {
      body(r, l.data() + size * r / runs, l.data() + size * (r + 1) / runs);
    });
  };
  std::vector<std::vector<std::size_t>> counts(runs);
  each_run([&](std::size_t r, const double* from, const double* to) {
    counts[r].resize(bins);
    for (; from < to; ++from) ++counts[r][bin_of(*from)];
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
  each_run([&](std::size_t r, const double* from, const double* to) {
    for (; from < to; ++from)
      if (const std::size_t bin = bin_of(*from); bin >= low && bin <= high) found[r].push_back(*from);
  });
  for (std::size_t r = 1; r < runs; ++r) found[0].insert(found[0].end(), found[r].begin(), found[r].end());
  return position.of(found[0], left_out);
}

struct clipped_matrix {
  row_matrix values;    // (K, N); NaN stays NaN
  double threshold = 0; // nats
  std::size_t raised = 0;
};

namespace detail {

/// to = max(from, threshold), which may be the same place, and how many were below.
struct clip_row {
  const double* from;
  double* to;
  std::size_t n;
  double threshold;
  std::size_t* below;

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, double>;
    using vec = simd::vec<double, W>;
    const vec least = simd::broadcast<double, W>(threshold);
    simd::vec<std::int64_t, W> count{};
    std::size_t s = 0;
    for (; s + W <= n; s += W) {
      const vec x = simd::load<double, W>(from + s);
      const auto is_below = x < least; // -1 or 0
      count -= is_below;
      simd::store<double, W>(to + s, is_below ? least : x);
    }
    *below = static_cast<std::size_t>(simd::sum<std::int64_t, W>(count));
    for (; s < n; ++s) {
      const double x = from[s];
      *below += x < threshold;
      to[s] = x < threshold ? threshold : x;
    }
  }
};

inline std::size_t clip_rows(const row_matrix& from, row_matrix& to, double threshold, int threads) {
  const auto columns = static_cast<std::size_t>(from.cols());
  std::vector<std::size_t> below(static_cast<std::size_t>(from.rows()));
  parallel_for(threads, below.size(), [&](std::size_t i) {
    simd::run(clip_row{from.data() + i * columns, to.data() + i * columns, columns, threshold, &below[i]});
  });
  return std::accumulate(below.begin(), below.end(), std::size_t{0});
}

} // namespace detail

/// Raises what lies below the threshold to it. -inf is raised as well: leave such texts out first.
inline clipped_matrix clip(const row_matrix& l, double threshold, int threads = default_threads()) {
  clipped_matrix out{row_matrix(l.rows(), l.cols()), threshold, 0};
  advise_large_pages(out.values.data(), static_cast<std::size_t>(out.values.size()) * sizeof(double));
  out.raised = detail::clip_rows(l, out.values, threshold, threads);
  return out;
}

/// The same in the matrix itself.
inline clipped_matrix clip(row_matrix&& l, double threshold, int threads = default_threads()) {
  clipped_matrix out{std::move(l), threshold, 0};
  out.raised = detail::clip_rows(out.values, out.values, threshold, threads);
  return out;
}

} // namespace llmap
