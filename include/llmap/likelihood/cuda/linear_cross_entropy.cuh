// The fused head on a GPU: log p(target) from hidden states without ever storing logits.
//   z_v = cap(scale * x . w_v + b_v),   log p_t = z_t - log sum_v exp(z_v)
//   x (M, E), w (V, E), bias (V) or empty, targets (M), result (M) in nats, double; all on the device
// Which types go together, and how they are multiplied:
//   x bf16, w bf16; x f16, w f16   tensor cores, exact products, sums in float
//   x float, w bf16 or f16         the same with x in three parts of bf16 (24 bits): products as exact as those of
//                                  float
//   x float, w float               multiply-adds in float
//   x double, w of any type        multiply-adds in double
// For each row and each 256 columns one pair (largest logit, sum of exp) is made from the sums while they are in
// registers, in their type; the target's logit is one of the same sums, so that log p <= 0 but for rounding. Pairs
// merge in double in the order of the vocabulary: the bits of a row depend on that row, w and V alone, not on M, its
// place or other rows. Extra memory: a pair for each row and tile (8 bytes, 16 in double), a number a row, and x in
// parts. The error beyond that of the logits stays below 8 eps of the logits' type. NaN or +infinity among the logits
// of a row gives NaN; a target outside [0, V) too: targets lie on the device, where nobody looks first.
#pragma once
#include "llmap/core/cuda/buffer.cuh"
#include "llmap/core/view.hpp"
#include "llmap/forward/cuda/split_rows.cuh"
#include "llmap/forward/cuda/storage.cuh"
#include "llmap/forward/head_options.hpp"
#include "llmap/likelihood/cuda/head_plain.cuh"
#include "llmap/likelihood/cuda/head_tensor.cuh"

namespace llmap {

/// Buffers kept between calls. T: double where x is, else float.
template <class T> struct cuda_head_room {
  cuda_buffer<gpu::head_pair<T>> pairs; ///< (M, tiles)
  cuda_buffer<T> target_logit;          ///< (M)
  cuda_buffer<std::uint16_t> parts;     ///< of x

  cuda_rows<T> rows;                 ///< of the pass: hidden states of a slab (M, E)
  cuda_buffer<std::int32_t> targets; ///< of the pass: (M)
};

/// Bytes of them for each row, without x in parts (6 bytes an element).
template <class T> std::size_t head_bytes(const cuda_executor&, std::int64_t vocab) {
  const std::size_t tiles = (static_cast<std::size_t>(vocab) + gpu::head_tile - 1) / gpu::head_tile;
  return tiles * sizeof(gpu::head_pair<T>) + sizeof(T);
}

namespace gpu {

template <class X, class W>
inline constexpr bool on_tensor_cores = (std::is_same_v<X, W> && sizeof(X) == 2) ||
                                        (std::is_same_v<X, float> && sizeof(W) == 2);
template <class X, class W>
inline constexpr bool head_types = on_tensor_cores<X, W> || (sizeof(X) >= 4 && sizeof(W) <= sizeof(X));

inline unsigned grid_of(std::size_t blocks, const char* what) {
  LLMAP_EXPECTS(blocks <= 0x7fffffff, what);
  return static_cast<unsigned>(blocks);
}

template <half_type X, half_type W, int Parts, bool Aligned>
void launch_head_tensor(const cuda_executor& exec, const tensor_operand& x, const tensor_operand& w, std::size_t K,
                        const float* bias, const logit_of<float>& logit, const tile_order& order,
                        const head_partials<float>& to) {
  using policy = tensor_tile_policy<Parts>;
  const auto kernel = head_tensor_kernel<X, W, Parts, Aligned>;
  LLMAP_CUDA_CHECK(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                        cudaFuncAttributeMaxDynamicSharedMemorySize, policy::shared_bytes));
  kernel<<<order.row_blocks * order.tiles, policy::threads, policy::shared_bytes, exec.stream>>>(x, w, K, bias, logit,
                                                                                                 order, to);
}

/// x as it is, or in parts that are made here.
template <class X, class W>
void head_on_tensor_cores(const cuda_executor& exec, matrix_view<const X> x, matrix_view<const W> w, const float* bias,
                          const logit_of<float>& logit, const tile_order& order, const head_partials<float>& to,
                          cuda_head_room<float>& room) {
  constexpr half_type of_w = std::is_same_v<W, f16> ? half_type::f16 : half_type::bf16;
  constexpr half_type of_x = std::is_same_v<X, f16> ? half_type::f16 : half_type::bf16; // parts are bf16
  constexpr int parts = std::is_same_v<X, float> ? 3 : 1;
  const auto bits_of = [](const auto* data) { return reinterpret_cast<const std::uint16_t*>(data); };
  const tensor_operand weights{bits_of(w.data), w.rows, w.stride, 0};
  tensor_operand rows{bits_of(x.data), x.rows, x.stride, 0};
  if constexpr (parts == 3) rows = split_rows<3>(exec, x, room.parts);
  const bool aligned = aligned_rows(rows.data, rows.stride) && aligned_rows(weights.data, weights.stride);
  const auto launch =
      aligned ? launch_head_tensor<of_x, of_w, parts, true> : launch_head_tensor<of_x, of_w, parts, false>;
  launch(exec, rows, weights, x.cols, bias, logit, order, to);
}

} // namespace gpu

