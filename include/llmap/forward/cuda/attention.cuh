// attention: causal softmax attention inside each text of a ragged batch, with grouped key/value heads.
//   qkv (S, H D + Hkv D + Hkv Dv) = [q heads | k heads | v heads] of each row;  out (S, H Dv)
//   out_i = sum_j softmax_j(cap(scale q_i . k_j) + slope (j - i)) v_j  over the keys j <= i of the window or chunk
// A sink is one more score of the softmax, without a value; rounded_alibi is the bias of Falcon (forward/cpu).
// Tiles count from the start of a text, so the bits of a text do not depend on what else is in the batch or where it is
// cut into slabs; no (T, T) matrix is stored. Products and sums in T. Error of a score: (D + 4) eps sum |q k|; of a
// weight beside it: 2^-21 in float, 4 eps in double; sums of n weights add n eps. Rows of a text that are NaN make it
// NaN, other texts keep their bits.
#pragma once
#include "llmap/core/cuda/each_element.cuh"
#include "llmap/forward/cuda/attention_tile.cuh"
#include "llmap/forward/cuda/positions.cuh"
#include "llmap/forward/cuda/storage.cuh"
#include <vector>

namespace llmap {

namespace gpu {

template <class T> struct keep_columns {
  matrix_view<const T> x;
  matrix_view<T> y;
  __device__ void operator()(std::size_t r, std::size_t k) const { y(r, k) = x(r, k); }
};

/// The rows of a slab by text, cut at every 64th position.
inline std::vector<query_tile> query_tiles(const ragged_batch& batch, slab rows) {
  std::vector<query_tile> tiles;
  for_parts(batch, rows, [&](std::size_t t, std::size_t first, std::size_t count) {
    for (std::size_t p = first, n; p < first + count; p += n) {
      n = std::min(attention_tile - p % attention_tile, first + count - p);
      tiles.push_back({batch.offsets[t] + p - rows.first, batch.offsets[t], static_cast<std::uint32_t>(p),
                       static_cast<std::uint32_t>(n)});
    }
  });
  return tiles;
}

} // namespace gpu

/// Columns that attention keeps of each token.
template <class T>
std::int64_t keys_values_columns(const cuda_executor&, std::int64_t kv_heads, std::int64_t key_dim,
                                 std::int64_t value_dim) {
  return kv_heads * (key_dim + value_dim);
}

/// Attention of the rows of a slab. Slabs come in order, so that `kept` holds the keys and values before them.
template <class T>
void attention(const cuda_executor& exec, const attention_shape& shape,
               const cuda_buffer<std::type_identity_t<T>>& alibi, const cuda_buffer<std::type_identity_t<T>>& sinks,
               const ragged_batch& batch, slab rows, std::type_identity_t<matrix_view<const T>> qkv,
               std::type_identity_t<matrix_view<T>> out, cuda_keys_values<T>& kept, cuda_scratch<T>&) {
  const std::size_t D = shape.key_dim, Dv = shape.value_dim, H = shape.heads, G = shape.kv_heads,
                    columns = G * (D + Dv);
  const bool own = qkv.cols != H * D; // keys and values, else those that are kept
  LLMAP_EXPECTS((!own || qkv.cols == H * D + columns) && out.cols == H * Dv && qkv.rows == rows.count &&
                    out.rows == rows.count && G > 0 && H % G == 0 && H <= 65535,
                "attention: shapes");
  LLMAP_EXPECTS((alibi.size() == 0 || alibi.size() == H) && (sinks.size() == 0 || sinks.size() == H),
                "attention: one slope and one sink per head");
  if (rows.count == 0) return;
  matrix_view<T> keys_values = kept.rows.view();
  LLMAP_EXPECTS(own || (keys_values.rows == batch.rows() && keys_values.cols == columns),
                "attention: keys and values that are kept");
  if (own) {
    keys_values = kept.rows.reshape(batch.rows(), columns);
    gpu::each_element(
        exec, rows.count, columns,
        gpu::keep_columns<T>{qkv.column_range(H * D, columns), keys_values.row_range(rows.first, rows.count)});
  }
  const std::vector<gpu::query_tile> tiles = gpu::query_tiles(batch, rows);
  LLMAP_EXPECTS(tiles.size() <= 0x7fffffff, "attention: fewer rows at a time");
  const auto on_device = gpu::on_device(exec, tiles);
  const gpu::attention_operands<T> operands{qkv.column_range(0, H * D),
                                            keys_values.column_range(0, G * D),
                                            keys_values.column_range(G * D, G * Dv),
                                            out,
                                            on_device.data(),
                                            alibi.size() ? alibi.data() : nullptr,
                                            sinks.size() ? sinks.data() : nullptr,
                                            static_cast<std::uint32_t>(D),
                                            static_cast<std::uint32_t>(Dv),
                                            static_cast<std::uint32_t>(H / G),
                                            static_cast<std::uint32_t>(shape.window),
                                            static_cast<std::uint32_t>(shape.chunk),
                                            static_cast<T>(shape.scale),
                                            static_cast<T>(shape.softcap),
                                            shape.rounded_alibi};
  const unsigned panels = Dv <= gpu::attention_tile ? 1 : 2, width = panels * gpu::attention_tile;
  const dim3 grid(static_cast<unsigned>(tiles.size()), static_cast<unsigned>(H),
                  static_cast<unsigned>((Dv + width - 1) / width));
  const auto kernel = panels == 1 ? gpu::attention_kernel<T, 1> : gpu::attention_kernel<T, 2>;
  kernel<<<grid, gpu::attention_threads, 0, exec.stream>>>(operands);
  LLMAP_CUDA_CHECK(cudaGetLastError());
}

} // namespace llmap
