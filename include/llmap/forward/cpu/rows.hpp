// Ops on rows: embedding, positions, sums, and moves of rows and heads. Contracts: forward/ops.hpp.
#pragma once
#include "llmap/forward/cpu/packed_matrix.hpp"
#include "llmap/forward/cpu/packed_rows.hpp"
#include "llmap/forward/ops.hpp"
#include <algorithm>
#include <cmath>

namespace llmap {

namespace detail {
inline constexpr std::size_t row_block = 32; // rows of a task

/// Calls body(row of y, r) for every row, in parallel.
template <class T, class Body> void for_rows(const cpu_executor& exec, matrix_view<T> y, const Body& body) {
  for_row_blocks(exec, y.rows, row_block, [&](std::size_t first, std::size_t count) {
    for (std::size_t r = first; r < first + count; ++r) body(y.row(r), r);
  });
}
} // namespace detail

template <class T>
void embedding_rows(const cpu_executor& exec, const packed_matrix<T>& table, const ragged_batch& batch, T scale,
                    matrix_view<T> y) {
  LLMAP_EXPECTS(y.rows == batch.rows() && y.cols == table.cols, "embedding_rows: shape of y");
  detail::for_rows(exec, y, [&](T* to, std::size_t r) {
    const auto id = static_cast<std::size_t>(batch.ids[r]);
    table.read_row(id < table.rows ? id : 0, to);
    for (std::size_t k = 0; k < y.cols; ++k) to[k] *= scale;
  });
}

template <class T>
void add_positions(const cpu_executor& exec, const aligned_buffer<T>& positions, std::size_t offset,
                   const ragged_batch& batch, matrix_view<T> y) {
  LLMAP_EXPECTS(y.rows == batch.rows(), "add_positions: rows of the batch");
  for_row_blocks(exec, y.rows, detail::row_block, [&](std::size_t first, std::size_t count) {
    for_parts(batch, {first, count}, [&](std::size_t text, std::size_t position, std::size_t n) {
      for (std::size_t p = position; p < position + n; ++p) {
        const T* from = positions.data() + (p + offset) * y.cols;
        T* to = y.row(batch.offsets[text] + p);
        for (std::size_t k = 0; k < y.cols; ++k) to[k] += from[k];
      }
    });
  });
}

template <class T>
void add_scaled(const cpu_executor& exec, std::type_identity_t<matrix_view<const T>> x, std::type_identity_t<T> s,
                matrix_view<T> y, store_mode mode) {
  LLMAP_EXPECTS(x.rows == y.rows && x.cols == y.cols, "add_scaled: shapes of x and y");
  detail::for_rows(exec, y, [&](T* to, std::size_t r) {
    const T* from = x.row(r);
    if (mode == store_mode::add)
      for (std::size_t k = 0; k < y.cols; ++k) to[k] += s * from[k];
    else
      for (std::size_t k = 0; k < y.cols; ++k) to[k] = s * from[k];
  });
}

template <class T> void scale(const cpu_executor& exec, std::type_identity_t<T> s, matrix_view<T> y) {
  detail::for_rows(exec, y, [&](T* to, std::size_t) {
    for (std::size_t k = 0; k < y.cols; ++k) to[k] *= s;
  });
}

/// y times the one number of s.
template <class T>
void scale(const cpu_executor& exec, const aligned_buffer<std::type_identity_t<T>>& s, matrix_view<T> y) {
  LLMAP_EXPECTS(s.size() == 1, "scale: one number");
  scale(exec, s[0], y);
}

template <class T>
void scale_columns(const cpu_executor& exec, const aligned_buffer<std::type_identity_t<T>>& s, matrix_view<T> y) {
  LLMAP_EXPECTS(s.size() == y.cols, "scale_columns: a number a column");
  detail::for_rows(exec, y, [&](T* to, std::size_t) {
    for (std::size_t k = 0; k < y.cols; ++k) to[k] *= s[k];
  });
}

template <class T> void cut_below(const cpu_executor& exec, double cut, matrix_view<T> y) {
  const double n = static_cast<double>(y.cols);
  detail::for_rows(exec, y, [&](T* to, std::size_t) {
    double mean = 0, square = 0;
    for (std::size_t k = 0; k < y.cols; ++k) mean += static_cast<double>(to[k]) / n;
    for (std::size_t k = 0; k < y.cols; ++k)
      square += (static_cast<double>(to[k]) - mean) * (static_cast<double>(to[k]) - mean) / n;
    const T least = static_cast<T>(mean + cut * std::sqrt(square));
    for (std::size_t k = 0; k < y.cols; ++k) to[k] = std::max(to[k] - least, T(0));
  });
}

template <class T>
void mix_streams(const cpu_executor& exec, std::type_identity_t<matrix_view<const T>> c,
                 std::type_identity_t<matrix_view<const T>> x, matrix_view<T> y) {
  std::size_t n = 1;
  while (n * n < c.cols) ++n;
  const std::size_t C = y.cols / n;
  LLMAP_EXPECTS(c.cols == n * n && y.cols == n * C && x.cols == y.cols && c.rows == y.rows && x.rows == y.rows,
                "mix_streams: shapes");
  detail::for_rows(exec, y, [&](T* to, std::size_t r) {
    std::copy_n(x.row(r), y.cols, to);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        for (std::size_t k = 0; k < C; ++k) to[i * C + k] += c(r, i * n + j) * x(r, j * C + k);
  });
}

template <class T>
void correct_streams(const cpu_executor& exec, std::type_identity_t<matrix_view<const T>> c, std::size_t active,
                     std::type_identity_t<matrix_view<const T>> x, std::type_identity_t<matrix_view<const T>> guess,
                     matrix_view<T> y) {
  const std::size_t n = c.cols, C = x.cols;
  LLMAP_EXPECTS(y.cols == n * C && guess.cols == y.cols && active < n && c.rows == y.rows && x.rows == y.rows &&
                    guess.rows == y.rows,
                "correct_streams: shapes");
  detail::for_rows(exec, y, [&](T* to, std::size_t r) {
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t k = 0; k < C; ++k)
        to[i * C + k] = guess(r, i * C + k) + (T(1) + c(r, i)) * (x(r, k) - guess(r, active * C + k));
  });
}

