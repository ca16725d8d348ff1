// What the interpreter must catch, planted: each kernel is wrong in one way where Wrong is true, and the interpreter
// must say what is wrong and name the line that is marked with the defect's name. Its twin must run clean.
#include "cuda/support/cuda_test.hpp"
#include "llmap/core/cuda/ptx.cuh"
#include <algorithm>
#include <cuda_pipeline_primitives.h>
#include <fstream>
#include <string>

using namespace llmap;

namespace {

using numbers = float*; // 64 of them, written, unless a test says otherwise

template <bool Wrong> __global__ void global_write(numbers o) {
  o[threadIdx.x + (Wrong ? 1 : 0)] = 1; // defect: global_write
}
template <bool Wrong> __global__ void global_read(numbers o) {
  float before = 0;
  if (threadIdx.x > 0 || Wrong) before = o[static_cast<int>(threadIdx.x) - 1]; // defect: global_read
  __syncthreads();
  o[threadIdx.x] = before;
}
template <bool Wrong> __global__ void foreign_pointer(numbers o) {
  o[threadIdx.x] = 1; // defect: foreign_pointer
}
template <bool Wrong> __global__ void global_alignment(numbers o) {
  const float4 four = *reinterpret_cast<const float4*>(o + (Wrong ? 1 : 4)); // defect: global_alignment
  o[threadIdx.x] = four.x + four.w;
}
template <bool Wrong> __global__ void global_unwritten(numbers o) {
  o[threadIdx.x] = o[threadIdx.x + 64] + 1; // defect: global_unwritten
}
template <bool Wrong> __global__ void after_free(numbers o) {
  o[threadIdx.x] = 2; // defect: after_free
}
template <bool Wrong> __global__ void shared_bounds(numbers o) {
  extern __shared__ float s[];
  s[threadIdx.x + (Wrong ? 1 : 0)] = o[threadIdx.x]; // defect: shared_bounds
  __syncthreads();
  o[threadIdx.x] = s[63 - threadIdx.x + (Wrong ? 1 : 0)];
}
template <bool Wrong> __global__ void shared_alignment(numbers o) {
  __shared__ alignas(16) float s[66];
  s[threadIdx.x] = o[threadIdx.x];
  if (threadIdx.x < 2) s[64 + threadIdx.x] = 0;
  __syncthreads();
  const unsigned at = threadIdx.x / 2 * 2 + (Wrong ? 1 : 0);
  const float2 two = *reinterpret_cast<const float2*>(s + at); // defect: shared_alignment
  o[threadIdx.x] = two.x + two.y;
}
template <bool Wrong> __global__ void shared_unwritten(numbers o) {
  __shared__ float s[64];
  if (threadIdx.x < (Wrong ? 63 : 64)) s[threadIdx.x] = o[threadIdx.x];
  __syncthreads();
  o[threadIdx.x] = s[63 - threadIdx.x]; // defect: shared_unwritten
}
template <bool Wrong> __global__ void read_before_barrier(numbers o) {
  __shared__ float s[64];
  s[threadIdx.x] = 0;
  __syncthreads();
  s[threadIdx.x] = o[threadIdx.x]; // defect: read_before_barrier
  if (!Wrong) __syncthreads();
  o[threadIdx.x] = s[63 - threadIdx.x]; // defect: read_before_barrier
}
template <bool Wrong> __global__ void write_after_read(numbers o) {
  __shared__ float s[64];
  float sum = 0;
#pragma unroll 1
  for (int k = 0; k < 3; ++k) {
    s[threadIdx.x] = o[threadIdx.x] + k; // defect: write_after_read
    __syncthreads();
    sum += s[63 - threadIdx.x]; // defect: write_after_read
    if (!Wrong) __syncthreads();
  }
  o[threadIdx.x] = sum;
}
template <bool Wrong> __global__ void two_writers(numbers o) {
  __shared__ float s[64];
  s[Wrong ? threadIdx.x / 2 : threadIdx.x] = o[threadIdx.x]; // defect: two_writers
  __syncthreads();
  o[threadIdx.x] = s[threadIdx.x / 2];
}
template <bool Wrong> __global__ void within_a_warp(numbers o) {
  __shared__ float s[64];
  s[threadIdx.x] = o[threadIdx.x]; // defect: within_a_warp
  if (!Wrong) __syncwarp();
  o[threadIdx.x] = s[threadIdx.x ^ 1]; // defect: within_a_warp
}
template <bool Wrong> __global__ void half_synced(numbers o) {
  __shared__ float s[64];
  s[threadIdx.x] = o[threadIdx.x];
  if (threadIdx.x % 32 < 16) __syncwarp(0xffffu);
  else __syncwarp(0xffff0000u);
  o[threadIdx.x] = s[threadIdx.x ^ (Wrong ? 16 : 8)]; // defect: half_synced
}
template <bool Wrong> __global__ void atomic_and_plain(numbers o) {
  __shared__ int count;
  if (threadIdx.x == 0) count = 0;
  __syncthreads();
  atomicAdd(&count, 1); // defect: atomic_and_plain
  if (!Wrong) __syncthreads();
  o[threadIdx.x] = static_cast<float>(*const_cast<volatile int*>(&count)); // defect: atomic_and_plain
}
template <bool Wrong> __global__ void divergent_barrier(numbers o) {
  if (threadIdx.x < 32 || !Wrong) {
    __syncthreads(); // defect: divergent_barrier
    o[threadIdx.x] = 1;
  } else {
    o[threadIdx.x] = 3;
    __syncthreads(); // defect: divergent_barrier
    o[threadIdx.x] += 2;
  }
}
template <bool Wrong> __global__ void barrier_after_exit(numbers o) {
  if (Wrong && threadIdx.x >= 32) return;
  o[threadIdx.x] = 1;
  __syncthreads(); // defect: barrier_after_exit
  o[threadIdx.x] += o[threadIdx.x ^ 1];
}
template <bool Wrong> __global__ void exited_lanes(numbers o) {
  if (Wrong && threadIdx.x % 32 >= 16) return;
  o[threadIdx.x] = __shfl_xor_sync(0xffffffffu, o[threadIdx.x], 1); // defect: exited_lanes
}
template <bool Wrong> __global__ void missing_lanes(numbers o) {
  __shared__ float s[64];
  s[threadIdx.x] = 0;
  if (threadIdx.x % 32 < 16 || !Wrong)
    s[threadIdx.x] = __shfl_xor_sync(0xffffffffu, o[threadIdx.x], 1); // defect: missing_lanes
  __syncthreads();
  o[threadIdx.x] = s[threadIdx.x];
}
template <bool Wrong> __global__ void not_in_mask(numbers o) {
  const unsigned mask = Wrong ? 0xfffffffeu : 0xffffffffu;
  o[threadIdx.x] = static_cast<float>(__ballot_sync(mask, o[threadIdx.x] > 0)); // defect: not_in_mask
}
template <bool Wrong> __global__ void outside_mask(numbers o) {
  if (threadIdx.x % 32 < 16)
    o[threadIdx.x] = __shfl_down_sync(0xffffu, o[threadIdx.x], Wrong ? 8 : 0); // defect: outside_mask
}
template <bool Wrong> __global__ void missing_wait(numbers o) {
  __shared__ alignas(16) float s[64];
  __pipeline_memcpy_async(s + threadIdx.x, o + threadIdx.x, 4);
  __pipeline_commit();
  if (!Wrong) __pipeline_wait_prior(0);
  __syncthreads();
  o[threadIdx.x] = s[63 - threadIdx.x]; // defect: missing_wait
}
template <bool Wrong> __global__ void wait_too_short(numbers o) {
  __shared__ alignas(16) float s[128];
  __pipeline_memcpy_async(s + threadIdx.x, o + threadIdx.x, 4);
  __pipeline_commit();
  __pipeline_memcpy_async(s + 64 + threadIdx.x, o + threadIdx.x, 4);
  __pipeline_commit();
  if (Wrong) __pipeline_wait_prior(1);
  else __pipeline_wait_prior(0);
  __syncthreads();
  o[threadIdx.x] = s[127 - threadIdx.x]; // defect: wait_too_short
}
template <bool Wrong> __global__ void wait_without_barrier(numbers o) {
  __shared__ alignas(16) float s[64];
  s[threadIdx.x] = 0;
  __syncthreads();
  __pipeline_memcpy_async(s + threadIdx.x, o + threadIdx.x, 4); // defect: wait_without_barrier
  __pipeline_commit();
  __pipeline_wait_prior(0);
  if (!Wrong) __syncthreads();
  o[threadIdx.x] = s[63 - threadIdx.x]; // defect: wait_without_barrier
}
template <bool Wrong> __global__ void copy_over_read(numbers o) {
  __shared__ alignas(16) float s[64];
  s[threadIdx.x] = o[threadIdx.x];
  __syncthreads();
  const float seen = s[63 - threadIdx.x]; // defect: copy_over_read
  if (!Wrong) __syncthreads();
  __pipeline_memcpy_async(s + threadIdx.x, o + threadIdx.x, 4); // defect: copy_over_read
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  o[threadIdx.x] = seen + s[threadIdx.x];
}
template <bool Wrong> __global__ void copy_source(numbers o) {
  __shared__ alignas(16) float s[64];
  __pipeline_memcpy_async(s + threadIdx.x, o + threadIdx.x + (Wrong ? 1 : 0), 4); // defect: copy_source
  __pipeline_commit();
  __pipeline_wait_prior(0);
  o[threadIdx.x] = s[threadIdx.x];
}
template <bool Wrong> __global__ void half_a_warp(numbers o) {
  __shared__ alignas(16) float s[256];
  for (int i = threadIdx.x; i < 256; i += 64) s[i] = 1;
  __syncthreads();
  std::uint32_t a[4] = {};
  if (!Wrong || threadIdx.x % 32 < 16) gpu::load_matrices(a, s + threadIdx.x % 32 * 4); // defect: half_a_warp
  o[threadIdx.x] = __uint_as_float(a[0] ^ a[3]);
}
template <bool Wrong> __global__ void division(numbers o) {
  const int by = static_cast<int>(o[threadIdx.x]) - (Wrong ? 1 : 0);
  o[threadIdx.x] = static_cast<float>(static_cast<int>(threadIdx.x) / by); // defect: division
}
template <bool Wrong> __global__ void trapped(numbers o) {
  if (Wrong && threadIdx.x == 40) __trap(); // defect: trapped
  o[threadIdx.x] = 1;
}
template <bool Wrong> __global__ void endless(numbers o) {
  const volatile float* const seen = o;
  if (threadIdx.x == 0)
    while (*seen < (Wrong ? 5 : 1)) __nanosleep(20); // defect: endless
  o[threadIdx.x] = 1;
}
template <bool Wrong> __global__ void __launch_bounds__(Wrong ? 32 : 64) bounds(numbers o) { o[threadIdx.x] = 1; }
template <bool Wrong> __global__ void shared_limit(numbers o) {
  extern __shared__ float s[];
  s[threadIdx.x] = 1;
  o[threadIdx.x] = s[threadIdx.x];
}

/// The lines that are marked so: a race has two, and who comes second is told.
std::vector<int> lines_of(const std::string& defect) {
  std::ifstream source(std::string(LLMAP_SOURCE_DIR) + "/tests/cuda/defects_test.cu");
  std::vector<int> found;
  std::string text;
  for (int line = 1; std::getline(source, text); ++line)
    if (text.ends_with("// defect: " + defect)) found.push_back(line);
  return found;
}

struct defect {
  const char *name, *message;
  void (*wrong)(numbers);
  void (*right)(numbers);
  bool has_line = true;
};

const defect defects[] = {
    {"global_write", "global access out of bounds", global_write<true>, global_write<false>},
    {"global_read", "global access out of bounds", global_read<true>, global_read<false>},
    {"global_alignment", "misaligned global access", global_alignment<true>, global_alignment<false>},
    {"shared_bounds", "shared access out of bounds", shared_bounds<true>, shared_bounds<false>},
    {"shared_alignment", "misaligned shared access", shared_alignment<true>, shared_alignment<false>},
    {"shared_unwritten", "read of shared memory that was never written", shared_unwritten<true>,
     shared_unwritten<false>},
    {"read_before_barrier", "race: ", read_before_barrier<true>, read_before_barrier<false>},
    {"write_after_read", "race: ", write_after_read<true>, write_after_read<false>},
    {"two_writers", "race: write", two_writers<true>, two_writers<false>},
    {"within_a_warp", "race: ", within_a_warp<true>, within_a_warp<false>},
    {"half_synced", "race: ", half_synced<true>, half_synced<false>},
    {"atomic_and_plain", "race: ", atomic_and_plain<true>, atomic_and_plain<false>},
    {"divergent_barrier", "divergent barrier", divergent_barrier<true>, divergent_barrier<false>},
    {"barrier_after_exit", "divergent barrier: 32 threads have exited", barrier_after_exit<true>,
     barrier_after_exit<false>},
    {"exited_lanes", "have exited", exited_lanes<true>, exited_lanes<false>},
    {"missing_lanes", "lanes 0xffff0000 never come", missing_lanes<true>, missing_lanes<false>},
    {"not_in_mask", "lane is not in its own member mask", not_in_mask<true>, not_in_mask<false>},
    {"outside_mask", "shfl reads lane", outside_mask<true>, outside_mask<false>},
    {"missing_wait", "on its way by cp.async", missing_wait<true>, missing_wait<false>},
    {"wait_too_short", "on its way by cp.async", wait_too_short<true>, wait_too_short<false>},
    {"wait_without_barrier", "race: ", wait_without_barrier<true>, wait_without_barrier<false>},
    {"copy_over_read", "race: ", copy_over_read<true>, copy_over_read<false>},
    {"copy_source", "global access out of bounds", copy_source<true>, copy_source<false>},
    {"half_a_warp", "lanes", half_a_warp<true>, half_a_warp<false>},
    {"division", "integer division by zero", division<true>, division<false>},
    {"trapped", "trap", trapped<true>, trapped<false>},
    {"endless", "still running after", endless<true>, endless<false>},
    {"bounds", "its launch bounds say 32", bounds<true>, bounds<false>, false},
};

/// The message of a launch of 64 threads with 256 bytes of shared memory, empty where it is clean.
std::string message_of(void (*kernel)(numbers), numbers o, std::size_t shared = 256) {
  kernel<<<1, 64, shared>>>(o);
  cudaError_t result = cudaGetLastError();
  if (result == cudaSuccess) result = cudaDeviceSynchronize();
  const std::string text = result == cudaSuccess ? "" : cudaGetErrorString(result);
  cudaGetLastError();
  return text;
}

void expect_caught(const std::string& message, const char* name, const char* what) {
  EXPECT_NE(message.find(what), std::string::npos) << name << ": " << message;
  const auto lines = lines_of(name);
  EXPECT_TRUE(std::any_of(
      lines.begin(), lines.end(),
      [&](int line) { return message.find("defects_test.cu:" + std::to_string(line)) != std::string::npos; }))
      << name << ": " << message;
  EXPECT_NE(message.find("block (0,0,0) thread ("), std::string::npos) << message;
  EXPECT_NE(message.find("PTX line "), std::string::npos) << message;
}

cuda_buffer<float> ones(std::size_t written, std::size_t size) {
  const cuda_executor exec;
  cuda_buffer<float> buffer(exec, size);
  const std::vector<float> values(written, 1.f);
  LLMAP_CUDA_CHECK(cudaMemcpy(buffer.data(), values.data(), written * sizeof(float), cudaMemcpyHostToDevice));
  return buffer;
}

} // namespace

