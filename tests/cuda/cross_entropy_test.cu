// cross_entropy over given logits on the device, against plain loops in double.
#include "cuda/support/cuda_test.hpp"
#include "llmap/core/random.hpp"
#include "llmap/likelihood/cuda/cross_entropy.cuh"
#include "llmap/reference/forward_reference.hpp"

using namespace llmap;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

template <class Stored> Stored stored(double x) {
  if constexpr (sizeof(Stored) == 2) return Stored(static_cast<float>(x));
  else return static_cast<Stored>(x);
}

/// Rows of normals, each shifted by what the row is; `first` elements lie before the first row.
template <class Stored> struct problem {
  std::size_t M, V, stride, first;
  std::vector<Stored> logits;
  std::vector<std::int32_t> targets;

  problem(std::size_t M, std::size_t V, double spread = 3, std::size_t gap = 0, std::size_t first = 0)
      : M(M), V(V), stride(V + gap), first(first), logits(first + M * stride) {
    const counter_random random{7};
    for (std::size_t r = 0; r < M; ++r) {
      for (std::size_t v = 0; v < V; ++v)
        row(r)[v] = stored<Stored>(spread * random.normal(r, v) + 4 * static_cast<double>(r));
      targets.push_back(static_cast<std::int32_t>(r == 0 ? 0 : r == 1 ? V - 1 : random.below(100, r, V)));
    }
  }
  Stored* row(std::size_t r) { return logits.data() + first + r * stride; }

  std::vector<double> run(const head_options& options = {}) const {
    const cuda_executor exec;
    const cuda_buffer<Stored> on_device(exec, std::span<const Stored>(logits));
    const cuda_buffer<std::int32_t> which(exec, std::span<const std::int32_t>(targets));
    const cuda_buffer<double> result(exec, M);
    cross_entropy(exec, matrix_view<const Stored>(on_device.data() + first, M, V, stride), which.span(), options,
                  result.span());
    return result.download(exec);
  }
  double expected(std::size_t r, const head_options& o) const {
    std::vector<double> z(V);
    for (std::size_t v = 0; v < V; ++v) {
      z[v] = o.scale * static_cast<double>(logits[first + r * stride + v]);
      if (o.softcap != 0) z[v] = o.softcap * std::tanh(z[v] / o.softcap);
    }
    return reference::cross_entropy(z, static_cast<std::size_t>(targets[r]));
  }
};

/// The largest error a row may have: 8 eps of what the sum's logarithm and the target's logit are made of.
template <class Stored> double bound(double most) {
  constexpr double eps = sizeof(gpu::working_t<Stored>) == 8 ? 0x1p-52 : 0x1p-23;
  return 8 * eps * (1 + most);
}

template <class Stored> class given_logits : public testing::Test {};
using stored_types = testing::Types<double, float, bf16, f16>;
TYPED_TEST_SUITE(given_logits, stored_types);

} // namespace

