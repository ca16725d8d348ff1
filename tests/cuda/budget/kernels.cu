// Every kernel of the pass and the heads in every form it is launched in, for the test of what it takes (budget.sh).
#include "llmap/cuda.cuh"
#include "llmap/likelihood/cuda/cross_entropy.cuh"

namespace llmap {

template <class Stored>
using given = void (*)(const cuda_executor&, matrix_view<const Stored>, std::span<const std::int32_t>,
                       const head_options&, std::span<double>);
template <class X, class W>
using fused = void (*)(const cuda_executor&, matrix_view<const X>, matrix_view<const W>,
                       std::span<const gpu::working_t<X>>, std::span<const std::int32_t>, const head_options&,
                       std::span<double>);

[[maybe_unused]] const given<double> given_double = cross_entropy;
[[maybe_unused]] const given<float> given_float = cross_entropy;
[[maybe_unused]] const given<bf16> given_bf16 = cross_entropy;
[[maybe_unused]] const given<f16> given_f16 = cross_entropy;
[[maybe_unused]] const fused<bf16, bf16> fused_bf16 = linear_cross_entropy;
[[maybe_unused]] const fused<f16, f16> fused_f16 = linear_cross_entropy;
[[maybe_unused]] const fused<float, bf16> fused_parts = linear_cross_entropy;
[[maybe_unused]] const fused<float, float> fused_float = linear_cross_entropy;
[[maybe_unused]] const fused<double, double> fused_double = linear_cross_entropy;

/// Every op of the pass, so that its kernels are compiled; never run.
template <class T>
void every_op(const cuda_executor& exec, const cuda_matrix<T>& w, const cuda_buffer<T>& v,
              const norm_weights<cuda_executor, T>& n, cuda_rows<T>& packed, cuda_keys_values<T>& kept,
              cuda_head_room<T>& head, cuda_scratch<T>& scratch, const ragged_batch& batch, matrix_view<T> y) {
  const matrix_view<const T> x = y;
  const std::vector<std::size_t> rows;
  const std::vector<T> weights;
  embedding_rows(exec, w, batch, T(1), y);
  add_positions(exec, v, 0, batch, y);
  fill_angles(exec, rope_plan{}, batch, y);
  norm(exec, x, n, y);
  add_scaled(exec, x, T(1), y, store_mode::add);
  scale(exec, T(1), y);
  scale(exec, v, y);
  clamp(exec, T(1), y);
  cut_below(exec, 1, y);
  mix_streams(exec, x, x, y);
  correct_streams(exec, x, 0, x, x, y);
  match_size(exec, x, y);
  clear(exec, y);
  activate(exec, activation::silu, true, x, y);
  xielu(exec, v, x, packed, scratch);
  place_heads(exec, x, 1, y, 1, 1);
  gather_rows<T>(exec, x, rows, packed, scratch);
  scale_rows_by_sigmoid(exec, x, y);
  linear(exec, x, w, y, store_mode::add, scratch);
  linear_cross_entropy(exec, packed, w, {}, head_options{}, {}, head, scratch);
  rope(exec, y, rotated_heads{}, x);
  attention(exec, attention_shape{}, v, v, batch, slab{}, x, y, kept, scratch);
  add_weighted_rows<T>(exec, x, rows, weights, y);
  causal_convolution(exec, batch, slab{}, x, v, v, y, y);
  token_shift(exec, batch, slab{}, x, y, v, packed, scratch);
  keep_last_row(exec, x, y);
  selective_scan(exec, batch, slab{}, x, y, x, x, v, v, y, y);
  head_scan(exec, head_scan_shape{}, batch, slab{}, x, x, x, x, v, v, v, y, y);
  wkv_scan(exec, batch, slab{}, x, x, v, v, y, y);
  gated_scan(exec, batch, slab{}, x, x, x, v, y, y);
  delta_scan(exec, delta_shape{}, batch, slab{}, x, x, x, x, x, v, v, y, y);
}
template <class T>
using every = void (*)(const cuda_executor&, const cuda_matrix<T>&, const cuda_buffer<T>&,
                       const norm_weights<cuda_executor, T>&, cuda_rows<T>&, cuda_keys_values<T>&, cuda_head_room<T>&,
                       cuda_scratch<T>&, const ragged_batch&, matrix_view<T>);
[[maybe_unused]] const every<float> every_float = every_op;
[[maybe_unused]] const every<double> every_double = every_op;

} // namespace llmap
