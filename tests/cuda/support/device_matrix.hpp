// Matrices on the device for tests of ops: numbers of normals, rows apart, and NaN between them, so that what an op
// reads beyond a row shows.
#pragma once
#include "cuda/support/cuda_test.hpp"
#include "llmap/core/random.hpp"
#include "llmap/core/view.hpp"
#include "llmap/forward/batch.hpp"
#include <cmath>
#include <limits>
#include <vector>

namespace cuda_test {

template <class T> inline constexpr double eps = sizeof(T) == 8 ? 0x1p-52 : 0x1p-23;

/// n numbers of T, as doubles.
template <class T> std::vector<double> normals(std::uint64_t seed, std::size_t n, double scale = 1) {
  std::vector<double> numbers(n);
  for (std::size_t i = 0; i < n; ++i)
    numbers[i] = static_cast<double>(static_cast<T>(scale * llmap::counter_random{seed}.normal(0, i)));
  return numbers;
}
template <class T> std::vector<T> in(const std::vector<double>& numbers) {
  std::vector<T> narrow;
  for (const double x : numbers) narrow.push_back(static_cast<T>(x));
  return narrow;
}

template <class T> struct device_matrix {
  static constexpr std::size_t gap = 3;
  std::size_t rows, cols;
  llmap::cuda_buffer<T> memory;

  device_matrix(const llmap::cuda_executor& exec, std::size_t rows, std::size_t cols,
                const std::vector<double>& numbers)
      : rows(rows), cols(cols) {
    std::vector<T> all(rows * (cols + gap), std::numeric_limits<T>::quiet_NaN());
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t k = 0; k < cols; ++k) all[r * (cols + gap) + k] = static_cast<T>(numbers[r * cols + k]);
    memory = llmap::cuda_buffer<T>(exec, std::span<const T>(all));
  }
  llmap::matrix_view<T> view() const { return {memory.data(), rows, cols, cols + gap}; }
  operator llmap::matrix_view<const T>() const { return view(); }

  std::vector<double> numbers(const llmap::cuda_executor& exec) const {
    const std::vector<T> all = memory.download(exec);
    std::vector<double> wide;
    for (std::size_t r = 0; r < rows; ++r) {
      for (std::size_t k = 0; k < cols; ++k) wide.push_back(static_cast<double>(all[r * (cols + gap) + k]));
      for (std::size_t k = cols; k < cols + gap; ++k)
        EXPECT_TRUE(std::isnan(all[r * (cols + gap) + k])) << "written beyond row " << r;
    }
    return wide;
  }
};

/// What rows for linear hold.
template <class T> std::vector<double> numbers(const llmap::cuda_executor& exec, llmap::matrix_view<const T> x) {
  std::vector<T> all(x.rows * x.cols);
  llmap::synchronize(exec);
  if (!all.empty()) LLMAP_CUDA_CHECK(cudaMemcpy(all.data(), x.data, all.size() * sizeof(T), cudaMemcpyDeviceToHost));
  return {all.begin(), all.end()};
}

/// |got - want| <= bound(i) for every number; NaN where NaN is wanted.
template <class Bound>
void expect_near(const std::vector<double>& got, const std::vector<double>& want, const Bound& bound,
                 const char* what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(want[i])) ASSERT_TRUE(std::isnan(got[i])) << what << ' ' << i;
    else ASSERT_NEAR(got[i], want[i], bound(i)) << what << ' ' << i;
  }
}

#ifdef LLMAP_EMULATED
/// What a kernel moves is contiguous: the sectors of 32 bytes that requests touch are at most so many times those that
/// their bytes need. No local memory.
template <class Body> void expect_contiguous(const Body& body, double loads, double stores, const char* what) {
  const ptx::counters did = count([&] {
    body();
    llmap::synchronize({});
  });
  const auto ratio = [](const ptx::traffic& t) {
    return static_cast<double>(t.sectors) / static_cast<double>(t.needed_sectors);
  };
  std::printf("%s: loads %.3f, stores %.3f of the sectors needed\n", what, ratio(did.loads), ratio(did.stores));
  EXPECT_LE(ratio(did.loads), loads) << what;
  EXPECT_LE(ratio(did.stores), stores) << what;
  EXPECT_GT(did.loads.needed_sectors * did.stores.needed_sectors, 0u) << what;
  EXPECT_EQ(did.local_requests, 0u) << what;
}
#endif

inline llmap::ragged_batch texts_of(const std::vector<std::size_t>& lengths, std::int32_t vocab = 100) {
  llmap::ragged_batch batch;
  std::uint64_t seed = 40;
  for (const std::size_t n : lengths) {
    std::vector<std::int32_t> ids(n);
    for (std::size_t i = 0; i < n; ++i)
      ids[i] = static_cast<std::int32_t>(llmap::counter_random{seed}.below(0, i, static_cast<std::uint64_t>(vocab)));
    batch.add(ids);
    ++seed;
  }
  return batch;
}

} // namespace cuda_test
