// Products on the device against plain loops in double: every pairing of types, tails, bias, adding, stored matrices
// cut and turned, and the bits of a row wherever it lies.
#include "cuda/support/device_matrix.hpp"
#include "llmap/forward/cuda/linear.cuh"
#include "llmap/forward/cuda/pack.cuh"
#include "support/golden.hpp"
#include <array>

using namespace llmap;
using namespace cuda_test;

namespace {

template <class Stored> Stored stored(double x) {
  if constexpr (sizeof(Stored) == 2) return Stored(static_cast<float>(x));
  else return static_cast<Stored>(x);
}
double rounded(double x) { return static_cast<double>(static_cast<float>(bf16(static_cast<float>(x)))); }

template <class X, class W, compute_type Compute = compute_type::working> struct pairing {
  using T = X;
  using Stored = W;
  static constexpr compute_type compute = Compute;
};

template <class P> struct problem {
  using T = typename P::T;
  using Stored = typename P::Stored;
  std::size_t M, N, K;
  std::vector<double> x, before, bias;
  std::vector<Stored> w;
  cuda_executor exec{};

  problem(std::size_t M, std::size_t N, std::size_t K)
      : M(M), N(N), K(K), x(normals<T>(1, M * K)), before(normals<T>(2, M * N)), bias(normals<T>(3, N)) {
    for (const double v : normals<double>(4, N * K)) w.push_back(stored<Stored>(v));
  }
  cuda_matrix<T> matrix() const {
    memory_tensors source;
    const auto rows = static_cast<std::int64_t>(N), cols = static_cast<std::int64_t>(K);
    source.add<Stored>("w", {rows, cols}, w);
    source.add<T>("b", {rows}, std::span<const T>(in<T>(bias)));
    cuda_executor::weights_room room;
    return pack<T>(exec, source, linear_plan{cols, {{"w", "b", rows, rows, 0, rows, rows}}}, tensor_naming{},
                   P::compute, room);
  }
  std::vector<double> run(store_mode mode) const {
    const device_matrix<T> rows(exec, M, K, x), y(exec, M, N, before);
    cuda_scratch<T> scratch;
    linear<T>(exec, rows, matrix(), y.view(), mode, scratch);
    return y.numbers(exec);
  }
  double factor(std::size_t i) const { return P::compute == compute_type::bf16 ? rounded(x[i]) : x[i]; }
  double weight(std::size_t i) const {
    const double v = static_cast<double>(w[i]);
    return P::compute == compute_type::bf16 ? rounded(v) : v;
  }
  void check(store_mode mode) const {
    const auto got = run(mode);
    for (std::size_t r = 0; r < M; ++r)
      for (std::size_t n = 0; n < N; ++n) {
        double sum = bias[n] + (mode == store_mode::add ? before[r * N + n] : 0), terms = std::abs(sum);
        for (std::size_t k = 0; k < K; ++k) {
          const double term = factor(r * K + k) * weight(n * K + k);
          sum += term, terms += std::abs(term);
        }
        ASSERT_NEAR(got[r * N + n], sum, static_cast<double>(K + 3) * eps<T> * terms)
            << M << ' ' << N << ' ' << K << ' ' << r << ' ' << n;
      }
  }
};

template <class P> class cuda_linear : public testing::Test {};
using pairings = testing::Types<pairing<float, float>, pairing<float, bf16>, pairing<float, f16>,
                                pairing<float, bf16, compute_type::bf16>, pairing<float, float, compute_type::bf16>,
                                pairing<double, double>, pairing<double, float>, pairing<double, bf16>>;
TYPED_TEST_SUITE(cuda_linear, pairings);

} // namespace

TYPED_TEST(cuda_linear, like_the_reference) {
  for (const auto& [M, N, K] : {std::array<std::size_t, 3>{1, 1, 1}, {7, 257, 33}, {130, 64, 40}, {65, 255, 8}}) {
    const problem<TypeParam> p(M, N, K);
    p.check(store_mode::overwrite);
    p.check(store_mode::add);
  }
  EXPECT_TRUE((problem<TypeParam>(0, 5, 8).run(store_mode::overwrite).empty()));
}
TYPED_TEST(cuda_linear, bits_do_not_depend_on_where_a_row_lies) {
  const problem<TypeParam> p(140, 20, 24);
  const auto whole = p.run(store_mode::overwrite);
  for (const std::size_t r : {0, 63, 129, 139}) {
    problem<TypeParam> one(1, 20, 24);
    std::copy_n(p.x.begin() + static_cast<std::ptrdiff_t>(r * 24), 24, one.x.begin());
    const auto got = one.run(store_mode::overwrite);
    for (std::size_t n = 0; n < 20; ++n) EXPECT_EQ(got[n], whole[r * 20 + n]) << r;
  }
}
TYPED_TEST(cuda_linear, what_is_not_finite_stays_in_its_row) {
  problem<TypeParam> p(5, 20, 24);
  const auto good = p.run(store_mode::overwrite);
  p.x[2 * 24 + 3] = std::numeric_limits<double>::quiet_NaN();
  const auto got = p.run(store_mode::overwrite);
  for (std::size_t i = 0; i < got.size(); ++i)
    if (i / 20 == 2) EXPECT_TRUE(std::isnan(got[i]));
    else EXPECT_EQ(got[i], good[i]);
}

