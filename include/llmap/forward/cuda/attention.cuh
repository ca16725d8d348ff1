// attention: causal softmax attention inside each text of a ragged batch, with grouped key/value heads.
//   qkv (S, H D + Hkv D + Hkv Dv) = [q heads | k heads | v heads] of each row;  out (S, H Dv)
//   out_i = sum_j softmax_j(cap(scale q_i . k_j) + slope (j - i)) v_j  over the keys j <= i of the window or chunk
// A sink is one more score of the softmax, without a value; rounded_alibi is the bias of Falcon (forward/cpu).
// Tiles count from the start of a text, so the bits of a text do not depend on what else is in the batch or where it is
// cut into slabs; no (T, T) matrix is stored.
//   float    tensor cores, factors in three parts of bf16 (24 bits), sums in float
//   double   multiply-adds
// Error of a score: (D + 5) eps sum |q k|; of a weight beside it: 2^-21 in float, 4 eps in double; sums of n weights
// add (n + 1) eps. Rows of a text that are NaN or infinite make it NaN, other texts keep their bits.
#pragma once
#include "llmap/core/cuda/each_element.cuh"
#include "llmap/forward/cuda/attention_plain.cuh"
#include "llmap/forward/cuda/attention_tensor.cuh"
#include "llmap/forward/cuda/positions.cuh"
#include "llmap/forward/cuda/storage.cuh"

namespace llmap {

namespace gpu {

template <class T> struct keep_columns {
  matrix_view<const T> x;
  matrix_view<T> y;
  __device__ void operator()(std::size_t r, std::size_t k) const { y(r, k) = x(r, k); }
};

/// What both kernels are launched with: tiles of queries, heads, panels of values.
struct attention_launch {
  cuda_buffer<query_tile> tiles;
  int panels; // of 64 columns that a block takes
  dim3 grid;

  attention_launch(const cuda_executor& exec, const attention_shape& shape, const ragged_batch& batch, slab rows)
      : panels(shape.value_dim <= attention_tile ? 1 : 2) {
    const std::vector<query_tile> on_host = query_tiles(batch, rows);
    const std::size_t width = static_cast<std::size_t>(panels) * attention_tile;
    LLMAP_EXPECTS(on_host.size() <= 0x7fffffff, "attention: fewer rows at a time");
    tiles = on_device(exec, on_host);
    grid = dim3(static_cast<unsigned>(on_host.size()), static_cast<unsigned>(shape.heads),
                static_cast<unsigned>((shape.value_dim + width - 1) / width));
  }
};

/// Columns of T that keys and values take: as they are, or in parts.
template <class T> std::size_t kept_columns(std::size_t kv_heads, std::size_t D, std::size_t Dv) {
  if constexpr (std::is_same_v<T, float>)
    return kv_heads * (split_width(D) + split_width(Dv)) / 2 * attention_policy::parts;
  else return kv_heads * (D + Dv);
}

/// Keys and values, kept or to be kept.
template <class T> struct kept_keys_values {
  matrix_view<T> rows; // (T, kept_columns)
  slab own;            // rows that come with q; none: all lie there already
};

inline void attend(const cuda_executor& exec, const attention_shape& shape, const attention_rules<float>& rules,
                   const attention_launch& launch, matrix_view<const float> qkv, matrix_view<float> out,
                   const kept_keys_values<float>& kept, cuda_scratch<float>& scratch) {
  const std::size_t D = shape.key_dim, Dv = shape.value_dim, H = shape.heads, G = shape.kv_heads;
  constexpr std::size_t parts = attention_policy::parts;
  const std::size_t width = split_width(D), value_width = split_width(Dv), T = kept.rows.rows,
                    stride = G * (width + value_width);
  LLMAP_EXPECTS(width <= 0xffffffff && value_width <= 0xffffffff, "attention: width of heads");
  scratch.parts.resize(exec, parts * qkv.rows * H * width);
  const split_heads q{scratch.parts.data(), H * width, qkv.rows * H * width, static_cast<unsigned>(width)};
  const split_heads keys{reinterpret_cast<std::uint16_t*>(kept.rows.data), stride, T * stride,
                         static_cast<unsigned>(width)};
  const split_heads values{keys.data + G * width, stride, T * stride, static_cast<unsigned>(value_width)};
  split_rows<parts>(exec, qkv.column_range(0, H * D), H, q);
  if (kept.own.count > 0) {
    const auto of_slab = [&](split_heads heads) {
      heads.data += kept.own.first * stride;
      return heads;
    };
    split_rows<parts>(exec, qkv.column_range(H * D, G * D), G, of_slab(keys));
    split_rows<parts>(exec, qkv.column_range((H + G) * D, G * Dv), G, of_slab(values));
  }
  const bool pairs = reinterpret_cast<std::uintptr_t>(out.data) % 8 == 0 && out.stride % 2 == 0 && Dv % 2 == 0;
  const attention_parts operands{q,
                                 keys,
                                 values,
                                 out,
                                 launch.tiles.data(),
                                 rules,
                                 static_cast<std::uint32_t>(Dv),
                                 static_cast<std::uint32_t>(H / G),
                                 pairs};
  const auto kernel = launch.panels == 1 ? attention_tensor_kernel<1> : attention_tensor_kernel<2>;
  const unsigned shared = attention_policy::shared_bytes(q.width);
  LLMAP_CUDA_CHECK(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                        cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared)));
  kernel<<<launch.grid, attention_policy::threads, shared, exec.stream>>>(operands);
}

