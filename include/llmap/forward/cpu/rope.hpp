// rope: rotary position embedding. Rotates the pairs (i, i + r/2), or if interleaved (2i, 2i + 1), of r dims of a head:
//   x_i' = x_i cos - x_j sin,  x_j' = x_j cos + x_i sin,  angle = position * frequency_i.
// Angles are computed in double and rounded once.
#pragma once
#include "llmap/core/simd.hpp"
#include "llmap/forward/cpu/executor.hpp"
#include "llmap/forward/ops.hpp"
#include "llmap/forward/rope_frequencies.hpp"

namespace llmap {

/// angles (T, r): cosines, then sines, of every row of a batch.
template <class T>
void fill_angles(const cpu_executor& exec, const rope_plan& plan, const ragged_batch& batch, matrix_view<T> angles) {
  const auto half = static_cast<std::size_t>(plan.dims / 2);
  LLMAP_EXPECTS(angles.rows == batch.rows() && angles.cols == 2 * half, "fill_angles: shape of the angles");
  const std::vector<double> fixed = rope_frequencies(plan, 0);
  for_row_blocks(exec, batch.rows(), 64, [&](std::size_t first, std::size_t count) {
    for_parts(batch, {first, count}, [&](std::size_t text, std::size_t position, std::size_t n) {
      const std::vector<double> own = depends_on_length(plan) ? rope_frequencies(plan, batch.length(text)) : fixed;
      const double factor = attention_factor(plan, batch.length(text));
      for (const std::size_t end = position + n; position < end; ++position) {
        T* row = angles.row(batch.offsets[text] + position);
        for (std::size_t i = 0; i < half; ++i) {
          const double angle = static_cast<double>(position) * own[i];
          row[i] = static_cast<T>(std::cos(angle) * factor);
          row[half + i] = static_cast<T>(std::sin(angle) * factor);
        }
      }
    });
  });
}

namespace detail {
template <class T> struct rope_task {
  matrix_view<T> x;
  rotated_heads heads;
  matrix_view<const T> angles;
  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, T>;
    const std::size_t half = angles.cols / 2;
    for (std::size_t r = 0; r < x.rows; ++r) {
      const T *cosine = angles.row(r), *sine = cosine + half;
      for (std::size_t h = 0; h < heads.heads; ++h) {
        T *a = x.row(r) + h * heads.width + heads.first, *b = a + half;
        std::size_t i = 0;
        if (heads.interleaved) {
          for (; i < half; ++i) {
            const T u = a[2 * i], v = a[2 * i + 1];
            a[2 * i] = u * cosine[i] - v * sine[i];
            a[2 * i + 1] = v * cosine[i] + u * sine[i];
          }
          continue;
        }
        for (; i + W <= half; i += W) {
          const auto u = simd::load<T, W>(a + i), v = simd::load<T, W>(b + i), c = simd::load<T, W>(cosine + i),
                     s = simd::load<T, W>(sine + i);
          simd::store<T, W>(a + i, u * c - v * s);
          simd::store<T, W>(b + i, v * c + u * s);
        }
        for (; i < half; ++i) {
          const T u = a[i], v = b[i];
          a[i] = u * cosine[i] - v * sine[i];
          b[i] = v * cosine[i] + u * sine[i];
        }
      }
    }
  }
};
} // namespace detail

/// Rotates heads of x (S, ...) in place; angles (S, r) of its rows.
template <class T>
void rope(const cpu_executor& exec, matrix_view<T> x, const rotated_heads& heads,
          std::type_identity_t<matrix_view<const T>> angles) {
  LLMAP_EXPECTS(x.rows == angles.rows && heads.first + angles.cols <= heads.width &&
                    heads.heads * heads.width <= x.cols,
                "rope: angles of every row of x, heads within its columns");
  for_row_blocks(exec, x.rows, 32, [&](std::size_t first, std::size_t count) {
    simd::run(detail::rope_task<T>{x.row_range(first, count), heads, angles.row_range(first, count)});
  });
}

} // namespace llmap
