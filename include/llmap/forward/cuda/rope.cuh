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
  __device__ void operator()(std::size_t r, std::size_t end, std::size_t i) const {
    for (; r < end; ++r) {
      const auto own = static_cast<std::size_t>(table[r]);
      double sine, cosine; // of angle / pi: its reduction takes no table in local memory
      sincospi(static_cast<double>(position[r]) * frequencies[own * half + i] * (1 / std::numbers::pi), &sine, &cosine);
      angles(r, i) = static_cast<T>(cosine * factors[own]);
      angles(r, half + i) = static_cast<T>(sine * factors[own]);
    }
  }
};

/// A pair of each of 16 heads: (i, i + half), or interleaved (2 i, 2 i + 1).
template <class T> struct rotate_pairs {
  static constexpr std::size_t heads_a_thread = 16;
  matrix_view<T> x;
  rotated_heads heads;
  std::size_t half;
  matrix_view<const T> angles;

  /// rotate(begin of a head, i, cosine, sine)
  template <class Rotate> __device__ void each_head(std::size_t r, std::size_t column, const Rotate& rotate) const {
    const std::size_t i = column % half, begin = column / half * heads_a_thread,
                      end = min(begin + heads_a_thread, heads.heads);
    const T c = angles(r, i), s = angles(r, half + i);
    for (std::size_t h = begin; h < end; ++h) rotate(x.row(r) + h * heads.width + heads.first, i, c, s);
  }
  __device__ void operator()(std::size_t r, std::size_t column) const {
    each_head(r, column, [&](T* head, std::size_t i, T c, T s) {
      T &a = head[heads.interleaved ? 2 * i : i], &b = head[heads.interleaved ? 2 * i + 1 : i + half];
      const T u = a, v = b;
      a = u * c - v * s;
      b = v * c + u * s;
    });
  }
};
/// The same of interleaved pairs that lie so that one can be read at once.
template <class T> struct rotate_whole_pairs {
  rotate_pairs<T> of;
  struct alignas(2 * sizeof(T)) pair {
    T first, second;
  };
  __device__ void operator()(std::size_t r, std::size_t column) const {
    of.each_head(r, column, [&](T* head, std::size_t i, T c, T s) {
      pair& own = reinterpret_cast<pair*>(head)[i];
      const pair v = own;
      own = {v.first * c - v.second * s, v.second * c + v.first * s};
    });
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
  gpu::each_strip(exec, batch.rows(), half,
                  gpu::fill_angle<T>{f.data(), factor.data(), position.data(), which.data(), half, angles});
}

/// Rotates heads of x (S, ...) in place; angles (S, r) of its rows.
template <class T>
void rope(const cuda_executor& exec, matrix_view<T> x, const rotated_heads& heads,
          std::type_identity_t<matrix_view<const T>> angles) {
  LLMAP_EXPECTS(x.rows == angles.rows && heads.first + angles.cols <= heads.width &&
                    heads.heads * heads.width <= x.cols,
                "rope: angles of every row of x, heads within its columns");
  const gpu::rotate_pairs<T> rotate{x, heads, angles.cols / 2, angles};
  const std::size_t threads = (heads.heads + rotate.heads_a_thread - 1) / rotate.heads_a_thread * rotate.half;
  const bool aligned = reinterpret_cast<std::uintptr_t>(x.data + heads.first) % (2 * sizeof(T)) == 0 &&
                       x.stride % 2 == 0 && heads.width % 2 == 0;
  if (heads.interleaved && aligned) gpu::each_element(exec, x.rows, threads, gpu::rotate_whole_pairs<T>{rotate});
  else gpu::each_element(exec, x.rows, threads, rotate);
}

} // namespace llmap