TYPED_TEST(given_logits, like_the_reference) {
  for (const std::size_t V : {1, 2, 3, 31, 255, 256, 257, 2047, 2048, 2049, 5000})
    for (const std::size_t M : {1, 5})
      for (const head_options o : {head_options{1, 0}, head_options{0.5, 7}}) {
        const problem<TypeParam> p(M, V);
        const auto got = p.run(o);
        for (std::size_t r = 0; r < M; ++r)
          ASSERT_NEAR(got[r], p.expected(r, o), bound<TypeParam>(40)) << V << ' ' << r;
      }
}
TYPED_TEST(given_logits, real_rows) {
  for (const std::size_t V : {49152, 128256})
    for (const double spread : {1.0, 100.0}) {
      const problem<TypeParam> p(2, V, spread);
      const auto got = p.run();
      for (std::size_t r = 0; r < p.M; ++r) EXPECT_NEAR(got[r], p.expected(r, {}), bound<TypeParam>(6 * spread)) << V;
    }
}
TYPED_TEST(given_logits, bits_do_not_depend_on_where_a_row_lies) {
  const problem<TypeParam> whole(6, 2501); // rows begin at every alignment
  const auto bits = whole.run();
  for (const std::size_t first : {0, 1, 3})
    for (const std::size_t gap : {0, 7}) EXPECT_EQ(bits, problem<TypeParam>(6, 2501, 3, gap, first).run());
  problem<TypeParam> alone(1, 2501);
  alone.targets = {whole.targets[4]};
  std::copy_n(whole.logits.data() + 4 * 2501, 2501, alone.row(0));
  EXPECT_EQ(alone.run()[0], bits[4]);
}
TYPED_TEST(given_logits, infinite_and_nan) {
  const auto row_of = [](std::size_t V, double all) {
    problem<TypeParam> p(1, V);
    std::fill(p.logits.begin(), p.logits.end(), stored<TypeParam>(all));
    return p;
  };
  for (const std::size_t V : {1, 4, 3000}) { // ties
    EXPECT_NEAR(row_of(V, 2).run()[0], -std::log(static_cast<double>(V)), bound<TypeParam>(10));
    EXPECT_NEAR(row_of(V, -30000).run()[0], -std::log(static_cast<double>(V)), bound<TypeParam>(10));
    EXPECT_TRUE(std::isnan(row_of(V, -inf).run()[0])) << "no probability is left";
  }
  for (const double bad : {inf, std::numeric_limits<double>::quiet_NaN()})
    for (const std::size_t at : {0, 1500, 2999})
      for (const double others : {0.0, -inf}) {
        auto p = row_of(3000, others);
        p.logits[at] = stored<TypeParam>(bad);
        EXPECT_TRUE(std::isnan(p.run()[0])) << bad << ' ' << at << ' ' << others;
      }
  auto certain = row_of(3000, -inf); // one token has it all
  certain.logits[2999] = stored<TypeParam>(5);
  certain.targets[0] = 2999;
  EXPECT_EQ(certain.run()[0], 0);
  certain.targets[0] = 2998;
  EXPECT_EQ(certain.run()[0], -inf);
  auto largest = row_of(40, sizeof(TypeParam) == 2 && std::is_same_v<TypeParam, f16> ? 65504 : 0x1.fep127);
  EXPECT_NEAR(largest.run()[0], -std::log(40.0), bound<TypeParam>(10));
  problem<TypeParam> mixed(5, 700); // a bad row leaves the others alone
  const auto good = mixed.run();
  mixed.row(2)[100] = stored<TypeParam>(std::numeric_limits<double>::quiet_NaN());
  const auto got = mixed.run();
  for (std::size_t r = 0; r < 5; ++r) {
    if (r == 2) EXPECT_TRUE(std::isnan(got[r]));
    else EXPECT_EQ(got[r], good[r]);
  }
}
TYPED_TEST(given_logits, targets) {
  problem<TypeParam> p(4, 300);
  p.targets = {-100, 300, 2'000'000'000, 299};
  const auto got = p.run();
  for (std::size_t r = 0; r < 3; ++r) EXPECT_TRUE(std::isnan(got[r]));
  EXPECT_NEAR(got[3], p.expected(3, {}), bound<TypeParam>(40));
  EXPECT_TRUE(problem<TypeParam>(0, 300).run().empty());
  p.targets.pop_back();
  EXPECT_THROW(
      cross_entropy(cuda_executor{}, matrix_view<const TypeParam>(nullptr, 4, 300), std::span(p.targets), {}, {}),
      contract_error);
}

TEST(given_logits, no_bias) { // rounding must not lean to one side
  const problem<float> p(300, 4000, 2);
  const auto got = p.run();
  double signed_error = 0;
  for (std::size_t r = 0; r < p.M; ++r) signed_error += (got[r] - p.expected(r, {})) / 300;
  EXPECT_LE(std::abs(signed_error), 1e-7);
}
TEST(given_logits, long_sums_do_not_drift) { // equal terms are rounded to the same side again and again
  problem<bf16> p(1, 2'000'001);
  std::fill(p.logits.begin(), p.logits.end(), bf16(-1.f));
  std::fill_n(p.logits.begin(), 256, bf16(0.f)); // a largest one for each thread, so that the terms are not 1
  EXPECT_NEAR(p.run()[0], p.expected(0, {}), 3e-7);
}
TEST(given_logits, rows_beyond_two_to_the_32nd) {
  constexpr std::size_t V = 1000, stride = (std::size_t{1} << 30) + 4;
  const problem<f16> p(5, V);
  const cuda_executor exec;
  std::size_t available = 0, total = 0;
  LLMAP_CUDA_CHECK(cudaMemGetInfo(&available, &total));
  if (available < 5 * stride * sizeof(f16)) GTEST_SKIP() << "needs 10.7 GB";
  const cuda_buffer<f16> far(exec, 4 * stride + V);
  for (std::size_t r = 0; r < 5; ++r)
    LLMAP_CUDA_CHECK(
        cudaMemcpy(far.data() + r * stride, p.logits.data() + r * V, V * sizeof(f16), cudaMemcpyHostToDevice));
  const cuda_buffer<std::int32_t> which(exec, std::span<const std::int32_t>(p.targets));
  const cuda_buffer<double> result(exec, 5);
  cross_entropy(exec, matrix_view<const f16>(far.data(), 5, V, stride), which.span(), {}, result.span());
  EXPECT_EQ(result.download(exec), p.run());
}

#ifdef LLMAP_EMULATED
namespace {
template <class Stored> void counted(std::size_t V) {
  const std::size_t M = 6;
  const problem<Stored> p(M, V);
  const auto did = cuda_test::count([&] { p.run(); });
  const double least = static_cast<double>(M * (V * sizeof(Stored) + sizeof(std::int32_t) + sizeof(double)));
  const double asked = 32.0 * static_cast<double>(did.loads.sectors + did.stores.sectors);
  std::printf("%zu-byte logits, V %zu: %.0f bytes in sectors, %.4f of the least; sectors %.4f of those needed\n",
              sizeof(Stored), V, asked, asked / least,
              static_cast<double>(did.loads.sectors) / static_cast<double>(did.loads.needed_sectors));
  EXPECT_LE(asked, 1.05 * least);
  EXPECT_LE(static_cast<double>(did.loads.sectors), 1.05 * static_cast<double>(did.loads.needed_sectors));
  EXPECT_EQ(did.local_requests, 0u);
  EXPECT_EQ(did.stores.bytes, M * sizeof(double));
  for (const auto& [place, conflicts] : did.conflict_places) ADD_FAILURE() << conflicts << " conflicts, " << place;
  EXPECT_EQ(did.bank_conflicts, 0u);
  if (sizeof(Stored) < 8) {
    const auto kernel = reinterpret_cast<const void*>(gpu::cross_entropy_kernel<Stored>);
    for (const std::string& which : stand_in::in_loops(kernel, "f64")) ADD_FAILURE() << "in a loop: " << which;
    EXPECT_FALSE(stand_in::in_loops(kernel, "ex2.approx").empty()) << "the loops are not found";
  }
}
} // namespace
TEST(given_logits, counted) {
  counted<double>(20000);
  for (const std::size_t V : {50257, 49152}) {
    counted<float>(V);
    counted<bf16>(V);
    counted<f16>(V);
  }
}
#endif
