// Device memory viewed as a matrix (rows, cols) of the shape last asked for. Asking for the same shape keeps the
// numbers. It belongs to the device, not to a stream: growing waits for all work on the device. It is rare, since
// buffers are kept from batch to batch, and does not happen to one with enough room reserved.
#pragma once
#include "llmap/core/cuda/executor.cuh"
#include "llmap/core/view.hpp"
#include <utility>

namespace llmap {

/// A matrix (rows, cols) of the device of the shape last asked for.
template <class T> class cuda_matrix_buffer {
  T* data_ = nullptr;
  std::size_t capacity_ = 0, rows_ = 0, cols_ = 0;
  std::shared_ptr<cuda_arena> arena_; // that it is a part of

  cudaError_t give_back() noexcept {
    T* const data = std::exchange(data_, nullptr);
    const std::shared_ptr<cuda_arena> from = std::exchange(arena_, nullptr);
    const std::size_t bytes = std::exchange(capacity_, 0) * sizeof(T);
    if (!data) return cudaSuccess;
    return from ? (from->give_back(data, bytes), cudaSuccess) : cudaFree(data);
  }

public:
  cuda_matrix_buffer() = default;
  cuda_matrix_buffer(cuda_matrix_buffer&& other) noexcept { *this = std::move(other); }
  cuda_matrix_buffer& operator=(cuda_matrix_buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(capacity_, other.capacity_);
    std::swap(rows_, other.rows_);
    std::swap(cols_, other.cols_);
    std::swap(arena_, other.arena_);
    return *this;
  }
  ~cuda_matrix_buffer() { give_back(); }

  /// Takes room for so many elements from the executor's arena, if it has it.
  void reserve(const cuda_executor& exec, std::size_t elements) {
    if (elements <= capacity_ || !exec.arena) return;
    LLMAP_CUDA_CHECK(give_back());
    data_ = static_cast<T*>(exec.arena->take(elements * sizeof(T)));
    if (data_) arena_ = exec.arena, capacity_ = elements;
  }

  /// Waits for the device if it grows outside an arena. Another shape leaves the numbers unspecified.
  matrix_view<T> reshape(std::size_t rows, std::size_t cols) {
    if (cols != 0 && rows > static_cast<std::size_t>(-1) / 2 / sizeof(T) / cols)
      fail("out of device memory: ", rows, " x ", cols, " elements");
    if (rows * cols > capacity_) {
      LLMAP_CUDA_CHECK(give_back());
      const cudaError_t result = cudaMalloc(reinterpret_cast<void**>(&data_), rows * cols * sizeof(T));
      if (result != cudaSuccess) data_ = nullptr;
      cuda_check_memory(result, "cudaMalloc", "device", rows * cols * sizeof(T));
      capacity_ = rows * cols;
    }
    rows_ = rows, cols_ = cols;
    return view();
  }
  T* data() const { return data_; }
  matrix_view<T> view() const { return {data_, rows_, cols_}; } ///< of the shape last asked for
};

} // namespace llmap
