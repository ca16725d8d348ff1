// X W^T by tiles, each finished while it is in registers: what linear and the fused head share.
//
// A task takes a block of packed rows of X, which stays in the second-level cache, and streams panels of W past it. K is
// cut into even blocks of at most max_depth; where there is more than one, the unfinished tiles of a few panels wait in
// `scratch`. Panels stored in a narrower type are widened block by block into `scratch`, once for all rows of the task.
#pragma once
#include "llmap/forward/packed_matrix.hpp"
#include "llmap/forward/packed_rows.hpp"
#include <algorithm>
#include <unistd.h>

namespace llmap {

namespace detail {

inline constexpr std::size_t max_depth = 1024;      // a block of a panel and of the rows fit the second-level cache
inline constexpr std::size_t panels_waiting = 8;    // panels of unfinished tiles

/// Bytes of activations that a task works on: they share the second-level cache with a panel of weights.
inline std::size_t row_block_bytes() {
  static const std::size_t bytes = [] {
    long cache = 0;
#if defined(_SC_LEVEL2_CACHE_SIZE)
    cache = ::sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
    return std::clamp<std::size_t>(cache > 0 ? static_cast<std::size_t>(cache) : 0, std::size_t{512} << 10, std::size_t{2} << 20) * 5 / 8;
  }();
  return bytes;
}

/// K cut into blocks of this many columns.
constexpr std::size_t depth_block(std::size_t K) {
  const std::size_t blocks = (K + max_depth - 1) / max_depth;
  return blocks ? (K + blocks - 1) / blocks : 0;
}

/// Rows of a task: even blocks of whole tiles that fit the cache; as many for every thread, where that leaves enough rows for a
/// panel of weights.
template <class T> std::size_t rows_per_task(std::size_t M, std::size_t K, int threads) {
  constexpr std::size_t enough = 96;
  const std::size_t R = simd::tile_rows(), thread_count = static_cast<std::size_t>(std::max(threads, 1));
  const std::size_t most = std::max(4 * R, row_block_bytes() / (std::max<std::size_t>(depth_block(K), 1) * sizeof(T)));
  std::size_t blocks = (M + most - 1) / most;
  const std::size_t even = (blocks + thread_count - 1) / thread_count * thread_count; // as many for every thread
  if (even * enough <= M) blocks = even;
  return blocks ? ((M + blocks - 1) / blocks + R - 1) / R * R : R;
}

/// Elements of scratch that multiply_panels needs for `rows` rows of K columns.
template <class T> std::size_t product_scratch(std::size_t rows, std::size_t K) {
  const std::size_t depth = depth_block(K), waiting = K > max_depth ? panels_waiting * rows : 0;
  return (depth + waiting) * simd::panel_width<T>();
}

/// A block of a panel widened to T.
template <class T, class Stored> struct widen_task {
  const Stored* stored;
  std::size_t n; // a multiple of the panel width
  T* out;
  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, T>;
    for (std::size_t i = 0; i < n; i += W) simd::store<T, W>(out + i, simd::widen<T, W>(stored + i));
  }
};

/// All rows of a task times one block of one panel; `pairs`: every element of x and of the block is a bf16 pair.
template <class T, bool pairs, class Finish> struct panel_task {
  const T* x;           // packed rows (rows, K)
  std::size_t rows, K, k, depth;
  const T* block;       // (depth, NR)
  T* unfinished;        // (rows, NR)
  const char* next;     // what is fetched meanwhile, a share with each strip
  std::size_t next_bytes;
  std::size_t panel;
  Finish finish;

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr std::size_t NR = simd::panel_columns<Isa, T>;
    for_strips<Isa>(rows, [&]<int R>(std::size_t r) __attribute__((always_inline)) {
      matrix_tile<Isa, T, R> tile;
      tile.clear();
      const T* strip = x + r * K + k * R;
      const std::size_t fetched = r / Isa::tile_rows * depth * 16;
      if constexpr (!pairs) {
        tile.multiply_add(depth, strip, 1, R, block, fetched < next_bytes ? next + fetched : nullptr);
      } else if constexpr (Isa::bytes == 64) { // the only one that bf16 products run under
#if defined(__x86_64__)
        alignas(64) T sums[R * NR];
        tile.store(sums, NR);
        multiply_add_pairs<R>(sums, depth, reinterpret_cast<const bf16_pair*>(strip), reinterpret_cast<const bf16_pair*>(block));
        tile.load(sums, NR);
#endif
      }
      if (k > 0) tile.add(unfinished + r * NR, NR);
      if (k + depth < K) tile.store(unfinished + r * NR, NR);
      else finish(r, panel, tile);
    });
  }
};

/// X (rows, K) times some panels of w. finish(row, panel, matrix_tile<Isa, T, R>&) is called for every tile: rows row,
/// row + 1, ... of x, the columns of one panel; panels in ascending order.
template <class T, class Stored, class Finish>
void multiply_panels(const T* x, std::size_t rows, const packed_matrix<T>& w, std::size_t first_panel, std::size_t panels, T* scratch,
                     const Finish& finish) {
  constexpr bool pairs = std::is_same_v<Stored, bf16_pair>;
  const std::size_t K = w.depth(), NR = w.panel, step = depth_block(K), end = first_panel + panels;
  T *widened = scratch, *waiting = scratch + step * NR;
  for (std::size_t group = first_panel; group < end; group += panels_waiting) {
    const std::size_t group_end = std::min(end, group + panels_waiting);
    std::size_t k = 0;
    do {
      const std::size_t depth = std::min(step, K - k);
      for (std::size_t p = group; p < group_end; ++p) {
        const Stored* stored = w.template panel_data<Stored>(p) + k * NR;
        const T* block = widened;
        if constexpr (std::is_same_v<Stored, T> || pairs) block = reinterpret_cast<const T*>(stored);
        else simd::run(widen_task<T, Stored>{stored, depth * NR, widened});
        // What comes next: of this block of K, of the next one, or of the next task, which most often is the same thread's.
        const bool last = p + 1 == group_end, turn = last && k + depth < K;
        const Stored* next = w.template panel_data<Stored>(turn ? group : std::min(p + 1, w.panels() - 1)) + (turn ? k + depth : last ? 0 : k) * NR;
        simd::run(panel_task<T, pairs, Finish>{x, rows, K, k, depth, block, waiting + (p - group) * rows * NR, reinterpret_cast<const char*>(next),
                                        depth * NR * sizeof(Stored), p, finish});
      }
      k += depth;
    } while (k < K);
  }
}

} // namespace detail

} // namespace llmap