template <class T>
void match_size(const cpu_executor& exec, std::type_identity_t<matrix_view<const T>> x, matrix_view<T> y) {
  LLMAP_EXPECTS(x.rows == y.rows && x.cols == y.cols, "match_size: shapes of x and y");
  const auto mean_square = [](const T* row, std::size_t n) {
    double sum = 0;
    for (std::size_t k = 0; k < n; ++k) sum += static_cast<double>(row[k]) * static_cast<double>(row[k]);
    return sum / static_cast<double>(n);
  };
  detail::for_rows(exec, y, [&](T* to, std::size_t r) {
    const double own = std::max(mean_square(to, y.cols), 1e-5), wanted = mean_square(x.row(r), x.cols);
    const T factor = static_cast<T>(std::sqrt(wanted / own));
    for (std::size_t k = 0; k < y.cols; ++k) to[k] *= factor;
  });
}

template <class T>
void grow(const cpu_executor& exec, const query_growth& growth, const ragged_batch& batch, slab rows,
          matrix_view<T> y) {
  LLMAP_EXPECTS(y.rows == rows.count && growth.period > 0, "grow: rows of the slab, a period");
  for_parts(batch, rows, [&](std::size_t text, std::size_t position, std::size_t count) {
    const std::size_t first = batch.offsets[text] + position - rows.first;
    detail::for_rows(exec, y.row_range(first, count), [&](T* to, std::size_t r) {
      const auto periods = (static_cast<std::int64_t>(position + r) + growth.offset) / growth.period;
      const T factor = static_cast<T>(1 + growth.beta * std::log1p(static_cast<double>(periods)));
      if (periods == 0) return;
      for (std::size_t k = 0; k < y.cols; ++k) to[k] *= factor;
    });
  });
}

