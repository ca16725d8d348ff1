// Clip on the device: the threshold and the contract of geometry/clip.hpp; the matrix lies on the device. The quantile
// is found by halving the range of the values, ordered as integers, and counting on which side they lie: about 40
// readings of the matrix, no copy of it, and no sum whose order could matter. The threshold is the CPU's bit by bit.
#pragma once
#include "llmap/core/cuda/matrix_buffer.cuh"
#include "llmap/core/cuda/row_values.cuh"
#include "llmap/geometry/clip.hpp"

namespace llmap {

/// A matrix whose low entries were raised to the threshold, and how many were.
template <class T> struct cuda_clipped_matrix {
  cuda_matrix_buffer<T> values; // (K, N); NaN stays NaN
  double threshold = 0;         // nats
  std::size_t raised = 0;       ///< entries
};

namespace gpu {

/// Finite values on both sides of a limit.
struct parted_values {
  static constexpr double infinity = std::numeric_limits<double>::infinity();
  unsigned long long within = 0; // how many are at most the limit
  double last = -infinity, next = infinity;

  LLMAP_HD void merge(const parted_values& other) {
    within += other.within;
    last = last < other.last ? other.last : last;
    next = other.next < next ? other.next : next;
  }
};

/// detail::ordered_bits of the device.
__device__ inline std::uint64_t ordered_key(double v) {
  const auto bits = static_cast<std::uint64_t>(__double_as_longlong(v));
  return bits ^ ((0 - (bits >> 63)) | (std::uint64_t{1} << 63));
}

template <class T> struct part_at {
  matrix_view<const T> l;
  std::uint64_t limit; // an ordered key

  __device__ void operator()(parted_values& own, std::size_t row, std::size_t column) const {
    const double v = l(row, column);
    if (!isfinite(v)) return;
    if (ordered_key(v) <= limit) own.merge({1, v, parted_values::infinity});
    else own.merge({0, -parted_values::infinity, v});
  }
};

struct raised_entries {
  unsigned long long count = 0;
  LLMAP_HD void merge(const raised_entries& other) { count += other.count; }
};
template <class T> struct raise_to {
  matrix_view<const T> from;
  matrix_view<T> to;
  T threshold;

  __device__ void operator()(raised_entries& own, std::size_t row, std::size_t column) const {
    const T v = from(row, column);
    const bool below = v < threshold;
    to(row, column) = below ? threshold : v;
    own.count += below;
  }
};

template <class V> V merged(const cuda_executor& exec, const cuda_buffer<V>& of_rows) {
  V all;
  for (const V& value : of_rows.download(exec)) all.merge(value);
  return all;
}

template <class T>
std::size_t clip_rows(const cuda_executor& exec, matrix_view<const T> from, matrix_view<T> to, double threshold) {
  cuda_buffer<raised_entries> raised;
  row_values(exec, from.rows, from.cols, raise_to<T>{from, to, static_cast<T>(threshold)}, raised);
  return merged(exec, raised).count;
}

} // namespace gpu

/// The quantile q of all finite entries.
template <class T> double clip_threshold(const cuda_executor& exec, matrix_view<const T> l, double q = 0.02) {
  cuda_buffer<gpu::parted_values> of_rows;
  const auto part = [&](std::uint64_t limit) {
    gpu::row_values(exec, l.rows, l.cols, gpu::part_at<T>{l, limit}, of_rows);
    return gpu::merged(exec, of_rows);
  };
  const gpu::parted_values all = part(~std::uint64_t{0});
  const detail::quantile_position position(q, all.within);
  std::uint64_t low = detail::ordered_bits(part(0).next), high = detail::ordered_bits(all.last);
  while (low < high) { // the value sought is in [low, high], and both are keys of values
    const std::uint64_t middle = low + (high - low) / 2;
    const gpu::parted_values parts = part(middle);
    if (parts.within > position.below) high = detail::ordered_bits(parts.last);
    else low = detail::ordered_bits(parts.next);
  }
  const gpu::parted_values parts = part(low);
  if (position.below + 1 == all.within) return parts.last;
  return position.between(parts.last, parts.within > position.below + 1 ? parts.last : parts.next);
}

/// Raises entries below the threshold to it, rounded to T. -inf is raised as well: leave such texts out first.
template <class T> cuda_clipped_matrix<T> clip(const cuda_executor& exec, matrix_view<const T> l, double threshold) {
  cuda_clipped_matrix<T> out{{}, threshold, 0};
  out.raised = gpu::clip_rows(exec, l, out.values.reshape(l.rows, l.cols), threshold);
  return out;
}

/// The same in place.
template <class T> cuda_clipped_matrix<T> clip(const cuda_executor& exec, cuda_matrix_buffer<T>&& l, double threshold) {
  cuda_clipped_matrix<T> out{std::move(l), threshold, 0};
  out.raised = gpu::clip_rows(exec, matrix_view<const T>(out.values.view()), out.values.view(), threshold);
  return out;
}

} // namespace llmap
