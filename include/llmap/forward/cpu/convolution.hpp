// Ops that look at the rows just before: causal_convolution, token_shift, keep_last_row. Contracts: forward/ops.hpp.
#pragma once
#include "llmap/forward/cpu/packed_rows.hpp"
#include "llmap/forward/cpu/slab_texts.hpp"
#include "llmap/forward/ops.hpp"
#include <algorithm>

namespace llmap {

template <class T>
void causal_convolution(const cpu_executor& exec, const ragged_batch& batch, slab rows,
                        std::type_identity_t<matrix_view<const T>> x, const aligned_buffer<T>& weight,
                        const aligned_buffer<T>& bias, std::type_identity_t<matrix_view<T>> y,
                        std::type_identity_t<matrix_view<T>> carry) {
  const std::size_t taps = carry.rows + 1;
  LLMAP_EXPECTS(weight.size() == taps * x.cols && carry.cols == x.cols, "causal_convolution: taps of every channel");
  detail::for_channels(exec, x.cols, [&](std::size_t first, std::size_t channels) {
    detail::for_texts(batch, rows, [&](std::size_t row, std::size_t count, bool begins) {
      for (std::size_t t = 0; t < count; ++t)
        for (std::size_t c = first; c < first + channels; ++c) {
          T sum = bias.size() ? bias[c] : T(0);
          for (std::size_t j = 0; j < taps; ++j) {
            const std::size_t back = taps - 1 - j; // rows before this one
            if (t >= back) sum += weight[c * taps + j] * x(row + t - back, c);
            else if (!begins) sum += weight[c * taps + j] * carry(carry.rows + t - back, c);
          }
          y(row + t, c) = sum;
        }
      if (row + count < x.rows) return;
      // The last rows of the slab's last text, older ones moved up.
      for (std::size_t j = 0; j < carry.rows; ++j) {
        const std::size_t back = carry.rows - 1 - j;
        for (std::size_t c = first; c < first + channels; ++c)
          carry(j, c) = back < count ? x(row + count - 1 - back, c) : begins ? T(0) : carry(j + count, c);
      }
    });
  });
}

template <class T>
void token_shift(const cpu_executor& exec, const ragged_batch& batch, slab rows,
                 std::type_identity_t<matrix_view<const T>> x, std::type_identity_t<matrix_view<const T>> last,
                 const aligned_buffer<T>& mix, packed_rows<T>& y, cpu_scratch<T>& scratch) {
  LLMAP_EXPECTS(mix.size() == x.cols && last.cols == x.cols && x.rows == rows.count,
                "token_shift: one weight per channel");
  y.fill(exec, x.rows, x.cols, scratch.threads, [&](std::size_t first, std::size_t count, matrix_view<T> out) {
    detail::for_texts(batch, {rows.first + first, count}, [&](std::size_t row, std::size_t n, bool begins) {
      for (std::size_t t = row; t < row + n; ++t) {
        const T *now = x.row(first + t),
                *before = t > row || !begins ? (first + t ? x.row(first + t - 1) : last.row(0)) : nullptr;
        for (std::size_t c = 0; c < x.cols; ++c)
          out(t, c) = now[c] * mix[c] + (before ? before[c] * (T(1) - mix[c]) : T(0));
      }
    });
  });
}

template <class T>
void keep_last_row(const cpu_executor&, std::type_identity_t<matrix_view<const T>> x, matrix_view<T> last) {
  if (x.rows) std::copy_n(x.row(x.rows - 1), x.cols, last.row(0));
}

} // namespace llmap