template <class T> void clamp(const cpu_executor& exec, std::type_identity_t<T> limit, matrix_view<T> y) {
  detail::for_rows(exec, y, [&](T* to, std::size_t) {
    for (std::size_t k = 0; k < y.cols; ++k) to[k] = std::min(std::max(to[k], -limit), limit); // NaN stays NaN
  });
}

template <class T> void clear(const cpu_executor& exec, matrix_view<T> y) {
  detail::for_rows(exec, y, [&](T* to, std::size_t) { std::fill_n(to, y.cols, T(0)); });
}

template <class T>
void place_heads(const cpu_executor& exec, std::type_identity_t<matrix_view<const T>> x, std::size_t x_heads,
                 matrix_view<T> y, std::size_t heads, std::size_t first) {
  LLMAP_EXPECTS(x.rows == y.rows && (x_heads == heads || x_heads == 1), "place_heads: heads of x and y");
  const std::size_t from_width = x.cols / x_heads, to_width = y.cols / heads;
  LLMAP_EXPECTS(first + from_width <= to_width, "place_heads: a head of x fits into one of y");
  detail::for_rows(exec, y, [&](T* to, std::size_t r) {
    for (std::size_t h = 0; h < heads; ++h)
      std::copy_n(x.row(r) + (x_heads == 1 ? 0 : h) * from_width, from_width, to + h * to_width + first);
  });
}

template <class T>
void gather_rows(const cpu_executor& exec, std::type_identity_t<matrix_view<const T>> x,
                 std::span<const std::size_t> rows, packed_rows<T>& y, cpu_scratch<T>& scratch) {
  y.fill(exec, rows.size(), x.cols, scratch.threads, [&](std::size_t first, std::size_t count, matrix_view<T> out) {
    for (std::size_t r = 0; r < count; ++r) std::copy_n(x.row(rows[first + r]), x.cols, out.row(r));
  });
}

template <class T>
void gather_weighted_rows(const cpu_executor& exec, std::type_identity_t<matrix_view<const T>> x,
                          std::span<const std::size_t> rows, std::span<const std::type_identity_t<T>> weights,
                          packed_rows<T>& y, cpu_scratch<T>& scratch) {
  LLMAP_EXPECTS(rows.size() == weights.size(), "gather_weighted_rows: a weight a row");
  y.fill(exec, rows.size(), x.cols, scratch.threads, [&](std::size_t first, std::size_t count, matrix_view<T> out) {
    for (std::size_t r = 0; r < count; ++r)
      for (std::size_t k = 0; k < x.cols; ++k) out(r, k) = weights[first + r] * x(rows[first + r], k);
  });
}

template <class T>
void scale_rows_by_sigmoid(const cpu_executor& exec, std::type_identity_t<matrix_view<const T>> gate,
                           matrix_view<T> y) {
  LLMAP_EXPECTS(gate.rows == y.rows && gate.cols == 1, "scale_rows_by_sigmoid: one gate per row");
  detail::for_rows(exec, y, [&](T* to, std::size_t r) {
    const T share = static_cast<T>(1 / (1 + std::exp(-static_cast<double>(gate(r, 0)))));
    for (std::size_t k = 0; k < y.cols; ++k) to[k] *= share;
  });
}

template <class T>
void add_weighted_rows(const cpu_executor& exec, std::type_identity_t<matrix_view<const T>> x,
                       std::span<const std::size_t> rows, std::span<const std::type_identity_t<T>> weights,
                       matrix_view<T> y) {
  LLMAP_EXPECTS(x.rows == rows.size() && (weights.empty() || x.rows == weights.size()) && x.cols == y.cols,
                "add_weighted_rows: a row and a weight of y for each of x");
  for_row_blocks(exec, x.rows, detail::row_block, [&](std::size_t first, std::size_t count) { // rows of y are distinct
    for (std::size_t i = first; i < first + count; ++i) {
      T* to = y.row(rows[i]);
      const T weight = weights.empty() ? T(1) : weights[i];
      for (std::size_t k = 0; k < y.cols; ++k) to[k] += weight * x(i, k);
    }
  });
}

} // namespace llmap
