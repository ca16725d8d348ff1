// CUB's device algorithms and Thrust run on the interpreter as they are: what others wrote for the device is clean
// there and gives what it should. Decoupled look-back, atomics, warp matching and dispatch by device attributes are in
// it.
#include "cuda/support/cuda_test.hpp"
#include "llmap/core/random.hpp"
#include <algorithm>
#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_reduce.cuh>
#include <cub/device/device_scan.cuh>
#include <numeric>
#include <thrust/device_vector.h>
#include <thrust/sort.h>
#include <thrust/transform_reduce.h>

using namespace llmap;

namespace {

constexpr int count = 5000;

std::vector<float> some_numbers() {
  std::vector<float> x(count);
  for (int i = 0; i < count; ++i) x[static_cast<std::size_t>(i)] = static_cast<float>(counter_random{3}.normal(0, i));
  return x;
}

/// Calls algorithm(room, bytes) for the size it wants, then with room.
template <class Algorithm> void with_room(const cuda_executor& exec, const Algorithm& algorithm) {
  std::size_t bytes = 0;
  LLMAP_CUDA_CHECK(algorithm(static_cast<void*>(nullptr), bytes));
  const cuda_buffer<unsigned char> room(exec, bytes);
  LLMAP_CUDA_CHECK(algorithm(static_cast<void*>(room.data()), bytes));
  synchronize(exec);
}

struct square {
  __host__ __device__ double operator()(float x) const { return static_cast<double>(x) * x; }
};

} // namespace

TEST(cub, device_algorithms) {
  const cuda_executor exec;
  const auto x = some_numbers();
  const cuda_buffer<float> in(exec, std::span<const float>(x)), out(exec, count);
  with_room(exec, [&](void* room, std::size_t& bytes) {
    return cub::DeviceReduce::Sum(room, bytes, in.data(), out.data(), count);
  });
  EXPECT_NEAR(out.download(exec).front(), std::accumulate(x.begin(), x.end(), 0.0), 1e-3);
  with_room(exec, [&](void* room, std::size_t& bytes) {
    return cub::DeviceScan::InclusiveSum(room, bytes, in.data(), out.data(), count);
  });
  const auto sums = out.download(exec);
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(sums[i], sum += x[i], 1e-3) << i;
  with_room(exec, [&](void* room, std::size_t& bytes) {
    return cub::DeviceRadixSort::SortKeys(room, bytes, in.data(), out.data(), count);
  });
  auto sorted = x;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(out.download(exec), sorted);
}
TEST(cub, thrust) {
  const auto x = some_numbers();
  thrust::device_vector<float> values(x.begin(), x.end());
  const double squares = thrust::transform_reduce(values.begin(), values.end(), square{}, 0.0, thrust::plus<double>());
  EXPECT_NEAR(squares, std::inner_product(x.begin(), x.end(), x.begin(), 0.0), 1e-2);
  thrust::sort(values.begin(), values.end());
  auto sorted = x;
  std::sort(sorted.begin(), sorted.end());
  std::vector<float> got(x.size());
  thrust::copy(values.begin(), values.end(), got.begin());
  EXPECT_EQ(got, sorted);
}
