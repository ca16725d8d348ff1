// Weights on the device: matrices in the type they are stored in, row by row; vectors in the working type. Rows are
// converted by all threads while those before them go over; every weight is checked to be finite on the way.
#pragma once
#include "llmap/core/parallel.hpp"
#include "llmap/forward/cuda/cublas_lt.cuh"
#include "llmap/forward/cuda/split_rows.cuh"
#include "llmap/forward/cuda/storage.cuh"
#include "llmap/forward/cuda/upload_stage.cuh"
#include "llmap/forward/memory_plan.hpp"
#include "llmap/forward/stored_matrix.hpp"
#include <algorithm>
#include <atomic>

namespace llmap {

namespace detail {

/// Output rows [begin, begin + count) of a part as Stored, `stride` apart, zeros beyond their `cols` weights. Says
/// whether all are finite.
template <class From, class Stored>
bool convert_rows(const matrix_part& part, const std::byte* data, std::size_t begin, std::size_t count,
                  std::size_t cols, std::size_t stride, Stored* to) {
  bool finite = true;
  const auto convert = [&](std::size_t r, std::size_t k, std::size_t at) {
    const Stored x = convert_element<Stored>(load_element<From>(data, at));
    finite &= std::isfinite(static_cast<double>(x));
    to[r * stride + k] = x;
  };
  if (part.transposed) { // a row of the file has one weight of every row here
    const auto width = static_cast<std::size_t>(part.stored_rows);
    for (std::size_t k = 0; k < cols; ++k)
      for (std::size_t r = 0; r < count; ++r) convert(r, k, k * width + stored_row(part, begin + r));
  } else {
    for (std::size_t r = 0; r < count; ++r)
      for (std::size_t k = 0, first = stored_row(part, begin + r) * cols; k < cols; ++k) convert(r, k, first + k);
  }
  for (std::size_t r = 0; r < count; ++r) std::fill(to + r * stride + cols, to + (r + 1) * stride, Stored{});
  return finite;
}

/// Rows of one part, as Stored, from row `first` of the matrix on.
template <class From, class Stored>
void upload_part(const cuda_executor& exec, const matrix_part& part, const tensor_data& data, const std::string& name,
                 std::size_t first, std::size_t cols, std::size_t stride, Stored* matrix, upload_stage& stage) {
  const std::size_t rows = static_cast<std::size_t>(part.rows), row_bytes = stride * sizeof(Stored),
                    step = std::max<std::size_t>(1, upload_stage::bytes / row_bytes), block = 16;
  for (std::size_t begin = 0; begin < rows; begin += step) {
    const std::size_t count = std::min(step, rows - begin);
    std::byte* const to = reinterpret_cast<std::byte*>(matrix + (first + begin) * stride);
    stage.send(exec, to, count * row_bytes, [&](std::byte* memory) {
      std::atomic<bool> finite = true;
      parallel_for(default_threads(), (count + block - 1) / block, [&](std::size_t b) {
        const std::size_t r = b * block, n = std::min(block, count - r);
        if (!convert_rows<From>(part, data.bytes.data(), begin + r, n, cols, stride,
                                reinterpret_cast<Stored*>(memory) + r * stride))
          finite = false;
      });
      if (!finite) name_not_finite<From, Stored>(data, name);
    });
  }
}

} // namespace detail

/// The numbers (n) in the form that the ops of this executor read.
template <class T> cuda_buffer<T> upload(const cuda_executor& exec, const std::vector<T>& numbers) {
  return cuda_buffer<T>(exec, std::span<const T>(numbers));
}

template <class T, tensor_source Source>
upload_stage room_for(const cuda_executor&, const decoder_plan&, const Source&) {
  return {};
}

/// Elements between the rows of a matrix.
inline std::size_t row_stride(std::size_t cols, std::size_t element) {
  return (cols * element + 15) / 16 * 16 / element;
}

template <class T, tensor_source Source>
std::uint64_t packed_bytes(const cuda_executor&, const Source& source, const linear_plan& plan,
                           const tensor_naming& names) {
  const auto element = static_cast<std::size_t>(bits_of(packed_dtype<T>(source, plan, names)) / 8);
  const std::size_t stride = row_stride(static_cast<std::size_t>(plan.cols), element);
  return static_cast<std::uint64_t>(plan.rows()) * (stride * element + sizeof(T));
}

namespace gpu {

/// Columns of q in parts (attention.cuh), of the layer that has most.
inline std::size_t widest_query(const decoder_plan& plan) {
  std::size_t most = 0;
  const auto include = [&](std::int64_t heads, std::int64_t D) {
    most = std::max(most, static_cast<std::size_t>(heads) * split_width(static_cast<std::size_t>(D)));
  };
  for (const layer_plan& layer : plan.layers)
    for (const branch_plan& b : layer.branches) {
      if (const auto* a = std::get_if<attention_plan>(&b.mixer)) include(a->heads, a->head_dim);
      if (const auto* l = std::get_if<latent_attention_plan>(&b.mixer)) include(l->heads, l->nope_dim + l->rope.dims);
    }
  return most;
}

} // namespace gpu

/// Nothing of a matrix exists twice on the device. Products and attention take x in parts of bf16, 6 bytes an element,
/// of the rows of a small batch or of a slab of cuBLASLt's, which takes the rows and sums of a slab besides.
template <class T, tensor_source Source>
std::uint64_t loading_bytes(const cuda_executor& exec, const decoder_plan& plan, const Source&, compute_type) {
  struct widest {
    std::uint64_t in = 0, columns = 0;
    void operator()(const linear_plan& p, tensor_use) {
      in = std::max(in, static_cast<std::uint64_t>(p.cols));
      columns = std::max(columns, static_cast<std::uint64_t>(p.cols + p.rows()));
    }
    void operator()(const vector_plan&, tensor_use) const {}
    void operator()(const norm_plan&, tensor_use) const {}
  } of_products;
  visit_tensors(plan, of_products);
  of_products.in = std::max<std::uint64_t>(of_products.in, gpu::widest_query(plan));
  const std::uint64_t rows = exec.library ? cublas_lt::slab_rows : 512;
  const std::uint64_t parts = std::is_same_v<T, float> ? 2 * rows * of_products.in * 6 : 0; // of a product and the head
  return parts + (exec.library ? of_products.columns * cublas_lt::slab_rows * sizeof(T) : 0);
}

/// Slabs of 8160 rows, if activations of 1 GiB allow: with fewer, products of small models leave most of a device idle.
/// The lists of such a slab have less than 64 KiB each, which CUDA takes over without waiting for the stream.
inline row_limits row_limits_of(const cuda_executor&) {
  return {.activation_bytes = std::size_t{1} << 30,
          .least = 12 * slab_unit,
          .most = 170 * slab_unit,
          .most_batch = 2 * 170 * slab_unit};
}

/// The matrix of a linear_plan; for bf16 products it is rounded to bf16.
template <class T, tensor_source Source>
cuda_matrix<T> pack(const cuda_executor& exec, const Source& source, const linear_plan& plan,
                    const tensor_naming& names, compute_type compute, upload_stage& stage) {
  cuda_matrix<T> matrix;
  matrix.compute = compute;
  matrix.rows = static_cast<std::size_t>(plan.rows()), matrix.cols = static_cast<std::size_t>(plan.cols);
  matrix.type = compute == compute_type::bf16 ? dtype::bf16 : packed_dtype<T>(source, plan, names);
  std::vector<T> bias(matrix.rows, T(0));
  bool biased = false;
  matrix.visit([&]<class Stored>() {
    matrix.stride = row_stride(matrix.cols, sizeof(Stored));
    matrix.bytes.resize(exec, matrix.rows * matrix.stride * sizeof(Stored));
    std::size_t first = 0;
    tensor_data data;
    const matrix_part* loaded = nullptr;
    for (const matrix_part& part : plan.parts) {
      const std::string name = names(part.weight);
      if (!loaded || loaded->weight != part.weight || loaded->slice != part.slice)
        data = detail::read_matrix(source, name, part, part.stored_rows * plan.cols);
      loaded = &part;
      visit_weight_dtype(data.info.type, [&]<class From>() {
        detail::upload_part<From>(exec, part, data, name, first, matrix.cols, matrix.stride,
                                  reinterpret_cast<Stored*>(matrix.bytes.data()), stage);
      });
      if (!part.bias.empty()) {
        biased = true;
        std::vector<T> own;
        append_widened(detail::read_matrix(source, names(part.bias), part, part.stored_rows), names(part.bias), own);
        for (std::size_t r = 0; r < static_cast<std::size_t>(part.rows); ++r)
          bias[first + r] = own[detail::stored_row(part, r)];
      }
      first += static_cast<std::size_t>(part.rows);
    }
  });
  if (biased) matrix.bias = upload(exec, bias);
  return matrix;
}

} // namespace llmap
