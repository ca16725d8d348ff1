// Activations (M, K) packed for matrix_tile. Rows are grouped into blocks; a task takes one block or a few. A block is
// a sequence of strips of R rows (for_strips), each stored [K][R]: a tile reads one stream of memory, whatever the row
// stride of x. The strip that begins at row r begins at element r * K. Ops that produce activations row by row (norm,
// activate) pack them as they write them.
#pragma once
#include "llmap/core/view.hpp"
#include "llmap/forward/cpu/bf16_products.hpp"
#include "llmap/forward/cpu/executor.hpp"
#include "llmap/forward/cpu/matrix_tile.hpp"
#include "llmap/forward/executor.hpp"
#include <algorithm>
#include <unistd.h>
#include <vector>

namespace llmap {

namespace detail {

inline constexpr std::size_t max_depth = 1024; // a block of a panel and of the rows fits the second-level cache

/// Bytes of activations that a task works on: they share the second-level cache with a panel of weights.
inline std::size_t row_block_bytes() {
  static const std::size_t bytes = [] {
    long cache = 0;
#if defined(_SC_LEVEL2_CACHE_SIZE)
    cache = ::sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
    return std::clamp<std::size_t>(cache > 0 ? static_cast<std::size_t>(cache) : 0, std::size_t{512} << 10,
                                   std::size_t{2} << 20) *
           5 / 8;
  }();
  return bytes;
}

/// K is cut into blocks of this many columns; even, so that pairs stay together.
constexpr std::size_t depth_block(std::size_t K) {
  const std::size_t blocks = (K + max_depth - 1) / max_depth;
  return blocks ? ((K + blocks - 1) / blocks + 1) / 2 * 2 : 0;
}

/// Rows of a block. Blocks are even, fit the cache and have whole strips of 4. All threads get equally many blocks if
/// these then have enough rows for a panel of weights.
template <class T> std::size_t rows_per_block(std::size_t M, std::size_t K, int threads) {
  constexpr std::size_t enough = 64, unit = 4;
  const std::size_t R = simd::tile_rows(), thread_count = static_cast<std::size_t>(std::max(threads, 1));
  const std::size_t most = std::max(4 * R, row_block_bytes() / (std::max<std::size_t>(depth_block(K), 1) * sizeof(T)));
  std::size_t blocks = (M + most - 1) / most;
  const std::size_t even = (blocks + thread_count - 1) / thread_count * thread_count;
  if (even * enough <= M) blocks = even;
  return blocks ? ((M + blocks - 1) / blocks + unit - 1) / unit * unit : unit;
}

/// out (K, R) from R rows of K elements that begin at row(0), row(1), ...
template <class Isa, class T, int R, class Row> LLMAP_INLINE void pack_strip(std::size_t K, const Row& row, T* out) {
  std::size_t k = 0;
  if constexpr (R >= 4) {
    for (; k + 4 <= K; k += 4)
      for (int i = 0; i < R; i += 4) { // the last group of rows may overlap the one before it
        const int g = i + 4 <= R ? i : R - 4;
        simd::vec<T, 4> block[4];
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) block[j] = simd::load<T, 4>(row(static_cast<std::size_t>(g + j)) + k);
        simd::transpose<T>(block);
#pragma GCC unroll 4
        for (int j = 0; j < 4; ++j) simd::store<T, 4>(out + (k + static_cast<std::size_t>(j)) * R + g, block[j]);
      }
  }
  for (; k < K; ++k)
    for (std::size_t i = 0; i < R; ++i) out[k * R + i] = row(i)[k];
}

template <class T> struct pack_rows_task {
  matrix_view<const T> x;
  T* out;
  template <class Isa> LLMAP_INLINE void operator()() const {
    for_strips<Isa>(
        x.rows, [&]<int R>(std::size_t r) __attribute__((always_inline)) {
          pack_strip<Isa, T, R>(
              x.cols, [&](std::size_t i) __attribute__((always_inline)) { return x.row(r + i); }, out + r * x.cols);
        });
  }
};

} // namespace detail

/// One buffer per thread, kept for its next task.
template <class T> class thread_buffers {
  std::vector<aligned_buffer<T>> buffers_;

public:
  /// Called before a loop on this many threads.
  void prepare(int threads) {
    buffers_.resize(std::max(buffers_.size(), static_cast<std::size_t>(std::max(threads, 1))));
  }
  /// Room for `size` elements; valid until the thread asks again.
  T* of(std::size_t thread, std::size_t size) {
    buffers_[thread].resize(size);
    return buffers_[thread].data();
  }
};

