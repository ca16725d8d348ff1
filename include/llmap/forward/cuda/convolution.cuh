// Ops that look at the rows just before: causal_convolution, token_shift, keep_last_row. Contracts: forward/ops.hpp.
#pragma once
#include "llmap/core/cuda/each_element.cuh"
#include "llmap/forward/cuda/positions.cuh"
#include "llmap/forward/cuda/storage.cuh"
#include "llmap/forward/ops.hpp"

namespace llmap {

namespace gpu {

template <class T> struct convolve_element {
  matrix_view<const T> x, carry; // (S, channels), (taps - 1, channels)
  const T *weight, *bias;        // (channels, taps), (channels) or null
  const std::int32_t* position;
  matrix_view<T> y;
  __device__ void operator()(std::size_t r, std::size_t c) const {
    const std::size_t before = carry.rows, taps = before + 1, own = static_cast<std::size_t>(position[r]);
    T sum = bias ? bias[c] : T(0);
    for (std::size_t j = 0; j < taps; ++j) {
      const std::size_t back = before - j;
      if (own >= back) sum += weight[c * taps + j] * (r >= back ? x(r - back, c) : carry(before + r - back, c));
    }
    y(r, c) = sum;
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

template <class T> struct shift_element {
  matrix_view<const T> x, last;
  const T* mix;
  const std::int32_t* position;
  matrix_view<T> y;
  __device__ void operator()(std::size_t r, std::size_t c) const {
    const T before = position[r] == 0 ? T(0) : r ? x(r - 1, c) : last(0, c);
    y(r, c) = x(r, c) * mix[c] + before * (T(1) - mix[c]);
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
  const std::vector<std::int32_t> positions = gpu::positions_of(batch, rows);
  const auto position = gpu::on_device(exec, positions);
  gpu::each_element(
      exec, x.rows, x.cols,
      gpu::convolve_element<T>{x, carry, weight.data(), bias.size() ? bias.data() : nullptr, position.data(), y});
  const std::size_t of_text = static_cast<std::size_t>(positions.back()) + 1, count = std::min(of_text, x.rows);
  gpu::each_element(exec, 1, x.cols, gpu::carry_on<T>{x, count, of_text <= x.rows, carry});
}

template <class T>
void token_shift(const cuda_executor& exec, const ragged_batch& batch, slab rows,
                 std::type_identity_t<matrix_view<const T>> x, std::type_identity_t<matrix_view<const T>> last,
                 const cuda_buffer<T>& mix, cuda_rows<T>& y, cuda_scratch<T>&) {
  LLMAP_EXPECTS(mix.size() == x.cols && last.cols == x.cols && x.rows == rows.count,
                "token_shift: one weight per channel");
  const auto position = gpu::on_device(exec, gpu::positions_of(batch, rows));
  gpu::each_element(exec, x.rows, x.cols,
                    gpu::shift_element<T>{x, last, mix.data(), position.data(), y.reshape(x.rows, x.cols)});
}

template <class T>
void keep_last_row(const cuda_executor& exec, std::type_identity_t<matrix_view<const T>> x, matrix_view<T> last) {
  if (x.rows) gpu::each_element(exec, 1, x.cols, gpu::copy_last<T>{x, last});
}

} // namespace llmap
