// linear: y (M, N) = x (M, K) w^T + b, or y += x w^T + b; w (N, K) in its stored type. By cuBLASLt where the executor
// has it (linear_by_library.cuh), else by the own kernels:
//   w bf16 or f16, T float         tensor cores, x in three parts of bf16 (24 bits), products exact, sums in float
//   w bf16, compute_type::bf16     tensor cores, x rounded to bf16
//   else                           multiply-adds in T
// Which one serves depends on types, N and K, and an own kernel's order of summation on K alone: same bits for any M
// and any place of a row. Error: K eps sum_k |x_k w_k|, eps of T, beside the rounding of x to bf16 where that is asked
// for.
#pragma once
#include "llmap/forward/cuda/linear_by_library.cuh"
#include "llmap/forward/cuda/plain_tile.cuh"
#include "llmap/forward/cuda/product_target.cuh"
#include "llmap/forward/cuda/split_rows.cuh"
#include "llmap/forward/cuda/storage.cuh"
#include "llmap/forward/cuda/tensor_tile.cuh"
#include "llmap/forward/ops.hpp"

namespace llmap {

namespace gpu {

template <class T, class W, bool Aligned>
__global__ void __launch_bounds__(plain_tile_policy<T>::threads)
    linear_plain_kernel(tile_operand<T> x, tile_operand<W> w, std::size_t K, tile_order order, product_target<T> to) {
  using policy = plain_tile_policy<T>;
  const auto place = order.of(blockIdx.x);
  const std::size_t first_row = std::size_t{place.row_block} * policy::rows;
  const std::size_t first_column = std::size_t{place.tile} * policy::columns;
  __shared__ plain_room<T> room;
  T sums[8][8] = {};
  plain_products<T, W, Aligned>(room, x, w, K, first_row, first_column, sums);
#pragma unroll
  for (unsigned i = 0; i < 8; ++i)
#pragma unroll
    for (unsigned j = 0; j < 8; ++j)
      to.store(first_row + threadIdx.x / 32 * 8 + i, first_column + plain_column<T>(j), sums[i][j]);
}

template <half_type W, int Parts>
__global__ void __launch_bounds__(tensor_tile_policy<Parts>::threads, 1)
    linear_tensor_kernel(tensor_operand x, tensor_operand w, std::size_t K, tile_order order,
                         product_target<float> to) {
  using policy = tensor_tile_policy<Parts>;
  extern __shared__ __align__(128) unsigned char stages[];
  const auto place = order.of(blockIdx.x);
  const std::size_t first_row = std::size_t{place.row_block} * policy::rows;
  const std::size_t first_column = std::size_t{place.tile} * policy::columns;
  float sums[4][8][4] = {};
  tensor_products<half_type::bf16, W, Parts, true>(stages, x, w, K, first_row, first_column, sums);
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const std::size_t row = first_row + warp % 2 * policy::warp_rows + lane / 4;
  const std::size_t column = first_column + warp / 2 * policy::warp_columns + lane % 4 * 2;
#pragma unroll
  for (unsigned i = 0; i < 4; ++i)
#pragma unroll
    for (unsigned j = 0; j < 8; ++j)
#pragma unroll
      for (unsigned e = 0; e < 4; ++e) to.store(row + i * 16 + e / 2 * 8, column + j * 8 + e % 2, sums[i][j][e]);
}

inline tile_order order_of(std::size_t M, std::size_t N, std::size_t rows) {
  const std::size_t row_blocks = (M + rows - 1) / rows, tiles = (N + tile_columns - 1) / tile_columns;
  LLMAP_EXPECTS(row_blocks * tiles <= 0x7fffffff, "linear: fewer rows at a time");
  return {static_cast<unsigned>(row_blocks), static_cast<unsigned>(tiles)};
}

template <half_type W, int Parts>
void linear_on_tensor_cores(const cuda_executor& exec, matrix_view<const float> x, const cuda_matrix<float>& w,
                            const product_target<float>& to, cuda_scratch<float>& scratch) {
  using policy = tensor_tile_policy<Parts>;
  const tensor_operand rows = split_rows<Parts>(exec, x, scratch.parts);
  const tensor_operand weights{reinterpret_cast<const std::uint16_t*>(w.bytes.data()), w.rows, w.stride, 0};
  const tile_order order = order_of(x.rows, w.rows, policy::rows);
  const auto kernel = linear_tensor_kernel<W, Parts>;
  LLMAP_CUDA_CHECK(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                        cudaFuncAttributeMaxDynamicSharedMemorySize, policy::shared_bytes));
  kernel<<<order.row_blocks * order.tiles, policy::threads, policy::shared_bytes, exec.stream>>>(rows, weights, x.cols,
                                                                                                 order, to);
  LLMAP_CUDA_CHECK(cudaGetLastError());
}

} // namespace gpu

template <class T>
void linear(const cuda_executor& exec, std::type_identity_t<matrix_view<const T>> x, const cuda_matrix<T>& w,
            std::type_identity_t<matrix_view<T>> y, store_mode mode, cuda_scratch<T>& scratch) {
  LLMAP_EXPECTS(x.cols == w.cols && y.cols == w.rows && x.rows == y.rows, "linear: shapes of x, w and y");
  if (x.rows == 0 || w.rows == 0) return;
  const gpu::product_target<T> to{y, w.bias_data(), mode == store_mode::add};
  if (gpu::linear_by_library(exec, x, w, to, scratch)) return;
  const auto multiply_in_T = [&]<class Stored>() {
    using policy = gpu::plain_tile_policy<T>;
    const gpu::tile_order order = gpu::order_of(x.rows, w.rows, policy::rows);
    const auto kernel = gpu::aligned_rows(x.data, x.stride) ? gpu::linear_plain_kernel<T, Stored, true>
                                                            : gpu::linear_plain_kernel<T, Stored, false>;
    const matrix_view<const Stored> weights = w.template view<Stored>();
    kernel<<<order.row_blocks * order.tiles, policy::threads, 0, exec.stream>>>(
        {x.data, x.rows, x.stride}, {weights.data, weights.rows, weights.stride}, x.cols, order, to);
    LLMAP_CUDA_CHECK(cudaGetLastError());
  };
  if constexpr (std::is_same_v<T, float>) {
    using gpu::half_type, gpu::linear_on_tensor_cores;
    if (w.compute == compute_type::bf16) linear_on_tensor_cores<half_type::bf16, 1>(exec, x, w, to, scratch);
    else if (w.type == dtype::bf16) linear_on_tensor_cores<half_type::bf16, 3>(exec, x, w, to, scratch);
    else if (w.type == dtype::f16) linear_on_tensor_cores<half_type::f16, 3>(exec, x, w, to, scratch);
    else multiply_in_T.template operator()<float>();
  } else {
    w.visit(multiply_in_T);
  }
}

template <class T>
void linear(const cuda_executor& exec, const cuda_rows<T>& x, const cuda_matrix<T>& w,
            std::type_identity_t<matrix_view<T>> y, store_mode mode, cuda_scratch<T>& scratch) {
  LLMAP_EXPECTS(x.compute == w.compute, "linear: x is for w");
  linear<T>(exec, x.view(), w, y, mode, scratch);
}

} // namespace llmap
