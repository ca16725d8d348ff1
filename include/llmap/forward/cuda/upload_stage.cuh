// The way of weights to a device: two pieces of pinned host memory, of which one is filled while the other is copied.
#pragma once
#include "llmap/core/cuda/host_buffer.cuh"
#include <array>
#include <cstddef>
#include <span>

namespace llmap {

/// What loading a model sends through. Not for several threads.
class upload_stage {
  struct piece {
    cuda_host_buffer<std::byte> memory;
    cudaEvent_t copied = nullptr;
  };
  std::array<piece, 2> pieces_;
  std::size_t next_ = 0;

public:
  static constexpr std::size_t bytes = std::size_t{4} << 20; ///< that a piece should have

  upload_stage() = default;
  upload_stage(const upload_stage&) = delete;
  upload_stage& operator=(const upload_stage&) = delete;
  ~upload_stage() {
    for (const piece& p : pieces_)
      if (p.copied) cudaEventDestroy(p.copied);
  }

  /// Calls fill(memory) with `size` bytes and queues their copy to `to` on the device.
  template <class Fill> void send(const cuda_executor& exec, std::byte* to, std::size_t size, const Fill& fill) {
    piece& p = pieces_[next_];
    next_ = 1 - next_;
    if (p.copied) LLMAP_CUDA_CHECK(cudaEventSynchronize(p.copied));
    else LLMAP_CUDA_CHECK(cudaEventCreateWithFlags(&p.copied, cudaEventDisableTiming));
    const std::span<std::byte> memory = p.memory.resize(exec, size);
    fill(memory.data());
    LLMAP_CUDA_CHECK(cudaMemcpyAsync(to, memory.data(), size, cudaMemcpyHostToDevice, exec.stream));
    LLMAP_CUDA_CHECK(cudaEventRecord(p.copied, exec.stream));
  }
};

} // namespace llmap
