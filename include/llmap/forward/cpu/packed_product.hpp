// X W^T by tiles, each finished while it is in registers; shared by linear and the fused head.
//
// A task takes a block of packed rows of X, which stays in the second-level cache, and streams panels of W past it. K
// is cut into even blocks of at most max_depth; if there is more than one, the unfinished tiles of a few panels wait in
// `scratch`. Panels stored in a narrower type are widened block by block into `scratch`, once for all rows of the task,
// while the first strip of rows is multiplied; codes are widened before it.
#pragma once
#include "llmap/forward/cpu/packed_matrix.hpp"
#include "llmap/forward/cpu/packed_rows.hpp"
#include "llmap/forward/cpu/widen_codes.hpp"
#include <algorithm>

namespace llmap {

namespace detail {

inline constexpr std::size_t panels_waiting = 8; // panels of unfinished tiles

/// Elements of scratch that multiply_panels needs for `rows` rows of K columns.
template <class T> std::size_t product_scratch(std::size_t rows, std::size_t K) {
  const std::size_t depth = depth_block(K), waiting = K > max_depth ? panels_waiting * rows : 0;
  return (depth + simd::tile_rows() + waiting) * simd::panel_width<T>();
}

/// Widens a block of a panel to T, and multiplies the first strip of rows by it on the way, if that is a whole strip.
template <class T, class Stored> struct widen_task {
  const Stored* stored; // (depth, NR), or pairs of it
  std::size_t depth;
  T* out;           // (depth, NR), and room for an even depth
  const T* strip;   // (depth, R) of x, or null
  T* sums;          // (R, NR)
  const char* next; // prefetched meanwhile
  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr std::size_t NR = simd::panel_columns<Isa, T>;
    if (strip) {
      matrix_tile<Isa, T, Isa::tile_rows> tile;
      tile.clear();
      tile.multiply_add(depth, strip, 1, Isa::tile_rows, widened_rows<Isa, T, Stored>{stored, out}, next);
      tile.store(sums, NR);
    } else {
      using rows = widened_rows<Isa, T, Stored>;
      rows panel{stored, out};
      simd::vec<T, rows::W> row[rows::V];
      for (std::size_t k = 0; k < depth; k += rows::period) {
        panel.template next<0>(row);
        if constexpr (rows::period == 2) panel.template next<1>(row); // beyond an odd depth: a row of zeros
      }
    }
  }
};

/// Multiplies all rows of a task by one block of one panel; `pairs`: elements of x and of the block are bf16 pairs.
template <class T, bool pairs, class Finish> struct panel_task {
  const T* x; // packed rows (rows, K)
  std::size_t rows, K, k, depth;
  const T* block;      // (depth, NR)
  const T* first_sums; // (R, NR) of the first strip, or null: not multiplied yet
  T* unfinished;       // (rows, NR)
  const char* next;    // prefetched meanwhile, a share with each strip
  std::size_t next_bytes;
  std::size_t panel;
  Finish finish;

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr std::size_t NR = simd::panel_columns<Isa, T>;
    for_strips<Isa>(
        rows, [&]<int R>(std::size_t r) __attribute__((always_inline)) {
          matrix_tile<Isa, T, R> tile;
          tile.clear();
          const T* strip = x + r * K + k * R;
          const std::size_t fetched = r / Isa::tile_rows * depth * 16;
          if constexpr (!pairs) {
            if (R == Isa::tile_rows && r == 0 && first_sums) tile.load(first_sums, NR);
            else tile.multiply_add(depth, strip, 1, R, block, fetched < next_bytes ? next + fetched : nullptr);
          } else {
#if defined(__x86_64__)
            alignas(64) T sums[R * NR];
            tile.store(sums, NR);
            multiply_add_pairs<R>(sums, depth, reinterpret_cast<const bf16_pair*>(strip),
                                  reinterpret_cast<const bf16_pair*>(block));
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
void multiply_panels(const T* x, std::size_t rows, const packed_matrix<T>& w, std::size_t first_panel,
                     std::size_t panels, T* scratch, const Finish& finish) {
  constexpr bool in_codes = std::is_same_v<Stored, codes_as<T>> || std::is_same_v<Stored, codes_as<bf16_pair>>;
  constexpr bool pairs = std::is_same_v<Stored, bf16_pair> || std::is_same_v<Stored, codes_as<bf16_pair>>;
  const std::size_t K = w.depth(), NR = w.panel, step = depth_block(K), end = first_panel + panels;
  const std::size_t R = simd::tile_rows();
  const auto run = [](const auto& kernel) {
    if constexpr (pairs) simd::run_with_bf16_products(kernel);
    else simd::run(kernel);
  };
  T *widened = scratch, *sums = widened + step * NR, *waiting = sums + R * NR;
  for (std::size_t group = first_panel; group < end; group += panels_waiting) {
    const std::size_t group_end = std::min(end, group + panels_waiting);
    std::size_t k = 0;
    do {
      const std::size_t depth = std::min(step, K - k);
      for (std::size_t p = group; p < group_end; ++p) {
        const auto place = [&](std::size_t panel, std::size_t row) {
          if constexpr (in_codes) {
            const auto [of, number] = w.panel_in_codes(panel);
            return of->words(number, pairs ? 2 * row : row);
          } else {
            return w.template panel_data<Stored>(panel) + row * NR;
          }
        };
        const auto* stored = place(p, k);
        // Prefetched: the next panel, else the next block of K, else the first panel of the next task.
        const bool last = p + 1 == group_end, turn = last && k + depth < K;
        const auto* next =
            reinterpret_cast<const char*>(place(turn ? group : std::min(p + 1, w.panels() - 1), turn   ? k + depth
                                                                                                : last ? 0
                                                                                                       : k));
        std::size_t next_bytes = depth * NR * sizeof(*stored);
        const T *block = widened, *first_sums = nullptr;
        if constexpr (in_codes) {
          using wide = std::conditional_t<pairs, bf16_pair, T>;
          const auto [of, number] = w.panel_in_codes(p);
          const std::size_t first = pairs ? 2 * k : k, past = std::min(w.cols, pairs ? 2 * (k + depth) : k + depth);
          run(widen_codes_task<wide>{of, number, first, past, w.type == dtype::f64, reinterpret_cast<wide*>(widened)});
          next_bytes = (past - first) * NR * static_cast<std::size_t>(of->how().bits) / 8;
        } else if constexpr (std::is_same_v<Stored, T> || pairs) {
          block = reinterpret_cast<const T*>(stored);
        } else {
          if (rows >= R) first_sums = sums;
          simd::run(widen_task<T, Stored>{stored, depth, widened, first_sums ? x + k * R : nullptr, sums, next});
        }
        run(panel_task<T, pairs, Finish>{x, rows, K, k, depth, block, first_sums, waiting + (p - group) * rows * NR,
                                         next, next_bytes, p, finish});
      }
      k += depth;
    } while (k < K);
  }
}

} // namespace detail

} // namespace llmap
