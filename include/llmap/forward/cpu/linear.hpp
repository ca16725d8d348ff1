// linear: Y (M, N) = X (M, K) W^T + b, or Y += X W^T + b; W packed (N, K).
// Same bits for any M, any order of rows and any thread count: each element is a sum, in the order of K,
// of chains of at most 128 multiply-adds.
//
// These headers make it, from the outside in:
//   linear           y = x W^T + b                     what a caller sees
//   packed_product   tasks: blocks of rows x panels    threads, order in the caches, prefetch
//   packed_rows      X in strips of R rows             one stream of memory per strip
//   packed_matrix    W in panels of NR columns         in the stored type; made by pack, panel_packing
//   widen_codes      panels of codes, widened          before the rows of a task
//   matrix_tile      R x NR sums in registers          the multiply-adds
//
// Where w names a rule, the inputs of a row are rounded by it before the product; rows of w with rules of their own
// take a product each, of which their columns are kept.
//
// Error: |y - exact| <= (128 + K / 128) eps sum_k |x_k w_k|, eps of T; one sequential sum would have K eps.
#pragma once
#include "llmap/forward/cpu/pack.hpp"
#include "llmap/forward/cpu/packed_product.hpp"

namespace llmap {

namespace detail {

template <class T> struct store_tile {
  const packed_matrix<T>* w;
  matrix_view<T> y; // (m, N)
  store_mode mode;

  template <class Isa, int R>
  LLMAP_INLINE void operator()(std::size_t row, std::size_t panel, const matrix_tile<Isa, T, R>& tile) const {
    constexpr int V = simd::tile_vectors, W = simd::width<Isa, T>;
    constexpr std::size_t NR = simd::panel_columns<Isa, T>;
    const std::size_t column = panel * NR;
    const T* bias = w->bias.data() + column;
    if (column + NR <= y.cols) {
#pragma GCC unroll 16
      for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
        for (int j = 0; j < V; ++j) {
          T* out = y.row(row + static_cast<std::size_t>(i)) + column + j * W;
          auto v = tile.c[i][j] + simd::load<T, W>(bias + j * W);
          if (mode == store_mode::add) v += simd::load<T, W>(out);
          simd::store<T, W>(out, v);
        }
    } else {
      T part[R * NR];
      tile.store(part, NR);
      for (std::size_t i = 0; i < R; ++i)
        for (std::size_t j = 0; j < y.cols - column; ++j) {
          T& out = y(row + i, column + j);
          const T v = part[i * NR + j] + bias[j];
          out = mode == store_mode::add ? v + out : v;
        }
    }
  }
};

} // namespace detail

namespace detail {

/// The product of packed rows, whatever inputs w wants.
template <class T>
void multiply(const cpu_executor& exec, const packed_rows<T>& x, const packed_matrix<T>& w,
              std::type_identity_t<matrix_view<T>> y, store_mode mode, cpu_scratch<T>& scratch) {
  LLMAP_EXPECTS(x.cols == w.cols && y.cols == w.rows && x.rows == y.rows, "linear: shapes of x, w and y");
  LLMAP_EXPECTS(w.panel == simd::panel_width<T>() && x.compute == w.compute,
                "linear: w is packed for this machine, x for w");
  const std::size_t threads = static_cast<std::size_t>(std::max(exec.threads, 1)), blocks = x.blocks();
  // Several tasks per thread, so that the last ones end together.
  const std::size_t group = std::clamp<std::size_t>(blocks * w.panels() / (32 * threads), 1, detail::panels_waiting);
  const std::size_t groups = (w.panels() + group - 1) / group;
  scratch.threads.prepare(exec.threads);
  w.visit_panels([&]<class Stored>() {
    const auto multiply = [&](std::size_t number, std::size_t panels, std::size_t thread) {
      const std::size_t row = number * x.block, panel = panels * group, m = std::min(x.block, x.rows - row);
      T* const room = scratch.threads.of(thread, detail::product_scratch<T>(m, x.depth()));
      detail::multiply_panels<T, Stored>(x.data(number), m, w, panel, std::min(group, w.panels() - panel), room,
                                         detail::store_tile<T>{&w, y.row_range(row, m), mode});
    };
    // If there are enough rows for all, each thread keeps its own; else the threads go through the weights together.
    const std::size_t tasks = blocks * groups;
    if (blocks % threads == 0)
      parallel_for(exec.threads, tasks,
                   [&](std::size_t task, std::size_t thread) { multiply(task / groups, task % groups, thread); });
    else
      parallel_in_order(exec.threads, tasks,
                        [&](std::size_t task, std::size_t thread) { multiply(task % blocks, task / blocks, thread); });
  });
}

/// Rows multiplied at a time by an op that packs them: a block for each thread, in the thread's cache.
template <class T> std::size_t rows_at_a_time(std::size_t M, const packed_matrix<T>& w, int threads) {
  return rows_per_block<T>(M, w.depth(), threads) * static_cast<std::size_t>(std::max(threads, 1));
}

/// The product of rows whose inputs the rules of w round. read(first, out) gives rows first, first + 1, ... of x.
template <class T, class Read>
void multiply_rounded(const cpu_executor& exec, const Read& read, const packed_matrix<T>& w, matrix_view<T> y,
                      store_mode mode, cpu_scratch<T>& scratch) {
  LLMAP_EXPECTS(w.compute == compute_type::working, "linear: rounded inputs are no bf16 pairs");
  const std::size_t step = rows_at_a_time(y.rows, w, exec.threads);
  for (std::size_t begin = 0; begin < y.rows; begin += step) {
    const matrix_view<T> here = y.row_range(begin, std::min(step, y.rows - begin));
    for (const rounded_rows& part : w.inputs) {
      scratch.rounded.fill(exec, here.rows, w.cols, scratch.threads,
                           [&](std::size_t first, std::size_t count, matrix_view<T> out) {
                             read(begin + first, out);
                             for (std::size_t r = 0; r < count; ++r)
                               round_inputs(part.rule, out.row(r), static_cast<std::int64_t>(out.cols));
                           });
      if (part.count == w.rows) {
        multiply(exec, scratch.rounded, w, here, mode, scratch);
        continue;
      }
      scratch.partial.resize(here.rows * w.rows);
      const matrix_view<T> all(scratch.partial.data(), here.rows, w.rows);
      multiply(exec, scratch.rounded, w, all, store_mode::overwrite, scratch);
      for (std::size_t r = 0; r < here.rows; ++r)
        for (std::size_t n = part.first; n < part.first + part.count; ++n)
          here(r, n) = mode == store_mode::add ? all(r, n) + here(r, n) : all(r, n);
    }
  }
}

} // namespace detail

/// X that a caller has packed, for this w: other shapes or another compute_type are a contract_error.
template <class T>
void linear(const cpu_executor& exec, const packed_rows<T>& x, const packed_matrix<T>& w,
            std::type_identity_t<matrix_view<T>> y, store_mode mode, cpu_scratch<T>& scratch) {
  if (w.inputs.empty()) return detail::multiply(exec, x, w, y, mode, scratch);
  LLMAP_EXPECTS(x.cols == w.cols && y.cols == w.rows && x.rows == y.rows && x.compute == compute_type::working,
                "linear: shapes of x, w and y");
  detail::multiply_rounded(
      exec, [&](std::size_t first, matrix_view<T> out) { x.unpack(first, out); }, w, y, mode, scratch);
}

/// Packs X itself, in `scratch`.
template <class T>
void linear(const cpu_executor& exec, std::type_identity_t<matrix_view<const T>> x, const packed_matrix<T>& w,
            std::type_identity_t<matrix_view<T>> y, store_mode mode, cpu_scratch<T>& scratch) {
  LLMAP_EXPECTS(x.cols == w.cols && y.cols == w.rows && x.rows == y.rows, "linear: shapes of x, w and y");
  if (!w.inputs.empty()) {
    const auto read = [&](std::size_t first, matrix_view<T> out) {
      for (std::size_t r = 0; r < out.rows; ++r) std::copy_n(x.row(first + r), x.cols, out.row(r));
    };
    return detail::multiply_rounded(exec, read, w, y, mode, scratch);
  }
  scratch.packed.compute = w.compute;
  const std::size_t step = detail::rows_at_a_time(x.rows, w, exec.threads);
  for (std::size_t row = 0; row < x.rows; row += step) {
    const std::size_t m = std::min(step, x.rows - row);
    scratch.packed.fill(exec, x.row_range(row, m), scratch.threads);
    detail::multiply(exec, scratch.packed, w, y.row_range(row, m), mode, scratch);
  }
}

/// With scratch of its own, for a single call.
template <class T>
void linear(const cpu_executor& exec, std::type_identity_t<matrix_view<const T>> x, const packed_matrix<T>& w,
            std::type_identity_t<matrix_view<T>> y, store_mode mode = store_mode::overwrite) {
  cpu_scratch<T> scratch;
  linear(exec, x, w, y, mode, scratch);
}

} // namespace llmap
