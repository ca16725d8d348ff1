// Sums over texts for every pair of rows, as fast as a matrix product:
//   out(i, j) = sum_s term(x_is, x_js),  x_is = (rows_is - row_shift_i) - column_shift_s,  i <= j
// for a symmetric term: x y (a Gram matrix), (x - y)^4. Rows are float or double, terms and sums double. Blocks of
// `depth` texts are packed into panels of models (widened and shifted on the way, so that no copy of the matrix is
// made); a tile of pairs stays in registers for a block. Each sum is one chain of additions per block, and the blocks
// are added in order: its bits do not depend on threads or on the tile the pair falls in. A sum of n terms rounds like
// a chain of depth + n / depth.
#pragma once
#include "llmap/core/cpu_executor.hpp"
#include "llmap/core/simd.hpp"
#include "llmap/core/view.hpp"
#include <algorithm>
#include <utility>
#include <vector>

namespace llmap::detail {

template <class T> struct shifted_rows {
  matrix_view<const T> rows;              // (K, N)
  const double *row_shift, *column_shift; // (K), (N); both null: nothing is subtracted
};

struct product_term {
  template <class Vec> LLMAP_INLINE static void add(Vec& sum, double x, const Vec& y) { sum += x * y; }
};
struct fourth_power_term {
  template <class Vec> LLMAP_INLINE static void add(Vec& sum, double x, const Vec& y) {
    const Vec d = x - y, square = d * d;
    sum += square * square;
  }
};

/// The register tile, models x vectors of models: one load per vector and one broadcast per model. The rows of a tile
/// divide a panel, so that both sides of a pair are read from the same packed panels.
template <class Isa> struct pair_tile {
  static constexpr int rows = Isa::bytes == 64 ? 8 : 4, vectors = Isa::bytes == 16 ? 2 : 3;
  static constexpr int panel = vectors * simd::width<Isa, double>; // models: 24, 12, 4
};
inline std::size_t pair_panel() {
  return simd::with_active_isa([]<class Isa>() { return static_cast<std::size_t>(pair_tile<Isa>::panel); });
}

/// Texts of a block. A panel of them (256 x 24 x 8 bytes) streams from the second-level cache.
inline constexpr std::size_t pair_depth = 256;

/// Packs texts [first, first + depth) of one panel of models as (depth, panel); models beyond K are 0.
template <class T>
void pack_panel(const shifted_rows<T>& x, std::size_t panel, std::size_t width, std::size_t first, std::size_t depth,
                double* out) {
  constexpr std::size_t line = 8; // texts of one cache line of a row
  for (std::size_t s0 = 0; s0 < depth; s0 += line) {
    const std::size_t end = std::min(depth, s0 + line);
    for (std::size_t r = 0; r < width; ++r) {
      const std::size_t i = panel * width + r;
      const T* row = x.rows.row(i) + first;
      if (i + width < x.rows.rows) __builtin_prefetch(row + width * x.rows.stride + s0); // of the next panel
      if (i >= x.rows.rows)
        for (std::size_t s = s0; s < end; ++s) out[s * width + r] = 0;
      else if (x.row_shift == nullptr)
        for (std::size_t s = s0; s < end; ++s) out[s * width + r] = row[s];
      else
        for (std::size_t s = s0; s < end; ++s)
          out[s * width + r] = (row[s] - x.row_shift[i]) - x.column_shift[first + s];
    }
  }
}

/// Adds one block of texts to the sums of a square group of panels.
template <class Term> struct pair_block {
  const double* packed;                         // (panels, depth, panel)
  std::size_t row, row_end, column, column_end; // panels
  std::size_t depth;
  double* sums;     // (side, side), row-major
  std::size_t side; // a multiple of the panel
  bool first;       // block: sums are set, not added to

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int R = pair_tile<Isa>::rows, panel = pair_tile<Isa>::panel;
    for (std::size_t q = column; q < column_end; ++q)
      for (std::size_t p = row; p < row_end && p <= q; ++p)
        for (int r = 0; r < panel; r += R)
          tile<Isa>(packed + p * depth * panel + r, packed + q * depth * panel,
                    sums + (p * panel + static_cast<std::size_t>(r)) * side + q * panel);
  }

private:
  template <class Isa>
  LLMAP_INLINE void tile(const double* __restrict a, const double* __restrict b, double* out) const {
    constexpr int R = pair_tile<Isa>::rows, V = pair_tile<Isa>::vectors, W = simd::width<Isa, double>;
    constexpr int panel = V * W;
    simd::vec<double, W> c[R][V];
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < V; ++j) {
        c[i][j] = simd::vec<double, W>{};
        __builtin_prefetch(out + static_cast<std::size_t>(i) * side + j * W); // needed at the end
      }
    for (std::size_t k = 0; k < depth; ++k, a += panel, b += panel) {
      simd::vec<double, W> y[V];
#pragma GCC unroll 8
      for (int j = 0; j < V; ++j) y[j] = simd::load<double, W>(b + j * W);
#pragma GCC unroll 8
      for (int i = 0; i < R; ++i) {
        const double x = a[i];
#pragma GCC unroll 8
        for (int j = 0; j < V; ++j) Term::add(c[i][j], x, y[j]);
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i, out += side)
#pragma GCC unroll 8
      for (int j = 0; j < V; ++j)
        simd::store<double, W>(out + j * W, first ? c[i][j] : simd::load<double, W>(out + j * W) + c[i][j]);
  }
};

/// The sums of all pairs i <= j < K.
class pair_table {
  aligned_buffer<double> sums_;
  std::size_t side_;

public:
  explicit pair_table(std::size_t side) : sums_(side * side), side_(side) {}
  double* data() const { return sums_.data(); }
  double operator()(std::size_t i, std::size_t j) const { return sums_[i * side_ + j]; }
};

template <class Term, class T> pair_table pair_sums(const cpu_executor& exec, const shifted_rows<T>& x) {
  const std::size_t N = x.rows.cols, width = pair_panel(), panels = (x.rows.rows + width - 1) / width,
                    side = panels * width;
  // A task is a few panels of rows and a group of panels of columns, which stays in the second-level cache from task to
  // task. Tasks are small, because all threads wait for the last one of a block.
  const std::size_t group = 144 / width, few = std::max<std::size_t>(group / 3, 1);
  std::vector<std::pair<std::size_t, std::size_t>> tasks; // first row, first column
  for (std::size_t column = 0; column < panels; column += group)
    for (std::size_t row = 0; row < std::min(column + group, panels); row += few) tasks.emplace_back(row, column);
  pair_table sums(side);
  const aligned_buffer<double> packed(side * std::min(pair_depth, N));
  for (std::size_t s = 0; s < N; s += pair_depth) {
    const std::size_t depth = std::min(pair_depth, N - s);
    parallel_for(exec.threads, panels,
                 [&](std::size_t p) { pack_panel(x, p, width, s, depth, packed.data() + p * depth * width); });
    parallel_for(exec.threads, tasks.size(), [&](std::size_t t) {
      const auto [row, column] = tasks[t];
      simd::run(pair_block<Term>{packed.data(), row, std::min(row + few, panels), column,
                                 std::min(column + group, panels), depth, sums.data(), side, s == 0});
    });
  }
  return sums;
}

} // namespace llmap::detail
