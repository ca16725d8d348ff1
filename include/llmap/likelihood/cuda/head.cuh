// The fused head as the pass calls it: rows and a matrix of this executor, targets on the host. Results go to a
// cuda_host_buffer, so that the head of a slab is queued while that of the slab before runs.
#pragma once
#include "llmap/likelihood/cuda/linear_cross_entropy.cuh"
#include <span>
#include <type_traits>

namespace llmap {

template <class T>
void linear_cross_entropy(const cuda_executor& exec, const cuda_rows<T>& x, const cuda_matrix<T>& w,
                          std::span<const std::int32_t> targets, const head_options& options,
                          std::span<double> log_probability, cuda_head_room<T>& room, cuda_scratch<T>& scratch) {
  LLMAP_EXPECTS(x.cols == w.cols && x.compute == w.compute && targets.size() == x.rows &&
                    log_probability.size() == x.rows,
                "linear_cross_entropy: shapes");
  for (const std::int32_t t : targets)
    LLMAP_EXPECTS(t >= 0 && static_cast<std::size_t>(t) < w.rows, "linear_cross_entropy: targets in [0, V)");
  if (x.rows == 0) return;
  LLMAP_EXPECTS(gpu::is_reachable(log_probability.data()), "linear_cross_entropy: results in a cuda_host_buffer");
  room.targets.resize(exec, x.rows);
  LLMAP_CUDA_CHECK(
      cudaMemcpyAsync(room.targets.data(), targets.data(), targets.size_bytes(), cudaMemcpyHostToDevice, exec.stream));
  const std::span<const T> bias(w.bias_data(), w.bias.size());
  const auto run = [&]<class X, class W>(matrix_view<const X> rows, matrix_view<const W> weights) {
    linear_cross_entropy(exec, rows, weights, bias, std::span<const std::int32_t>(room.targets.span()), options,
                         log_probability, room);
  };
  if (w.compute == compute_type::bf16) {
    if constexpr (std::is_same_v<T, float>) {
      const gpu::tensor_operand rounded = gpu::split_rows<1>(exec, x.view(), scratch.parts);
      run(matrix_view<const bf16>(reinterpret_cast<const bf16*>(rounded.data), x.rows, x.cols, rounded.stride),
          w.template view<bf16>());
    }
  } else {
    w.visit([&]<class Stored>() { run(x.view(), w.template view<Stored>()); });
  }
}

} // namespace llmap
