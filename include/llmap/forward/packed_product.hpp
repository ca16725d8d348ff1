// X W^T by tiles, each finished while it is in registers: what linear and the fused head share.
//
// A task takes a block of packed rows of X, which stays in the second-level cache, and streams panels of W past it. K is
// cut into even blocks of at most max_depth; where there is more than one, the unfinished tiles of a few panels wait in
// `scratch`. Panels stored in a narrower type are widened block by block into `scratch`, once for all rows of the task.
#pragma once
#include "llmap/forward/packed_matrix.hpp"
#include "llmap/forward/packed_rows.hpp"

namespace llmap {

namespace detail {

inline constexpr std::size_t max_depth = 1024;      // a block of a panel and of the rows fit the second-level cache
inline constexpr std::size_t row_block_bytes = 384 * 1024;
inline constexpr std::size_t panels_waiting = 8;    // panels of unfinished tiles

/// K cut into blocks of this many columns.
constexpr std::size_t depth_block(std::size_t K) {
  const std::size_t blocks = (K + max_depth - 1) / max_depth;
  return blocks ? (K + blocks - 1) / blocks : 0;
}

/// Rows of a task: even blocks of whole tiles that fit the cache.
template <class T> std::size_t rows_per_task(std::size_t M, std::size_t K) {
  const std::size_t R = simd::tile_rows();
  const std::size_t most = std::max(4 * R, row_block_bytes / (std::max<std::size_t>(depth_block(K), 1) * sizeof(T)));
  const std::size_t blocks = (M + most - 1) / most;
  return blocks ? ((M + blocks - 1) / blocks + R - 1) / R * R : R;
}

/// A buffer of the calling thread, kept for its next task.
template <class T> T* thread_scratch(std::size_t size) {
  static thread_local aligned_buffer<T> scratch;
  scratch.resize(size);
  return scratch.data();
}

/// Elements of scratch that product_task needs for `rows` rows of K columns.
template <class T> std::size_t product_scratch(std::size_t rows, std::size_t K) {
  const std::size_t depth = depth_block(K), waiting = K > max_depth ? panels_waiting * rows : 0;
  return (depth + waiting) * simd::panel_width<T>();
}

/// Finish is called as finish(row, panel, matrix_tile<Isa, T, R>&) for every tile: rows row, row + 1, ... of the
/// task, the columns of one panel; panels in ascending order.
template <class T, class Stored, class Finish> struct product_task {
  const T* x;                 // packed rows (rows, K)
  std::size_t rows;
  const packed_matrix<T>* w;  // (N, K)
  std::size_t first_panel, panels;
  T* scratch;
  Finish finish;

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr std::size_t NR = simd::panel_columns<Isa, T>;
    constexpr int W = simd::width<Isa, T>;
    const std::size_t K = w->cols, depth = depth_block(K), end = first_panel + panels;
    T *widened = scratch, *waiting = scratch + depth * NR;
    for (std::size_t group = first_panel; group < end; group += panels_waiting) {
      std::size_t k = 0;
      do {
        const std::size_t count = K - k < depth ? K - k : depth;
        for (std::size_t p = group; p < end && p < group + panels_waiting; ++p) {
          const Stored* stored = w->template panel_data<Stored>(p) + k * NR;
          const T* block;
          if constexpr (std::is_same_v<Stored, T>) {
            block = stored;
          } else {
            for (std::size_t i = 0; i < count * NR; i += W) simd::store<T, W>(widened + i, simd::widen<T, W>(stored + i));
            block = widened;
          }
          // Meanwhile the panel that follows is fetched, a share of it with each strip.
          const char* next = reinterpret_cast<const char*>(w->template panel_data<Stored>(std::min(p + 1, end - 1)) + k * NR);
          const std::size_t next_bytes = count * NR * sizeof(Stored);
          T* unfinished = waiting + (p - group) * rows * NR;
          for_strips<Isa>(rows, [&]<int R>(std::size_t r) __attribute__((always_inline)) {
            matrix_tile<Isa, T, R> tile;
            if (k == 0) tile.clear();
            else tile.load(unfinished + r * NR, NR);
            const std::size_t fetched = r / Isa::tile_rows * count * 16;
            tile.multiply_add(count, x + r * K + k * R, 1, R, block, fetched < next_bytes ? next + fetched : nullptr);
            if (k + count < K) tile.store(unfinished + r * NR, NR);
            else finish(r, p, tile);
          });
        }
        k += count;
      } while (k < K);
    }
  }
};

} // namespace detail

} // namespace llmap
