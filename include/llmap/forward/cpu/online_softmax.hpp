// Online softmax (Milakov and Gimelshein 2018) on a tile of scores while it is in registers, shared by attention and
// the fused head. The terms of a row are exp(score - shift). The shift is near the largest score so far; it moves only
// when a score exceeds it by more than `shift_slack`, so that nearly every tile costs one exponential per score and no
// rescaling. It depends on the scores of its own row alone.
#pragma once
#include "llmap/core/vector_math.hpp"
#include "llmap/forward/cpu/matrix_tile.hpp"
#include <limits>

namespace llmap::detail {

/// The shift of a row that has seen no scores. It is finite, so that -infinity minus it is not NaN.
template <class T> inline constexpr T no_shift = std::numeric_limits<T>::lowest();
/// Far enough below exp_term_limit for the sum of any number of terms.
template <class T> inline constexpr T shift_slack = T(16);
static_assert(shift_slack<float> + 32 * 0.6931472f < simd::exp_term_limit<float>, "2^32 terms do not overflow");

/// Moves the shifts (R) of the rows that need it; moved(row, factor) must scale down the sums so far.
template <class Isa, class T, int R, class Moved>
LLMAP_INLINE void move_shifts(const matrix_tile<Isa, T, R>& score, T* shift, const Moved& moved) {
  constexpr int W = simd::width<Isa, T>;
  using vector = simd::vec<T, W>;
  vector excess = simd::broadcast<T, W>(-std::numeric_limits<T>::infinity());
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i) // in this order a NaN, which fails every comparison, does not hide the rows before it
    excess = simd::maximum<T, W>(simd::maximum<T, W>(score.c[i][0], score.c[i][1]) - shift[i], excess);
  if (!(simd::maximum<T, W>(excess) > shift_slack<T>)) return;
  T most[R * W]; // through memory, so that the tile itself stays in registers
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i) simd::store<T, W>(most + i * W, simd::maximum<T, W>(score.c[i][0], score.c[i][1]));
  for (int i = 0; i < R; ++i) {
    const T top = simd::maximum<T, W>(simd::load<T, W>(most + i * W));
    if (!(top - shift[i] > shift_slack<T>)) continue;
    moved(static_cast<std::size_t>(i), simd::exp<T, W>(vector{} + (shift[i] - top))[0]);
    shift[i] = top;
  }
}

/// p[i] *= factor; n a multiple of the vector width.
template <class Isa, class T> LLMAP_INLINE void scale_by(T* p, std::size_t n, T factor) {
  constexpr int W = simd::width<Isa, T>;
  for (std::size_t i = 0; i < n; i += W) simd::store<T, W>(p + i, simd::load<T, W>(p + i) * factor);
}

} // namespace llmap::detail