TEST(defects, caught_and_their_twins_clean) {
  for (const defect& d : defects) {
    const auto buffer = ones(64, 64);
    const std::string wrong = message_of(d.wrong, buffer.data());
    if (d.has_line) expect_caught(wrong, d.name, d.message);
    else EXPECT_NE(wrong.find(d.message), std::string::npos) << wrong;
    const auto other = ones(64, 64);
    EXPECT_EQ(message_of(d.right, other.data()), "") << d.name;
  }
}
TEST(defects, memory_of_the_wrong_kind) {
  std::vector<float> on_host(64);
  expect_caught(message_of(foreign_pointer<true>, on_host.data()), "foreign_pointer", "not the device's");
  const auto buffer = ones(64, 64);
  EXPECT_EQ(message_of(foreign_pointer<true>, buffer.data()), "");

  {
    stand_in::set_devices(2);
    LLMAP_CUDA_CHECK(cudaSetDevice(1));
    const auto there = ones(64, 64);
    EXPECT_EQ(message_of(foreign_pointer<true>, there.data()), "");
    expect_caught(message_of(foreign_pointer<true>, buffer.data()), "foreign_pointer", "memory of another device");
    LLMAP_CUDA_CHECK(cudaSetDevice(0));
    expect_caught(message_of(foreign_pointer<true>, there.data()), "foreign_pointer", "memory of another device");
    EXPECT_EQ(message_of(foreign_pointer<true>, buffer.data()), "");
    LLMAP_CUDA_CHECK(cudaSetDevice(1));
  }
  LLMAP_CUDA_CHECK(cudaSetDevice(0));
  stand_in::set_devices(1);

  expect_caught(message_of(global_unwritten<true>, ones(64, 128).data()), "global_unwritten", "never written: byte ");
  const auto whole = ones(128, 128);
  EXPECT_EQ(message_of(global_unwritten<true>, whole.data()), "");

  float* freed = nullptr;
  LLMAP_CUDA_CHECK(cudaMalloc(&freed, 256));
  EXPECT_EQ(message_of(after_free<true>, freed), "");
  LLMAP_CUDA_CHECK(cudaFree(freed));
  expect_caught(message_of(after_free<true>, freed), "after_free", "global access out of bounds");
}
TEST(defects, shared_memory_beyond_the_limit) {
  const auto buffer = ones(64, 64);
  EXPECT_NE(message_of(shared_limit<true>, buffer.data(), 50'000).find("more shared memory"), std::string::npos);
  LLMAP_CUDA_CHECK(cudaFuncSetAttribute(reinterpret_cast<const void*>(shared_limit<true>),
                                        cudaFuncAttributeMaxDynamicSharedMemorySize, 50'000));
  EXPECT_EQ(message_of(shared_limit<true>, buffer.data(), 50'000), "");
}
