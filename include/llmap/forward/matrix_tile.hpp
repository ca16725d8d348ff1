// The one inner loop of llmap: C (m, NR) (+)= A (m, K) * B (K, NR), B packed as a panel of NR contiguous columns.
//
// The register tile holds R x V vectors of C (6 x 2 with AVX2: 12 of 16 registers), so that each loaded B vector is
// used R times and each broadcast of A is used V times. Every element of C is one chain of multiply-adds in the
// order of K: its bits do not depend on m, on the tile it falls in, or on how K is cut into blocks.
#pragma once
#include "llmap/core/simd.hpp"

namespace llmap {

template <class Isa, class T> inline constexpr std::size_t panel_columns = Isa::tile_vectors * simd::width<Isa, T>;

template <class Isa, class T, int R>
LLMAP_INLINE void matrix_tile(std::size_t K, const T* __restrict A, std::size_t lda, const T* __restrict B, T* __restrict C,
                              std::size_t ldc, bool accumulate) {
  constexpr int W = simd::width<Isa, T>, V = Isa::tile_vectors;
  simd::vec<T, W> c[R][V];
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < V; ++j) c[i][j] = accumulate ? simd::load<T, W>(C + i * ldc + j * W) : simd::vec<T, W>{};
  for (std::size_t k = 0; k < K; ++k) {
    simd::vec<T, W> b[V];
#pragma GCC unroll 8
    for (int j = 0; j < V; ++j) b[j] = simd::load<T, W>(B + j * W);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      const T a = A[i * lda + k]; // broadcast where it is used: GCC 12 takes a broadcast in a function of its own apart
#pragma GCC unroll 8
      for (int j = 0; j < V; ++j) c[i][j] += a * b[j];
    }
    B += V * W;
  }
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < V; ++j) simd::store<T, W>(C + i * ldc + j * W, c[i][j]);
}

/// The same for any number of rows.
template <class Isa, class T>
LLMAP_INLINE void matrix_panel(std::size_t rows, std::size_t K, const T* A, std::size_t lda, const T* B, T* C, std::size_t ldc,
                               bool accumulate) {
  constexpr int R = Isa::tile_rows;
  std::size_t r = 0;
  for (; r + R <= rows; r += R) matrix_tile<Isa, T, R>(K, A + r * lda, lda, B, C + r * ldc, ldc, accumulate);
  for (; r + 2 <= rows; r += 2) matrix_tile<Isa, T, 2>(K, A + r * lda, lda, B, C + r * ldc, ldc, accumulate);
  for (; r < rows; ++r) matrix_tile<Isa, T, 1>(K, A + r * lda, lda, B, C + r * ldc, ldc, accumulate);
}

/// Columns of A taken at a time: a block of B in T (K block x NR) stays in the first-level cache.
template <class Isa, class T> inline constexpr std::size_t depth_block = 24 * 1024 / (16 * sizeof(T));

/// C (rows, NR) = A (rows, K) * panel (K, NR) with the panel in its stored type, widened block by block into
/// `scratch` (depth_block x NR elements; not used where Stored is T).
template <class Isa, class T, class Stored>
LLMAP_INLINE void stored_panel(std::size_t rows, std::size_t K, const T* A, std::size_t lda, const Stored* panel, T* scratch, T* C,
                               std::size_t ldc) {
  constexpr std::size_t NR = panel_columns<Isa, T>, step = depth_block<Isa, T>;
  constexpr int W = simd::width<Isa, T>;
  if (K == 0)
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t j = 0; j < NR; ++j) C[r * ldc + j] = T(0);
  for (std::size_t k = 0; k < K; k += step) {
    const std::size_t depth = K - k < step ? K - k : step;
    const T* block;
    if constexpr (std::is_same_v<Stored, T>) {
      block = panel + k * NR;
    } else {
      for (std::size_t i = 0; i < depth * NR; i += W) simd::store<T, W>(scratch + i, simd::widen<T, W>(panel + k * NR + i));
      block = scratch;
    }
    matrix_panel<Isa, T>(rows, depth, A + k, lda, block, C, ldc, k > 0);
  }
}

} // namespace llmap