/// Packed activations, in T or as bf16 pairs, in memory that is kept from use to use.
template <class T> class packed_rows {
  aligned_buffer<T> storage_;

public:
  std::size_t rows = 0, cols = 0;               // (M, K)
  std::size_t block = 1;                        // rows of a block
  compute_type compute = compute_type::working; // bf16: [(K + 1) / 2][R] of bf16_pair; read when the rows are filled

  /// Factors of a dot product: cols, or pairs of them.
  std::size_t depth() const { return compute == compute_type::bf16 ? (cols + 1) / 2 : cols; }
  std::size_t blocks() const { return (rows + block - 1) / block; } ///< of `block` rows, the last one shorter
  /// The packed rows of a block and those after it: T, or pairs.
  const T* data(std::size_t number) const { return storage_.data() + number * block * depth(); }

  /// Fills (M, K) strip by strip: produce(first, count, out) writes rows first, first + 1, ... to out (count, K), which
  /// is packed while it is still in the cache. Rows are shared among threads.
  template <class Produce>
  void fill(const cpu_executor& exec, std::size_t M, std::size_t K, thread_buffers<T>& room, const Produce& produce) {
    reshape(exec, M, K);
    for_each_strip(exec, room, [&](std::size_t first, std::size_t count, std::size_t thread) {
      const matrix_view<T> made(room.of(thread, count * K + (count + 2) * depth()), count, K);
      produce(first, count, made);
      pack(made, first, made.row(count));
    });
  }
  /// The same from rows that lie in x.
  void fill(const cpu_executor& exec, matrix_view<const T> x, thread_buffers<T>& room) {
    reshape(exec, x.rows, x.cols);
    for_each_strip(exec, room, [&](std::size_t first, std::size_t count, std::size_t thread) {
      pack(x.row_range(first, count), first,
           compute == compute_type::bf16 ? room.of(thread, (count + 2) * depth()) : nullptr);
    });
  }

  /// Rows first, first + 1, ... as they were, to out (count, cols). Not for pairs.
  void unpack(std::size_t first, matrix_view<T> out) const {
    for (std::size_t i = 0; i < out.rows; ++i) {
      const std::size_t begin = (first + i) / block * block, row = first + i - begin;
      const auto [strip, R] = strip_of(row, std::min(block, rows - begin));
      const T* from = storage_.data() + (begin + strip) * cols + (row - strip);
      for (std::size_t k = 0; k < cols; ++k) out(i, k) = from[k * R];
    }
  }

private:
  void reshape(const cpu_executor& exec, std::size_t M, std::size_t K) {
    rows = M, cols = K;
    block = detail::rows_per_block<T>(M, depth(), exec.threads);
    storage_.resize(M * depth());
  }
  /// The first row of a row's strip and the rows of that strip, among m rows: the order of for_strips.
  static std::pair<std::size_t, std::size_t> strip_of(std::size_t row, std::size_t m) {
    const std::size_t R = simd::tile_rows(), whole = m / R * R, fours = R > 4 ? whole + (m - whole) / 4 * 4 : whole;
    if (row < whole) return {row / R * R, R};
    if (row < fours) return {whole + (row - whole) / 4 * 4, 4};
    return {row, 1};
  }
  template <class Body> void for_each_strip(const cpu_executor& exec, thread_buffers<T>& room, const Body& body) {
    room.prepare(exec.threads);
    const std::size_t R = simd::tile_rows(), strips = (block + R - 1) / R;
    parallel_for(exec.threads, blocks() * strips, [&](std::size_t task, std::size_t thread) {
      const std::size_t begin = task / strips * block, end = std::min(rows, begin + block),
                        first = begin + task % strips * R;
      if (first < end) body(first, std::min(R, end - first), thread);
    });
  }
  /// `scratch` holds the rows as pairs, and one padded row, meanwhile.
  void pack(matrix_view<const T> x, std::size_t first, T* scratch) {
    T* const out = storage_.data() + first * depth();
    if constexpr (std::is_same_v<T, float>) {
      if (compute == compute_type::bf16) { // a pair is moved as the float of its bits
        const matrix_view<T> pairs(scratch, x.rows, depth());
        T* const padded = scratch + x.rows * depth();
        for (std::size_t r = 0; r < x.rows; ++r) {
          const T* row = x.row(r);
          if (cols % 2) {
            std::copy_n(row, cols, padded);
            padded[cols] = 0;
            row = padded;
          }
          simd::run(detail::round_to_pairs_task{row, reinterpret_cast<bf16_pair*>(pairs.row(r)), 2 * depth()});
        }
        return simd::run(detail::pack_rows_task<T>{pairs, out});
      }
    }
    simd::run(detail::pack_rows_task<T>{x, out});
  }
};

/// Working memory of ops.
template <class T> struct cpu_scratch {
  thread_buffers<T> threads; ///< one a thread
  packed_rows<T> packed;     // rows that linear packs itself
  packed_rows<T> rounded;    // those whose inputs it rounds
  aligned_buffer<T> partial; // a product of which some columns count
};

} // namespace llmap
