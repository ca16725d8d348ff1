// The room that kernels have: devices, buffers, checked calls, reductions of mergeable values.
#include "cuda/support/cuda_test.hpp"
#include "llmap/core/cuda/host_buffer.cuh"
#include "llmap/core/cuda/reduce.cuh"
#include "llmap/core/random.hpp"
#include "llmap/likelihood/log_sum_exp.hpp"

using namespace llmap;

namespace {

/// A stretch of numbers: what it merges to shows whether all came, once each and in order.
struct stretch {
  int first = 0, last = -1, broken = 0;
  __host__ __device__ void merge(const stretch& other) {
    broken += other.broken;
    if (other.last < other.first) return;
    if (last < first) first = other.first;
    else broken += other.first != last + 1;
    last = other.last;
  }
};

template <class V, int Threads, class Make> __global__ void reduce_kernel(Make make, V* out) {
  using merged = gpu::block_merge<V, Threads>;
  __shared__ typename merged::storage room;
  const V all = merged::run(room, make(threadIdx.x));
  if (threadIdx.x == 0) *out = all;
}

struct make_stretch {
  __device__ stretch operator()(unsigned thread) const {
    const int n = static_cast<int>(thread);
    return thread % 5 == 4 ? stretch{} : stretch{n - n / 5, n - n / 5, 0}; // every fifth has nothing
  }
};
struct make_terms {
  const double* x;
  __device__ log_sum_exp<double> operator()(unsigned thread) const {
    log_sum_exp<double> own;
    own.push(x[thread]);
    return own;
  }
};

template <int Threads> void reduces() {
  const cuda_executor exec;
  const cuda_buffer<stretch> out(exec, 1);
  reduce_kernel<stretch, Threads><<<1, Threads>>>(make_stretch{}, out.data());
  LLMAP_CUDA_CHECK(cudaGetLastError());
  const stretch all = out.download(exec)[0];
  EXPECT_EQ(all.first, 0);
  EXPECT_EQ(all.last, Threads - 1 - Threads / 5);
  EXPECT_EQ(all.broken, 0) << "not in the order of threads";

  std::vector<double> x;
  log_sum_exp<double> expected;
  for (int i = 0; i < Threads; ++i) {
    x.push_back(i % 7 == 3 ? -std::numeric_limits<double>::infinity() : 50 * counter_random{1}.normal(0, i));
    expected.push(x.back());
  }
  const cuda_buffer<double> terms(exec, std::span<const double>(x));
  const cuda_buffer<log_sum_exp<double>> sum(exec, 1);
  reduce_kernel<log_sum_exp<double>, Threads><<<1, Threads>>>(make_terms{terms.data()}, sum.data());
  LLMAP_CUDA_CHECK(cudaGetLastError());
  EXPECT_NEAR(sum.download(exec)[0].value(), expected.value(), 1e-12);
}

__global__ void fill(int* to, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) to[i] = 3 * i;
}

} // namespace

TEST(cuda_core, reductions) {
  reduces<32>();
  reduces<64>();
  reduces<96>();
  reduces<256>();
  reduces<1024>();
}
TEST(cuda_core, buffers) {
  const cuda_executor exec;
  cuda_buffer<int> buffer(exec, 1000);
  fill<<<4, 256>>>(buffer.data(), 1000);
  const auto numbers = buffer.download(exec);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(numbers[static_cast<std::size_t>(i)], 3 * i);
  int* const before = buffer.data();
  buffer.resize(exec, 10); // keeps its room
  EXPECT_EQ(buffer.data(), before);
  EXPECT_EQ(buffer.size(), 10u);
  cuda_buffer<int> moved = std::move(buffer);
  EXPECT_EQ(moved.data(), before);
  EXPECT_EQ(buffer.data(), nullptr);
  const std::vector<int> some{4, 5, 6};
  EXPECT_EQ(cuda_buffer<int>(exec, std::span<const int>(some)).download(exec), some);
  EXPECT_TRUE(cuda_buffer<int>(exec, 0).download(exec).empty());
}
TEST(cuda_core, kernels_write_to_host_buffers) {
  const cuda_executor exec;
  cuda_host_buffer<int> buffer;
  const std::span<int> first = buffer.resize(exec, 1000);
  fill<<<4, 256>>>(first.data(), 1000);
  synchronize(exec);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(first[static_cast<std::size_t>(i)], 3 * i);
  EXPECT_EQ(buffer.resize(exec, 10).data(), first.data()) << "keeps its room";
  cuda_host_buffer<int> moved = std::move(buffer);
  EXPECT_EQ(moved.resize(exec, 1000).data(), first.data());
  EXPECT_TRUE(gpu::is_reachable(first.data()) && gpu::is_reachable(cuda_buffer<int>(exec, 1).data()));
#ifdef LLMAP_EMULATED // a device may reach all memory of its host
  const std::vector<int> ordinary(10);
  EXPECT_FALSE(gpu::is_reachable(ordinary.data()));
  fill<<<4, 256>>>(first.data(), 1001);
  EXPECT_NE(cudaStreamSynchronize(exec.stream), cudaSuccess) << "a kernel wrote beyond the end";
  cudaGetLastError();
#endif
}
TEST(cuda_core, failures_are_one_line) {
  const auto message = [](const auto& body) -> std::string {
    try {
      body();
    } catch (const llmap::error& problem) {
      return problem.what();
    }
    return "";
  };
  const cuda_executor exec;
  EXPECT_EQ(message([&] { cuda_buffer<double>(exec, std::size_t{1} << 50); }),
            "out of device memory: 9007199254740992 bytes");
  EXPECT_EQ(message([&] { cuda_buffer<double>(exec, std::size_t{1} << 62); }),
            "out of device memory: 4611686018427387904 elements");
  EXPECT_EQ(message([] { LLMAP_CUDA_CHECK(cudaSetDevice(4711)); }),
            "CUDA: cudaSetDevice(4711): invalid device ordinal");
  EXPECT_EQ(cudaGetLastError(), cudaSuccess) << "what was reported is not reported again";
}
TEST(cuda_core, devices) {
  const auto devices = cuda_devices();
  ASSERT_FALSE(devices.empty());
  EXPECT_GE(devices[0].major, 8);
  EXPECT_GT(devices[0].memory, 0u);
  EXPECT_FALSE(devices[0].name.empty());
#ifdef LLMAP_EMULATED
  stand_in::set_devices(0);
  EXPECT_TRUE(cuda_devices().empty());
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  stand_in::set_devices(1);
#endif
}
#ifdef LLMAP_EMULATED
TEST(cuda_core, nothing_leaks) {
  synchronize(cuda_executor{}); // what is given back is so when the stream comes to it
  const std::size_t before = stand_in::live_allocations();
  {
    const cuda_executor exec;
    cuda_buffer<int> a(exec, 5), b(exec, 6);
    a = std::move(b);
    a.resize(exec, 100);
    synchronize(exec);
    EXPECT_EQ(stand_in::live_allocations(), before + 1);
  }
  synchronize(cuda_executor{});
  EXPECT_EQ(stand_in::live_allocations(), before);
}
#endif
