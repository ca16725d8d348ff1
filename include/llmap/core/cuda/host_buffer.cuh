// Host memory that a device reaches: pinned, at one address for the host and every device. What kernels write there is
// there after synchronize(exec); each number goes over while what comes next on the stream runs, without a copy. Copies
// from and to it do not keep the host waiting.
#pragma once
#include "llmap/core/cuda/executor.cuh"
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>

namespace llmap {

/// An array of the host that kernels reach. Running out of memory is an llmap::error that names the size.
template <class T> class cuda_host_buffer {
  static_assert(std::is_trivially_copyable_v<T>);
  T* data_ = nullptr;
  std::size_t capacity_ = 0;
  cudaStream_t stream_ = nullptr;

  void give_back() noexcept {
    if (!data_) return;
    cudaStreamSynchronize(stream_); // something queued may still use it
    cudaFreeHost(data_);
    data_ = nullptr, capacity_ = 0;
  }

public:
  cuda_host_buffer() = default;
  cuda_host_buffer(cuda_host_buffer&& other) noexcept { *this = std::move(other); }
  cuda_host_buffer& operator=(cuda_host_buffer&& other) noexcept {
    if (this == &other) return *this;
    give_back();
    data_ = std::exchange(other.data_, nullptr), capacity_ = std::exchange(other.capacity_, 0);
    stream_ = other.stream_;
    return *this;
  }
  ~cuda_host_buffer() { give_back(); }

  /// Room for `size` numbers, unspecified until something writes them. Grows, never shrinks.
  std::span<T> resize(const cuda_executor& exec, std::size_t size) {
    if (size > capacity_) {
      give_back();
      stream_ = exec.stream;
      const cudaError_t result = cudaHostAlloc(reinterpret_cast<void**>(&data_), size * sizeof(T),
                                               cudaHostAllocMapped | cudaHostAllocPortable);
      if (result != cudaSuccess) data_ = nullptr;
      cuda_check_memory(result, "cudaHostAlloc", "pinned", size * sizeof(T));
      capacity_ = size;
    }
    return {data_, size};
  }
};

namespace gpu {

/// Whether kernels can write there: device memory, or host memory that is pinned.
inline bool is_reachable(const void* p) {
  cudaPointerAttributes attributes{};
  if (cudaPointerGetAttributes(&attributes, p) != cudaSuccess) {
    cudaGetLastError();
    return false;
  }
  return attributes.type != cudaMemoryTypeUnregistered;
}

} // namespace gpu

} // namespace llmap