/// Rows of several stored matrices below one another: every second pair, a turned one, a slice of a stack.
TEST(cuda_pack, parts_of_stored_matrices) {
  const cuda_executor exec;
  memory_tensors source;
  std::vector<float> plain(8 * 3), turned(3 * 4), stack(2 * 5 * 3), bias(8);
  for (std::size_t i = 0; i < plain.size(); ++i) plain[i] = static_cast<float>(i);
  for (std::size_t i = 0; i < turned.size(); ++i) turned[i] = 100 + static_cast<float>(i);
  for (std::size_t i = 0; i < stack.size(); ++i) stack[i] = 200 + static_cast<float>(i);
  for (std::size_t i = 0; i < bias.size(); ++i) bias[i] = 300 + static_cast<float>(i);
  source.add<float>("plain", {8, 3}, plain);
  source.add<float>("bias", {8}, bias);
  source.add<float>("turned", {3, 4}, turned);
  source.add<float>("stack", {2, 5, 3}, stack);
  const linear_plan plan{
      3,
      {{"plain", "bias", 4, 8, 1, 2, 4},
       {.weight = "turned", .rows = 2, .stored_rows = 4, .first = 1, .group = 2, .stride = 2, .transposed = true},
       {.weight = "stack", .rows = 2, .stored_rows = 5, .first = 3, .group = 2, .stride = 2, .slices = 2, .slice = 1}}};
  cuda_executor::weights_room room;
  const auto w = pack<float>(exec, source, plan, tensor_naming{}, compute_type::working, room);
  EXPECT_EQ(w.bias.download(exec), (std::vector<float>{301, 302, 305, 306, 0, 0, 0, 0}));
  const device_matrix<float> unit(exec, 3, 3, {1, 0, 0, 0, 1, 0, 0, 0, 1}), y(exec, 3, 8, std::vector<double>(24));
  cuda_scratch<float> scratch;
  linear<float>(exec, unit, w, y.view(), store_mode::overwrite, scratch);
  const std::vector<double> got = y.numbers(exec);
  const double first[8] = {3 + 301, 6 + 302, 15 + 305, 18 + 306, 101, 102, 200 + 24, 200 + 27};
  for (std::size_t k = 0; k < 3; ++k)
    for (std::size_t n = 0; n < 8; ++n)
      EXPECT_EQ(got[k * 8 + n], first[n] + static_cast<double>(n == 4 || n == 5 ? 4 * k : k)) << k << ' ' << n;
}
/// More pieces than the stage has, so that one is filled again.
TEST(cuda_pack, larger_than_the_stage) {
  constexpr std::size_t N = 3000, K = 701, stride = 704;
  static_assert(N * stride * sizeof(float) > 2 * upload_stage::bytes);
  const cuda_executor exec;
  std::vector<float> plain(N * K), turned(N * K);
  for (std::size_t n = 0; n < N; ++n)
    for (std::size_t k = 0; k < K; ++k) plain[n * K + k] = turned[k * N + n] = static_cast<float>(n * K + k);
  for (const bool transposed : {false, true}) {
    memory_tensors source;
    const auto rows = static_cast<std::int64_t>(N), cols = static_cast<std::int64_t>(K);
    if (transposed) source.add<float>("w", {cols, rows}, turned);
    else source.add<float>("w", {rows, cols}, plain);
    const linear_plan plan{
        cols,
        {{.weight = "w", .rows = rows, .stored_rows = rows, .group = rows, .stride = rows, .transposed = transposed}}};
    cuda_executor::weights_room room;
    const auto w = pack<float>(exec, source, plan, tensor_naming{}, compute_type::working, room);
    const std::vector<std::byte> bytes = w.bytes.download(exec);
    ASSERT_EQ(w.stride, stride);
    const float* const got = reinterpret_cast<const float*>(bytes.data());
    for (std::size_t n = 0; n < N; ++n)
      for (std::size_t k = 0; k < stride; ++k)
        ASSERT_EQ(got[n * stride + k], k < K ? plain[n * K + k] : 0.f) << transposed << ' ' << n << ' ' << k;
  }
}
TEST(cuda_pack, weights_are_finite) {
  const cuda_executor exec;
  memory_tensors source;
  const std::vector<float> w{1, 2, std::numeric_limits<float>::infinity(), 4};
  source.add<float>("w", {2, 2}, w);
  cuda_executor::weights_room room;
  const std::string message = golden::message_of([&] {
    pack<float>(exec, source, linear_plan{2, {{"w", "", 2, 2, 0, 2, 2}}}, tensor_naming{}, compute_type::working, room);
  });
  EXPECT_EQ(message, "tensor w: expected finite weights, got NaN or infinity at element 2");
}

#ifdef LLMAP_EMULATED
TYPED_TEST(cuda_linear, counted) {
  const problem<TypeParam> p(130, 256, 64);
  auto w = p.matrix();
  w.bias = {};
  // Of two-byte weights a step of double reads 16 bytes a row, half a sector.
  constexpr bool half_sectors = sizeof(typename TypeParam::T) == 8 && sizeof(typename TypeParam::Stored) == 2;
  using T = typename TypeParam::T;
  const std::vector<T> x = in<T>(p.x);
  const cuda_buffer<T> rows(p.exec, std::span<const T>(x)), y(p.exec, 130 * 256);
  cuda_scratch<T> scratch;
  expect_contiguous(
      [&] {
        linear<T>(p.exec, matrix_view<const T>(rows.data(), 130, 64), w, matrix_view<T>(y.data(), 130, 256),
                  store_mode::overwrite, scratch);
      },
      half_sectors ? 1.6 : 1.01, 4, "linear");
}
#endif
