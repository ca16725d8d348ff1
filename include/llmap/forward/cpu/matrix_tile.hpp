// The one inner loop of llmap: c (R, V W) += A (R, K) B (K, V W), c in registers, B a panel of V W contiguous columns.
//
// R x V vectors of c fill the registers (12 x 2 of 32, 6 x 2 of 16), so that each loaded vector of B is used R times
// and each broadcast of A is used V times. Every element of c is a sum of chains of multiply-adds in the order of K. A
// new chain begins after max_chain terms, so that a long product rounds like its short chains. The bits do not depend
// on R or on the tile an element falls in.
#pragma once
#include "llmap/core/simd.hpp"

namespace llmap {

/// The rows of a panel, (K, V W). Rows come in groups of `period`; next<i>(b) is row i of a group.
template <class Isa, class T> struct panel_rows {
  /// Lanes of a vector, vectors of a row, rows of a group.
  static constexpr int W = simd::width<Isa, T>, V = simd::tile_vectors, period = 1;
  const T* __restrict from; ///< the next row
  /// Reads a row and goes on.
  template <int> LLMAP_INLINE void next(simd::vec<T, W> (&b)[V]) {
#pragma GCC unroll 4
    for (int j = 0; j < V; ++j) b[j] = simd::load<T, W>(from + j * W);
    from += V * W;
  }
};
/// The rows of a panel stored in a narrower type; they are also written as T for later use. Two rows of a 2-byte type
/// lie as one row of pairs.
template <class Isa, class T, class Stored> struct widened_rows {
  /// As in panel_rows.
  static constexpr int W = simd::width<Isa, T>, V = simd::tile_vectors, period = sizeof(Stored) == 2 ? 2 : 1;
  const Stored* __restrict from; ///< the next group
  T* __restrict to;              ///< where the next row goes
  /// Reads a row, writes it and goes on.
  template <int i> LLMAP_INLINE void next(simd::vec<T, W> (&b)[V]) {
#pragma GCC unroll 4
    for (int j = 0; j < V; ++j) {
      if constexpr (period == 2) b[j] = simd::widen_half<T, W, i>(from + 2 * j * W);
      else b[j] = simd::widen<T, W>(from + j * W);
      simd::store<T, W>(to + j * W, b[j]);
    }
    if (i == period - 1) from += period * V * W;
    to += V * W;
  }
};

/// The sums of R rows and one panel, c (R, V W), in registers. It lives inside a kernel.
template <class Isa, class T, int R> struct matrix_tile {
  /// Rows, lanes of a vector, vectors of a row.
  static constexpr int rows = R, W = simd::width<Isa, T>, V = simd::tile_vectors;
  static constexpr std::size_t max_chain = 128; ///< products in one running sum
  using vector = simd::vec<T, W>;               ///< of W lanes
  vector c[R][V];                               ///< the sums

  /// c = 0.
  LLMAP_INLINE void clear() {
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < V; ++j) c[i][j] = vector{};
  }
  /// c = the tile at C, whose rows are ldc elements apart.
  LLMAP_INLINE void load(const T* C, std::size_t ldc) {
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < V; ++j) c[i][j] = simd::load<T, W>(C + static_cast<std::size_t>(i) * ldc + j * W);
  }
  /// The tile at C = c.
  LLMAP_INLINE void store(T* C, std::size_t ldc) const {
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < V; ++j) simd::store<T, W>(C + static_cast<std::size_t>(i) * ldc + j * W, c[i][j]);
  }
  /// c += the tile at C.
  LLMAP_INLINE void add(const T* C, std::size_t ldc) {
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < V; ++j) c[i][j] += simd::load<T, W>(C + static_cast<std::size_t>(i) * ldc + j * W);
  }
  /// c += the next row of B times a (R), elements row_stride apart.
  template <int i, class Rows>
  LLMAP_INLINE void add_product(const T* __restrict a, std::size_t row_stride, Rows& rows_of_b) {
    vector b[V];
    rows_of_b.template next<i>(b);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      // Broadcast here: GCC 12 takes a broadcast in a function of its own apart.
      const T factor = a[static_cast<std::size_t>(r) * row_stride];
#pragma GCC unroll 4
      for (int j = 0; j < V; ++j) c[r][j] += factor * b[j];
    }
  }
  /// Element (i, k) of A lies at A[i * row_stride + k * depth_stride]; rows_of_b gives the rows of B in turn. The K / 4
  /// cache lines from `ahead` on are prefetched meanwhile; null: none.
  template <class Rows>
  LLMAP_INLINE void multiply_add(std::size_t K, const T* __restrict A, std::size_t row_stride, std::size_t depth_stride,
                                 Rows rows_of_b, const char* ahead = nullptr) {
    constexpr std::size_t stretch = 32; // steps between two rounds of prefetching
    T finished[R * V * W];
    const T* before = nullptr; // the sum of the earlier chains
    for (std::size_t first = 0; first < K; first += stretch) {
      if (first && first % max_chain == 0) {
        if (before) add(before, V * W);
        store(finished, V * W);
        before = finished;
        clear();
      }
      if (ahead)
#pragma GCC unroll 8
        for (std::size_t line = 0; line < stretch / 4; ++line) __builtin_prefetch(ahead + 16 * first + 64 * line, 0, 2);
      const std::size_t end = K - first < stretch ? K : first + stretch;
      const std::size_t whole = end - (end - first) % Rows::period;
#pragma GCC unroll 1 // unrolled further, GCC 12 moves accumulators between registers
      for (std::size_t k = first; k < whole; k += Rows::period) {
        add_product<0>(A, row_stride, rows_of_b);
        if constexpr (Rows::period == 2) add_product<1>(A + depth_stride, row_stride, rows_of_b);
        A += Rows::period * depth_stride;
      }
      if constexpr (Rows::period == 2)
        if (whole < end) add_product<0>(A, row_stride, rows_of_b); // the last of an odd K
    }
    if (before) add(before, V * W);
  }
  /// The same with the rows of a panel B of T.
  LLMAP_INLINE void multiply_add(std::size_t K, const T* __restrict A, std::size_t row_stride, std::size_t depth_stride,
                                 const T* __restrict B, const char* ahead = nullptr) {
    multiply_add(K, A, row_stride, depth_stride, panel_rows<Isa, T>{B}, ahead);
  }
};

/// Cuts `rows` rows into strips as high as a tile, and the rest into strips of 4 and 1; calls
/// strip.template operator()<R>(first_row) for each.
template <class Isa, class Strip> LLMAP_INLINE void for_strips(std::size_t rows, const Strip& strip) {
  constexpr int R = Isa::tile_rows;
  std::size_t r = 0;
  for (; r + R <= rows; r += R) strip.template operator()<R>(r);
  if constexpr (R > 4)
    for (; r + 4 <= rows; r += 4) strip.template operator()<4>(r);
  for (; r < rows; ++r) strip.template operator()<1>(r);
}

} // namespace llmap