inline void attend(const cuda_executor& exec, const attention_shape& shape, const attention_rules<double>& rules,
                   const attention_launch& launch, matrix_view<const double> qkv, matrix_view<double> out,
                   const kept_keys_values<double>& kept, cuda_scratch<double>&) {
  const std::size_t D = shape.key_dim, Dv = shape.value_dim, H = shape.heads, G = shape.kv_heads,
                    columns = G * (D + Dv);
  if (kept.own.count > 0)
    each_element(
        exec, kept.own.count, columns,
        keep_columns<double>{qkv.column_range(H * D, columns), kept.rows.row_range(kept.own.first, kept.own.count)});
  const attention_operands<double> operands{qkv.column_range(0, H * D),
                                            kept.rows.column_range(0, G * D),
                                            kept.rows.column_range(G * D, G * Dv),
                                            out,
                                            launch.tiles.data(),
                                            rules,
                                            static_cast<std::uint32_t>(D),
                                            static_cast<std::uint32_t>(Dv),
                                            static_cast<std::uint32_t>(H / G)};
  const auto kernel = launch.panels == 1 ? attention_plain_kernel<double, 1> : attention_plain_kernel<double, 2>;
  kernel<<<launch.grid, attention_threads, 0, exec.stream>>>(operands);
}

} // namespace gpu

/// Columns that attention keeps of each token.
template <class T>
std::int64_t keys_values_columns(const cuda_executor&, std::int64_t kv_heads, std::int64_t key_dim,
                                 std::int64_t value_dim) {
  const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
  return static_cast<std::int64_t>(gpu::kept_columns<T>(size(kv_heads), size(key_dim), size(value_dim)));
}

/// Attention of the rows of a slab. Slabs come in order, so that `kept` holds the keys and values before them.
template <class T>
void attention(const cuda_executor& exec, const attention_shape& shape,
               const cuda_buffer<std::type_identity_t<T>>& alibi, const cuda_buffer<std::type_identity_t<T>>& sinks,
               const ragged_batch& batch, slab rows, std::type_identity_t<matrix_view<const T>> qkv,
               std::type_identity_t<matrix_view<T>> out, cuda_keys_values<T>& kept, cuda_scratch<T>& scratch) {
  const std::size_t D = shape.key_dim, Dv = shape.value_dim, H = shape.heads, G = shape.kv_heads;
  const bool own = qkv.cols != H * D; // keys and values, else those that are kept
  LLMAP_EXPECTS((!own || qkv.cols == H * D + G * (D + Dv)) && out.cols == H * Dv && qkv.rows == rows.count &&
                    out.rows == rows.count && G > 0 && H % G == 0 && H <= 65535,
                "attention: shapes");
  LLMAP_EXPECTS((alibi.size() == 0 || alibi.size() == H) && (sinks.size() == 0 || sinks.size() == H),
                "attention: one slope and one sink per head");
  if (rows.count == 0) return;
  const std::size_t columns = gpu::kept_columns<T>(G, D, Dv);
  const matrix_view<T> there = own ? kept.rows.reshape(batch.rows(), columns) : kept.rows.view();
  LLMAP_EXPECTS(there.rows == batch.rows() && there.cols == columns, "attention: keys and values that are kept");
  const gpu::attention_launch launch(exec, shape, batch, rows);
  gpu::attend(exec, shape, gpu::attention_rules<T>(shape, alibi, sinks), launch, qkv, out, {there, own ? rows : slab{}},
              scratch);
  LLMAP_CUDA_CHECK(cudaGetLastError());
}

} // namespace llmap
