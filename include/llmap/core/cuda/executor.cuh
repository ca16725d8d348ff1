// The devices of this machine, and the executor that runs ops on a stream of one: the first argument of every op. Ops
// are queued on the stream and return at once; views and spans they take lie in device memory and must live until the
// stream has come so far.
#pragma once
#include "llmap/core/cuda/arena.cuh"
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace llmap {

/// Counted up when the kernels' results change by a bit.
inline constexpr int kernel_generation = 3;

/// A device of this machine.
struct cuda_device {
  int number = 0;           ///< CUDA's
  std::string name;         ///< as the driver gives it
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

class cublas_lt;
template <class T> class cuda_buffer;
template <class T> class cuda_host_buffer;
template <class T> class cuda_matrix_buffer;
template <class T> struct cuda_matrix;
template <class T> struct cuda_rows;
template <class T> struct cuda_keys_values;
template <class T> struct cuda_head_room;
template <class T> struct cuda_scratch;
template <class T> class expert_rows;
class upload_stage;

/// Names the storage of the forward pass (forward/executor.hpp) without including it.
struct cuda_executor {
  cudaStream_t stream = nullptr;      ///< null: the default stream
  std::shared_ptr<cublas_lt> library; // of products; none: the own kernels make them
  int device = 0;                     // that the stream belongs to
  std::shared_ptr<cuda_arena> arena;  // of buffers made with this executor; none: each asks the device

  template <class T> using matrix = cuda_matrix<T>;
  template <class T> using vector = cuda_buffer<T>;
  template <class T> using rows = cuda_rows<T>;
  template <class T> using buffer = cuda_matrix_buffer<T>;
  template <class T> using host_buffer = cuda_host_buffer<T>;
  template <class T> using keys_values = cuda_keys_values<T>;
  template <class T> using routing = expert_rows<T>;
  template <class T> using head_room = cuda_head_room<T>;
  template <class T> using scratch = cuda_scratch<T>;
  using weights_room = upload_stage; // each matrix has memory of its own
};

/// What follows in this thread runs on the device of the executor. CUDA keeps the device in use for each thread; every
/// thread that calls ops on a device other than the first says so once.
inline void enter(const cuda_executor& exec) { LLMAP_CUDA_CHECK(cudaSetDevice(exec.device)); }

/// The executor of a device, entered.
inline cuda_executor use_device(const cuda_device& device) {
  cuda_executor exec;
  exec.device = device.number;
  enter(exec);
  return exec;
}

/// Everything of a device that may change a bit of a result, in one line: the kernels are the library's own, and are
/// compiled by nvcc or by the driver.
inline std::string device_facts(const cuda_device& device) {
  const auto version = [](int v) { return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10); };
  int runtime = 0, driver = 0;
  LLMAP_CUDA_CHECK(cudaRuntimeGetVersion(&runtime));
  LLMAP_CUDA_CHECK(cudaDriverGetVersion(&driver));
  return device.name + " (compute capability " + std::to_string(device.major) + "." + std::to_string(device.minor) +
         "), CUDA " + version(runtime) + ", driver " + version(driver) + ", own kernels " +
         std::to_string(kernel_generation);
}

/// Waits for all that was queued; fails with what went wrong in it.
inline void synchronize(const cuda_executor& exec) { LLMAP_CUDA_CHECK(cudaStreamSynchronize(exec.stream)); }

/// Bytes that are free on the device in use, when what is given back in the order of the stream is.
inline std::uint64_t available_memory(const cuda_executor& exec) {
  synchronize(exec);
  std::size_t available = 0, total = 0;
  LLMAP_CUDA_CHECK(cudaMemGetInfo(&available, &total));
  return available;
}

} // namespace llmap
