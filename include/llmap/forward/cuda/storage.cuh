// What cuda_executor keeps numbers in (forward/executor.hpp says what each is for). All of it but host_buffer lies on
// the device; ids, offsets, lists of rows and targets that an op takes lie on the host and go over with the op.
#pragma once
#include "llmap/core/cuda/buffer.cuh"
#include "llmap/core/cuda/host_buffer.cuh"
#include "llmap/core/cuda/matrix_buffer.cuh"
#include "llmap/core/dtype.hpp"
#include "llmap/forward/executor.hpp"
#include <cstddef>
#include <cstdint>

namespace llmap {

/// A weight matrix (rows, cols) in its stored type; rows begin at multiples of 16 bytes.
template <class T> struct cuda_matrix {
  dtype type = dtype_of<T>;                     ///< of the stored elements
  compute_type compute = compute_type::working; // bf16: type is bf16
  std::size_t rows = 0, cols = 0, stride = 0;   // stride in elements
  cuda_buffer<std::byte> bytes;                 ///< row by row
  cuda_buffer<T> bias;                          // (rows), or empty

  /// (rows, cols) in the stored type.
  template <class Stored> matrix_view<const Stored> view() const {
    return {reinterpret_cast<const Stored*>(bytes.data()), rows, cols, stride};
  }
  const T* bias_data() const { return bias.size() ? bias.data() : nullptr; } ///< null: none

  /// Calls body.template operator()<Stored>() with the type of the stored elements.
  template <class Body> void visit(Body&& body) const {
    if constexpr (std::is_same_v<T, double>)
      if (type == dtype::f64) return body.template operator()<double>();
    if (type == dtype::bf16) return body.template operator()<bf16>();
    if (type == dtype::f16) return body.template operator()<f16>();
    return body.template operator()<float>();
  }
};

/// Activations (rows, cols) for linear, as they are.
template <class T> struct cuda_rows {
  compute_type compute = compute_type::working; ///< what linear makes of them
  std::size_t rows = 0, cols = 0;               ///< of the shape last asked for
  cuda_matrix_buffer<T> numbers;                ///< (rows, cols)

  /// To be written.
  matrix_view<T> reshape(std::size_t M, std::size_t K) {
    rows = M, cols = K;
    return numbers.reshape(M, K);
  }
  matrix_view<const T> view() const { return numbers.view(); } ///< as they are
};

/// Keys and values of all rows of a batch, as attention reads them (attention.cuh).
template <class T> struct cuda_keys_values {
  cuda_matrix_buffer<T> rows; ///< keys beside values, float in parts of bf16
};

/// Working memory of linear and attention: x or q in parts of bf16; rows and sums of a slab, where cuBLASLt multiplies.
template <class T> struct cuda_scratch {
  cuda_buffer<std::uint16_t> parts; ///< of bf16
  cuda_buffer<T> slab, sums;        ///< of cublas_lt::slab_rows rows
};

} // namespace llmap
