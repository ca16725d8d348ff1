// rope: rotary position embedding (formulas: forward/cpu/rope.hpp). Frequencies are computed in double on the host,
// angles in double here; an angle is off by at most 2 eps of itself, as position * frequency is.
#pragma once
#include "llmap/core/cuda/each_element.cuh"
#include "llmap/forward/cuda/positions.cuh"
#include "llmap/forward/ops.hpp"
#include "llmap/forward/rope_frequencies.hpp"
#include <numbers>

namespace llmap {

namespace gpu {

template <class T> struct fill_angle {
  const double *frequencies, *factors; // (texts or one, half), (texts or one)
  const std::int32_t *position, *table;
  std::size_t half;
  matrix_view<T> angles;
  __device__ void operator()(std::size_t r, std::size_t i) const {
    const auto own = static_cast<std::size_t>(table[r]);
    double sine, cosine; // of angle / pi: its reduction takes no table in local memory
    sincospi(static_cast<double>(position[r]) * frequencies[own * half + i] * (1 / std::numbers::pi), &sine, &cosine);
    angles(r, i) = static_cast<T>(cosine * factors[own]);
    angles(r, half + i) = static_cast<T>(sine * factors[own]);
  }
};

/// A pair of each of 16 heads: (i, i + half), or interleaved (2 i, 2 i + 1).
template <class T> struct rotate_pairs {
  static constexpr std::size_t heads_a_thread = 16;
  matrix_view<T> x;
  rotated_heads heads;
  std::size_t half;
  matrix_view<const T> angles;
  __device__ void operator()(std::size_t r, std::size_t column) const {
    const std::size_t i = column % half, begin = column / half * heads_a_thread,
                      end = min(begin + heads_a_thread, heads.heads);
    const T c = angles(r, i), s = angles(r, half + i);
    for (std::size_t h = begin; h < end; ++h) {
      T* const head = x.row(r) + h * heads.width + heads.first;
      T &a = head[heads.interleaved ? 2 * i : i], &b = head[heads.interleaved ? 2 * i + 1 : i + half];
      const T u = a, v = b;
      a = u * c - v * s;
      b = v * c + u * s;
    }
  }
};

} // namespace gpu

/// angles (T, r): cosines, then sines, of every row of a batch.
template <class T>
void fill_angles(const cuda_executor& exec, const rope_plan& plan, const ragged_batch& batch, matrix_view<T> angles) {
  const auto half = static_cast<std::size_t>(plan.dims / 2);
  LLMAP_EXPECTS(angles.rows == batch.rows() && angles.cols == 2 * half, "fill_angles: shape of the angles");
  std::vector<double> frequencies, factors;
  std::vector<std::int32_t> table(batch.rows(), 0);
  const bool own = depends_on_length(plan);
  for (std::size_t t = 0; t < (own ? batch.texts() : 1); ++t) {
    const std::size_t tokens = own ? batch.length(t) : 0;
    const std::vector<double> of_text = rope_frequencies(plan, tokens);
    frequencies.insert(frequencies.end(), of_text.begin(), of_text.end());
    factors.push_back(attention_factor(plan, tokens));
    if (own)
      for (std::size_t r = batch.offsets[t]; r < batch.offsets[t + 1]; ++r) table[r] = static_cast<std::int32_t>(t);
  }
  const auto on_device = [&](const auto& list) { return gpu::on_device(exec, list); };
  const auto f = on_device(frequencies), factor = on_device(factors);
  const auto position = on_device(gpu::positions_of(batch, {0, batch.rows()})), which = on_device(table);
  gpu::each_element(exec, batch.rows(), half,
                    gpu::fill_angle<T>{f.data(), factor.data(), position.data(), which.data(), half, angles});
}

/// Rotates heads of x (S, ...) in place; angles (S, r) of its rows.
template <class T>
void rope(const cuda_executor& exec, matrix_view<T> x, const rotated_heads& heads,
          std::type_identity_t<matrix_view<const T>> angles) {
  LLMAP_EXPECTS(x.rows == angles.rows && heads.first + angles.cols <= heads.width &&
                    heads.heads * heads.width <= x.cols,
                "rope: angles of every row of x, heads within its columns");
  using rotate = gpu::rotate_pairs<T>;
  const std::size_t half = angles.cols / 2,
                    threads = (heads.heads + rotate::heads_a_thread - 1) / rotate::heads_a_thread;
  gpu::each_element(exec, x.rows, threads * half, rotate{x, heads, half, angles});
}

} // namespace llmap
