// The devices of this machine, and the executor that runs ops on a stream of one: the first argument of every op. Ops
// are queued on the stream and return at once; views and spans they take lie in device memory and must live until the
// stream has come so far.
#pragma once
#include "llmap/core/cuda/check.cuh"
#include <string>
#include <vector>

namespace llmap {

struct cuda_device {
  int number = 0;
  std::string name;
  int major = 0, minor = 0; // compute capability
  std::size_t memory = 0;   // bytes
};

/// Those that kernels can run on (compute capability 8.0 and later). None where there is no device or no driver: that
/// is an answer, not an error.
inline std::vector<cuda_device> cuda_devices() {
  std::vector<cuda_device> found;
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    cudaGetLastError();
    return found;
  }
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, i) != cudaSuccess) {
      cudaGetLastError();
      continue;
    }
    if (properties.major >= 8)
      found.push_back({i, properties.name, properties.major, properties.minor, properties.totalGlobalMem});
  }
  return found;
}

struct cuda_executor {
  cudaStream_t stream = nullptr;
};

/// Waits for all that was queued; fails with what went wrong in it.
inline void synchronize(const cuda_executor& exec) { LLMAP_CUDA_CHECK(cudaStreamSynchronize(exec.stream)); }

} // namespace llmap
