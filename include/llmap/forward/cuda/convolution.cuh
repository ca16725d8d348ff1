// Ops that look at the rows just before: causal_convolution, token_shift, keep_last_row. Contracts: forward/ops.hpp.
#pragma once
#include "llmap/core/cuda/each_element.cuh"
#include "llmap/forward/cuda/positions.cuh"
#include "llmap/forward/cuda/storage.cuh"
#include "llmap/forward/ops.hpp"

namespace llmap {

namespace gpu {

/// Any number of taps.
template <class T> struct convolve_element {
  matrix_view<const T> x, carry; // (S, channels), (taps - 1, channels)
  const T *weight, *bias;        // (channels, taps), (channels) or null
  const row_span* spans;
  matrix_view<T> y;
  __device__ void operator()(std::size_t r, std::size_t c) const {
    const std::size_t before = carry.rows, taps = before + 1,
                      own = static_cast<std::size_t>(static_cast<std::int32_t>(r) - spans[r].begin);
    T sum = bias ? bias[c] : T(0);
    for (std::size_t j = 0; j < taps; ++j) {
      const std::size_t back = before - j;
      if (own >= back) sum += weight[c * taps + j] * (r >= back ? x(r - back, c) : carry(before + r - back, c));
    }
    y(r, c) = sum;
  }
};

/// Two to four taps: the rows that they look back at stay in registers.
template <class T, unsigned Before> struct convolve_strip {
  matrix_view<const T> x, carry; // (S, channels), (Before, channels)
  const T *weight, *bias;        // (channels, Before + 1), (channels) or null
  const row_span* spans;
  matrix_view<T> y;
  __device__ void operator()(std::size_t r, std::size_t end, std::size_t c) const {
    T taps[Before + 1], before[Before]; // oldest first
    const T begin = bias ? bias[c] : T(0);
    row_span text = spans[r];
    const auto in_text = [&](std::size_t row, unsigned j) { // whether the row that tap j looks at is of the text of row
      return static_cast<std::int32_t>(row) - static_cast<std::int32_t>(Before - j) >= text.begin;
    };
#pragma unroll
    for (unsigned j = 0; j <= Before; ++j) taps[j] = weight[c * (Before + 1) + j];
#pragma unroll
    for (unsigned j = 0; j < Before; ++j)
      before[j] = !in_text(r, j) ? T(0) : r + j >= Before ? x(r + j - Before, c) : carry(r + j, c);
    for (; r < end; ++r) {
      const T now = x(r, c);
      if (static_cast<std::int32_t>(r) == text.end) text = spans[r];
      T sum = begin;
#pragma unroll
      for (unsigned j = 0; j < Before; ++j)
        if (in_text(r, j)) sum += taps[j] * before[j];
      y(r, c) = sum + taps[Before] * now;
#pragma unroll
      for (unsigned j = 0; j < Before; ++j) before[j] = j + 1 < Before ? before[j + 1] : now;
    }
  }
};

/// The last rows of the slab's last text, older ones moved up: carry is read below where it is written.
template <class T> struct carry_on {
  matrix_view<const T> x;
  std::size_t count; // rows of the text in the slab
  bool begins;       // it begins in the slab
  matrix_view<T> carry;
  __device__ void operator()(std::size_t, std::size_t c) const {
    for (std::size_t j = 0; j < carry.rows; ++j) {
      const std::size_t back = carry.rows - 1 - j;
      carry(j, c) = back < count ? x(x.rows - 1 - back, c) : begins ? T(0) : carry(j + count, c);
    }
  }
};

template <class T> struct shift_strip {
  matrix_view<const T> x, last;
  const T* mix;
  const row_span* spans;
  matrix_view<T> y;
  __device__ void operator()(std::size_t r, std::size_t end, std::size_t c) const {
    const T own = mix[c];
    row_span text = spans[r];
    T before = static_cast<std::int32_t>(r) == text.begin ? T(0) : r ? x(r - 1, c) : last(0, c);
    for (; r < end; ++r) {
      const T now = x(r, c);
      if (static_cast<std::int32_t>(r) == text.end) text = spans[r], before = T(0);
      y(r, c) = now * own + before * (T(1) - own);
      before = now;
    }
  }
};

template <class T> struct copy_last {
  matrix_view<const T> x;
  matrix_view<T> last;
  __device__ void operator()(std::size_t, std::size_t c) const { last(0, c) = x(x.rows - 1, c); }
};

} // namespace gpu

template <class T>
void causal_convolution(const cuda_executor& exec, const ragged_batch& batch, slab rows,
                        std::type_identity_t<matrix_view<const T>> x, const cuda_buffer<T>& weight,
                        const cuda_buffer<T>& bias, std::type_identity_t<matrix_view<T>> y,
                        std::type_identity_t<matrix_view<T>> carry) {
  LLMAP_EXPECTS(weight.size() == (carry.rows + 1) * x.cols && carry.cols == x.cols && x.rows == rows.count,
                "causal_convolution: taps of every channel");
  if (x.rows == 0) return;
  const std::vector<gpu::row_span> texts = gpu::spans_of(batch, rows);
  const auto spans = gpu::on_device(exec, texts);
  const T* const own_bias = bias.size() ? bias.data() : nullptr;
  const auto in_strips = [&]<unsigned Before>() {
    gpu::each_strip(exec, x.rows, x.cols,
                    gpu::convolve_strip<T, Before>{x, carry, weight.data(), own_bias, spans.data(), y});
  };
  switch (carry.rows) {
  case 1:
    in_strips.template operator()<1>();
    break;
  case 2:
    in_strips.template operator()<2>();
    break;
  case 3:
    in_strips.template operator()<3>();
    break;
  default:
    gpu::each_element(exec, x.rows, x.cols,
                      gpu::convolve_element<T>{x, carry, weight.data(), own_bias, spans.data(), y});
  }
  const gpu::row_span last = texts.back();
  gpu::each_element(
      exec, 1, x.cols,
      gpu::carry_on<T>{x, static_cast<std::size_t>(last.end - std::max(last.begin, 0)), last.begin >= 0, carry});
}

template <class T>
void token_shift(const cuda_executor& exec, const ragged_batch& batch, slab rows,
                 std::type_identity_t<matrix_view<const T>> x, std::type_identity_t<matrix_view<const T>> last,
                 const cuda_buffer<T>& mix, cuda_rows<T>& y, cuda_scratch<T>&) {
  LLMAP_EXPECTS(mix.size() == x.cols && last.cols == x.cols && x.rows == rows.count,
                "token_shift: one weight per channel");
  const auto spans = gpu::on_device(exec, gpu::spans_of(batch, rows));
  gpu::each_strip(exec, x.rows, x.cols,
                  gpu::shift_strip<T>{x, last, mix.data(), spans.data(), y.reshape(x.rows, x.cols)});
}

template <class T>
void keep_last_row(const cuda_executor& exec, std::type_identity_t<matrix_view<const T>> x, matrix_view<T> last) {
  if (x.rows) gpu::each_element(exec, 1, x.cols, gpu::copy_last<T>{x, last});
}

} // namespace llmap
