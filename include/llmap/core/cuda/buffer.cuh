// Device memory in the order of a stream: taken and given back by operations on it, never waiting for it, or a part of
// the executor's arena. Its numbers are unspecified until something writes them.
#pragma once
#include "llmap/core/cuda/executor.cuh"
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace llmap {

/// An array of the device. Running out of memory is an llmap::error that names the size.
template <class T> class cuda_buffer {
  static_assert(std::is_trivially_copyable_v<T>);
  T* data_ = nullptr;
  std::size_t size_ = 0, capacity_ = 0;
  cudaStream_t stream_ = nullptr;
  std::shared_ptr<cuda_arena> arena_; // that it is a part of

  void give_back() noexcept {
    if (data_ && arena_) arena_->give_back(data_, capacity_ * sizeof(T));
    else if (data_) cudaFreeAsync(data_, stream_);
    data_ = nullptr, size_ = capacity_ = 0;
    arena_.reset();
  }

public:
  cuda_buffer() = default;
  cuda_buffer(const cuda_executor& exec, std::size_t size) { resize(exec, size); } ///< as after resize
  /// A copy of the host's numbers.
  cuda_buffer(const cuda_executor& exec, std::span<const T> numbers) : cuda_buffer(exec, numbers.size()) {
    if (!numbers.empty())
      LLMAP_CUDA_CHECK(
          cudaMemcpyAsync(data_, numbers.data(), numbers.size_bytes(), cudaMemcpyHostToDevice, exec.stream));
  }
  cuda_buffer(cuda_buffer&& other) noexcept { *this = std::move(other); }
  cuda_buffer& operator=(cuda_buffer&& other) noexcept {
    if (this == &other) return *this;
    give_back();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0), capacity_ = std::exchange(other.capacity_, 0);
    stream_ = other.stream_;
    arena_ = std::move(other.arena_);
    return *this;
  }
  ~cuda_buffer() { give_back(); }

  /// Grows, never shrinks; what it held is lost when it grows.
  void resize(const cuda_executor& exec, std::size_t size) {
    if (size > capacity_) {
      give_back();
      if (size > static_cast<std::size_t>(-1) / 2 / sizeof(T)) fail("out of device memory: ", size, " elements");
      stream_ = exec.stream;
      if (exec.arena) data_ = static_cast<T*>(exec.arena->take(size * sizeof(T)));
      if (data_) arena_ = exec.arena;
      const cudaError_t result =
          data_ ? cudaSuccess : cudaMallocAsync(reinterpret_cast<void**>(&data_), size * sizeof(T), stream_);
      if (result != cudaSuccess) data_ = nullptr;
      cuda_check_memory(result, "cudaMallocAsync", "device", size * sizeof(T));
      capacity_ = size;
    }
    size_ = size;
  }
  /// Makes room for so many, of which it has none yet.
  void reserve(const cuda_executor& exec, std::size_t size) { resize(exec, size), size_ = 0; }
  T* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::span<T> span() const { return {data_, size_}; } ///< on the device

  /// To the host, waiting for the stream unless there is nothing to fetch.
  std::vector<T> download(const cuda_executor& exec) const {
    std::vector<T> numbers(size_);
    if (size_ == 0) return numbers;
    LLMAP_CUDA_CHECK(cudaMemcpyAsync(numbers.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost, exec.stream));
    synchronize(exec);
    return numbers;
  }
};

} // namespace llmap
