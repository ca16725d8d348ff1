// A test, on the device and before any score, of whether products by cuBLASLt may be used: they must be those of the
// own kernels within rounding, and a row's bits must not depend on where it lies or on the rows beside it.
#pragma once
#include "llmap/forward/cuda/linear.cuh"
#include "llmap/weights/widen.hpp"
#include <cstring>

namespace llmap {

namespace gpu {

struct library_check {
  std::size_t N = 1024, K = 1024;
};

/// n numbers in [-2, 2) whose products fill their bits.
template <class T> std::vector<T> test_numbers(std::uint64_t seed, std::size_t n) {
  std::vector<T> numbers(n);
  for (T& x : numbers) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    x = static_cast<T>(static_cast<double>(seed >> 11) * 0x1p-51 - 2);
  }
  return numbers;
}

/// Fails with what is wrong. 64 rows come again and again, beyond the end of a slab.
template <class T, class Stored>
void check_library(const cuda_executor& exec, compute_type compute, const char* what, const library_check& shape) {
  constexpr std::size_t distinct = 64, M = cublas_lt::slab_rows + distinct + 1;
  const std::vector<T> few = test_numbers<T>(1, distinct * shape.K);
  std::vector<T> rows(M * shape.K);
  for (std::size_t r = 0; r < M; ++r)
    std::copy_n(few.begin() + static_cast<std::ptrdiff_t>(r % distinct * shape.K), shape.K,
                rows.begin() + static_cast<std::ptrdiff_t>(r * shape.K));
  const cuda_buffer<T> x(exec, std::span<const T>(rows)), y(exec, M * shape.N), own(exec, distinct * shape.N);
  cuda_matrix<T> w{.type = dtype_of<Stored>, .compute = compute, .rows = shape.N, .cols = shape.K};
  w.stride = aligned_stride<Stored>(shape.K);
  std::vector<Stored> weights(shape.N * w.stride);
  const std::vector<T> numbers = test_numbers<T>(2, shape.N * shape.K);
  for (std::size_t n = 0; n < shape.N; ++n)
    for (std::size_t k = 0; k < shape.K; ++k)
      weights[n * w.stride + k] = detail::convert_element<Stored>(numbers[n * shape.K + k]);
  w.bytes = cuda_buffer<std::byte>(exec, std::as_bytes(std::span<const Stored>(weights)));

  cuda_scratch<T> scratch;
  const product_target<T> to{{y.data(), M, shape.N}, nullptr, false};
  if (!linear_by_library(exec, matrix_view<const T>(x.data(), M, shape.K), w, to, scratch))
    fail("no algorithm for ", what, " without split-K");
  cuda_executor without = exec;
  without.library = nullptr;
  linear<T>(without, matrix_view<const T>(x.data(), distinct, shape.K), w,
            matrix_view<T>(own.data(), distinct, shape.N), store_mode::overwrite, scratch);
  const std::vector<T> got = y.download(exec), want = own.download(exec);
  // Terms are 1.3 on average, so that a sum and the rounding of its K steps are near sqrt(K) and K of them.
  const double K = static_cast<double>(shape.K), bound = std::numeric_limits<T>::epsilon() * K * std::sqrt(K);
  for (std::size_t i = 0; i < want.size(); ++i)
    if (!(std::abs(static_cast<double>(got[i]) - static_cast<double>(want[i])) <= bound))
      fail(what, " are not those of the own kernel: expected ", want[i], ", got ", got[i]);
  for (std::size_t r = distinct; r < M; ++r)
    if (std::memcmp(&got[r * shape.N], &got[r % distinct * shape.N], shape.N * sizeof(T)) != 0)
      fail(what, ": row ", r, " of a slab has other bits than the same row at ", r % distinct);
}

} // namespace gpu

/// The executor with products by cuBLASLt, if it is there and passes; `trouble` says why not. The file is the library.
inline cuda_executor with_library(cuda_executor exec, std::string& trouble,
                                  const std::string& file = "libcublasLt.so." + std::to_string(CUDART_VERSION / 1000),
                                  const gpu::library_check& shape = {}) {
  cuda_executor with = exec;
  try {
    with.library = std::make_shared<cublas_lt>(file);
    gpu::check_library<float, bf16>(with, compute_type::working, "products of float and bf16", shape);
    gpu::check_library<float, bf16>(with, compute_type::bf16, "products of bf16", shape);
    gpu::check_library<float, float>(with, compute_type::working, "products of float", shape);
    gpu::check_library<double, double>(with, compute_type::working, "products of double", shape);
  } catch (const error& problem) {
    trouble = problem.what();
    return exec;
  }
  return with;
}

} // namespace llmap
