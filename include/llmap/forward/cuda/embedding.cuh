// Rows of a batch: the embedding of its ids, and their positions. Contracts: forward/ops.hpp.
#pragma once
#include "llmap/core/cuda/each_element.cuh"
#include "llmap/core/cuda/numbers.cuh"
#include "llmap/forward/cuda/positions.cuh"
#include "llmap/forward/cuda/storage.cuh"
#include "llmap/forward/ops.hpp"

namespace llmap {

namespace gpu {

template <class T, class Stored> struct embed {
  matrix_view<const Stored> table;
  const std::int32_t* ids;
  T scale;
  matrix_view<T> y;
  __device__ void operator()(std::size_t r, std::size_t k) const {
    const auto id = static_cast<std::size_t>(ids[r]); // a negative one is beyond the table
    y(r, k) = static_cast<T>(widen(table(id < table.rows ? id : 0, k))) * scale;
  }
};
template <class T> struct add_position {
  const T* table;
  const std::int32_t* position;
  std::size_t offset;
  matrix_view<T> y;
  __device__ void operator()(std::size_t r, std::size_t k) const {
    y(r, k) += table[(static_cast<std::size_t>(position[r]) + offset) * y.cols + k];
  }
};
} // namespace gpu

template <class T>
void embedding_rows(const cuda_executor& exec, const cuda_matrix<T>& table, const ragged_batch& batch,
                    std::type_identity_t<T> scale, matrix_view<T> y) {
  LLMAP_EXPECTS(y.rows == batch.rows() && y.cols == table.cols, "embedding_rows: shape of y");
  const auto ids = gpu::on_device(exec, batch.ids);
  table.visit([&]<class Stored>() {
    gpu::each_element(exec, y.rows, y.cols, gpu::embed<T, Stored>{table.template view<Stored>(), ids.data(), scale, y});
  });
}

template <class T>
void add_positions(const cuda_executor& exec, const cuda_buffer<std::type_identity_t<T>>& positions, std::size_t offset,
                   const ragged_batch& batch, matrix_view<T> y) {
  LLMAP_EXPECTS(y.rows == batch.rows(), "add_positions: rows of the batch");
  const auto at = gpu::on_device(exec, gpu::positions_of(batch, {0, batch.rows()}));
  gpu::each_element(exec, y.rows, y.cols, gpu::add_position<T>{positions.data(), at.data(), offset, y});
}

} // namespace llmap