template <class X, class W>
void linear_cross_entropy(const cuda_executor& exec, matrix_view<const X> x, matrix_view<const W> w,
                          std::span<const gpu::working_t<X>> bias, std::span<const std::int32_t> targets,
                          const head_options& options, std::span<double> log_probability,
                          cuda_head_room<gpu::working_t<X>>& room) {
  using T = gpu::working_t<X>;
  static_assert(gpu::head_types<X, W>, "linear_cross_entropy: w wider than x, or bf16 and f16 mixed");
  LLMAP_EXPECTS(x.cols == w.cols && targets.size() == x.rows && log_probability.size() == x.rows &&
                    (bias.empty() || bias.size() == w.rows),
                "linear_cross_entropy: shapes");
  if (x.rows == 0) return;
  LLMAP_EXPECTS(x.cols > 0 && w.rows > 0 && w.rows <= 0x7fffffff, "linear_cross_entropy: shapes");
  const std::size_t tiles = (w.rows + gpu::head_tile - 1) / gpu::head_tile;
  room.pairs.resize(exec, tiles * x.rows);
  room.target_logit.resize(exec, x.rows);
  const gpu::head_partials<T> to{room.pairs.data(), room.target_logit.data(), targets.data(), x.rows, w.rows};
  const gpu::logit_of<T> logit{static_cast<T>(options.scale), static_cast<T>(options.softcap)};
  const T* const biases = bias.empty() ? nullptr : bias.data();
  const auto order_by = [&](std::size_t rows) {
    const std::size_t row_blocks = (x.rows + rows - 1) / rows;
    gpu::grid_of(row_blocks * tiles, "linear_cross_entropy: fewer rows at a time");
    return gpu::tile_order{static_cast<unsigned>(row_blocks), static_cast<unsigned>(tiles)};
  };
  if constexpr (gpu::on_tensor_cores<X, W>) {
    gpu::head_on_tensor_cores(exec, x, w, biases, logit, order_by(gpu::tensor_tile_policy<1>::rows), to, room);
  } else {
    const gpu::tile_order order = order_by(gpu::plain_tile_policy<T>::rows);
    const bool aligned = gpu::aligned_rows(x.data, x.stride) && gpu::aligned_rows(w.data, w.stride);
    const auto kernel = aligned ? gpu::head_plain_kernel<T, W, true> : gpu::head_plain_kernel<T, W, false>;
    kernel<<<order.row_blocks * order.tiles, gpu::plain_tile_policy<T>::threads, 0, exec.stream>>>(
        {x.data, x.rows, x.stride}, {w.data, w.rows, w.stride}, x.cols, biases, logit, order, to);
  }
  LLMAP_CUDA_CHECK(cudaGetLastError());
  const unsigned blocks = gpu::grid_of((x.rows + gpu::merge_threads - 1) / gpu::merge_threads, "rows");
  gpu::merge_pairs_kernel<T>
      <<<blocks, gpu::merge_threads, 0, exec.stream>>>(to, static_cast<unsigned>(tiles), log_probability.data());
  LLMAP_CUDA_CHECK(cudaGetLastError());
}

/// With room of its own.
template <class X, class W>
void linear_cross_entropy(const cuda_executor& exec, matrix_view<const X> x, matrix_view<const W> w,
                          std::span<const gpu::working_t<X>> bias, std::span<const std::int32_t> targets,
                          const head_options& options, std::span<double> log_probability) {
  cuda_head_room<gpu::working_t<X>> room;
  linear_cross_entropy(exec, x, w, bias, targets, options, log_probability, room);
}

} // namespace llmap
