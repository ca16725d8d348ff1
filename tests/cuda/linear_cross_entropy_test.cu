// The fused head on the device against plain loops in double, in every pairing of types that it has.
#include "cuda/support/cuda_test.hpp"
#include "llmap/core/random.hpp"
#include "llmap/likelihood/cuda/linear_cross_entropy.cuh"
#include "llmap/reference/forward_reference.hpp"
#include <algorithm>
#include <cmath>

using namespace llmap;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

template <class Stored> Stored stored(double x) {
  if constexpr (sizeof(Stored) == 2) return Stored(static_cast<float>(x));
  else return static_cast<Stored>(x);
}

template <class X, class W> struct pairing {
  using x_type = X;
  using w_type = W;
};

/// x (M, E) and w (V, E) of normals, rows `gap` apart beyond their length.
template <class P> struct problem {
  using X = typename P::x_type;
  using W = typename P::w_type;
  using T = gpu::working_t<X>;
  std::size_t M, E, V, gap;
  std::vector<X> x;
  std::vector<W> w;
  std::vector<T> bias;
  std::vector<std::int32_t> targets;

  problem(std::size_t M, std::size_t E, std::size_t V, bool with_bias = false, std::size_t gap = 0, double scale = 1)
      : M(M), E(E), V(V), gap(gap), x(M * (E + gap)), w(V * (E + gap)) {
    const counter_random random{11};
    for (std::size_t r = 0; r < M; ++r)
      for (std::size_t k = 0; k < E; ++k) x[r * (E + gap) + k] = stored<X>(scale * random.normal(r, k));
    for (std::size_t v = 0; v < V; ++v)
      for (std::size_t k = 0; k < E; ++k)
        w[v * (E + gap) + k] = stored<W>(random.normal(1000 + v, k) * 2 / std::sqrt(static_cast<double>(E)));
    if (with_bias)
      for (std::size_t v = 0; v < V; ++v) bias.push_back(static_cast<T>(random.normal(1, v)));
    for (std::size_t r = 0; r < M; ++r)
      targets.push_back(static_cast<std::int32_t>(r == 0 ? V - 1 : r == 1 ? 0 : random.below(2, r, V)));
  }
  std::vector<double> run(const head_options& options = {}) const {
    const cuda_executor exec;
    const cuda_buffer<X> rows(exec, std::span<const X>(x));
    const cuda_buffer<W> weights(exec, std::span<const W>(w));
    const cuda_buffer<T> biases(exec, std::span<const T>(bias));
    const cuda_buffer<std::int32_t> which(exec, std::span<const std::int32_t>(targets));
    const cuda_buffer<double> result(exec, M);
    linear_cross_entropy(exec, matrix_view<const X>(rows.data(), M, E, E + gap),
                         matrix_view<const W>(weights.data(), V, E, E + gap), std::span<const T>(biases.span()),
                         std::span<const std::int32_t>(which.span()), options, result.span());
    return result.download(exec);
  }
  double expected(std::size_t r, const head_options& o) const {
    std::vector<double> z(V);
    for (std::size_t v = 0; v < V; ++v) {
      double sum = 0;
      for (std::size_t k = 0; k < E; ++k)
        sum += static_cast<double>(x[r * (E + gap) + k]) * static_cast<double>(w[v * (E + gap) + k]);
      z[v] = o.scale * sum + (bias.empty() ? 0 : static_cast<double>(bias[v]));
      if (o.softcap != 0) z[v] = o.softcap * std::tanh(z[v] / o.softcap);
    }
    return reference::cross_entropy(z, static_cast<std::size_t>(targets[r]));
  }
  /// What a logit may be off by, summed over E products, and 8 eps of the logarithm.
  double bound() const {
    constexpr double eps = sizeof(T) == 8 ? 0x1p-52 : 0x1p-23;
    return eps * (static_cast<double>(E) * 4 + 8 * 40);
  }
};

template <class P> class fused_head : public testing::Test {};
using pairings = testing::Types<pairing<bf16, bf16>, pairing<f16, f16>, pairing<float, bf16>, pairing<float, f16>,
                                pairing<float, float>, pairing<double, double>>;
TYPED_TEST_SUITE(fused_head, pairings);

} // namespace

TYPED_TEST(fused_head, like_the_reference) {
  for (const std::size_t V : {1, 2, 255, 256, 257, 600})
    for (const std::size_t M : {1, 7, 130})
      for (const std::size_t E : {8, 33, 72}) {
        const problem<TypeParam> p(M, E, V, V % 2 == 1);
        const head_options o = M == 7 ? head_options{0.5, 3} : head_options{};
        const auto got = p.run(o);
        for (std::size_t r = 0; r < M; ++r)
          ASSERT_NEAR(got[r], p.expected(r, o), p.bound()) << "V " << V << " E " << E << " row " << r;
      }
}
TYPED_TEST(fused_head, real_rows) {
  for (const std::size_t V : {49152, 128256}) {
    const problem<TypeParam> p(2, 40, V);
    const auto got = p.run();
    for (std::size_t r = 0; r < p.M; ++r) EXPECT_NEAR(got[r], p.expected(r, {}), p.bound()) << V;
  }
}
/// Columns beyond V are zeros in the tile: they must count as nothing, before or after the soft cap. A distribution
/// whose real logits are far below zero shows them.
TYPED_TEST(fused_head, columns_beyond_the_vocabulary) {
  for (const std::size_t V : {1, 200, 257, 383})
    for (const head_options o : {head_options{}, head_options{1, 5}}) {
      problem<TypeParam> p(3, 16, V);
      for (auto& x : p.x) x = stored<typename TypeParam::x_type>(-4);
      for (std::size_t i = 0; i < p.w.size(); ++i)
        p.w[i] = stored<typename TypeParam::w_type>(1 + 0.125 * static_cast<double>(i / 16 % 5));
      const auto got = p.run(o);
      for (std::size_t r = 0; r < 3; ++r) EXPECT_NEAR(got[r], p.expected(r, o), p.bound()) << V << ' ' << o.softcap;
    }
}
TYPED_TEST(fused_head, bias) {
  problem<TypeParam> p(3, 16, 500, true);
  std::fill(p.x.begin(), p.x.end(), typename TypeParam::x_type{}); // the bias alone
  const auto got = p.run();
  for (std::size_t r = 0; r < 3; ++r) {
    EXPECT_NEAR(got[r], p.expected(r, {}), p.bound());
    EXPECT_LT(got[r], 0);
  }
  p.bias.clear();
  for (const double nats : p.run()) EXPECT_NEAR(nats, -std::log(500.0), p.bound());
}
TYPED_TEST(fused_head, never_above_certainty) { // the target's logit is one of the sum's terms
  problem<TypeParam> p(20, 72, 700, false, 0, 40);
  for (std::size_t r = 0; r < p.M; ++r) { // the target has the largest logit by far
    std::size_t best = 0;
    double most = -inf;
    for (std::size_t v = 0; v < p.V; ++v) {
      double z = 0;
      for (std::size_t k = 0; k < p.E; ++k)
        z += static_cast<double>(p.x[r * p.E + k]) * static_cast<double>(p.w[v * p.E + k]);
      if (z > most) most = z, best = v;
    }
    p.targets[r] = static_cast<std::int32_t>(best);
  }
  for (const double nats : p.run()) EXPECT_LE(nats, 0);
}
TYPED_TEST(fused_head, nan_and_infinity) {
  problem<TypeParam> p(5, 40, 300);
  const auto good = p.run();
  p.x[2 * 40 + 7] = stored<typename TypeParam::x_type>(std::numeric_limits<double>::quiet_NaN());
  p.x[3 * 40 + 7] = stored<typename TypeParam::x_type>(inf);
  const auto got = p.run();
  for (std::size_t r = 0; r < 5; ++r) {
    if (r == 2 || r == 3) EXPECT_TRUE(std::isnan(got[r])) << r;
    else EXPECT_EQ(got[r], good[r]);
  }
  problem<TypeParam> never(1, 8, 300, true); // a bias of -infinity: probability 0
  never.bias[5] = -static_cast<typename problem<TypeParam>::T>(inf);
  never.targets[0] = 5;
  EXPECT_EQ(never.run()[0], -inf);
  never.targets[0] = 6;
  EXPECT_NEAR(never.run()[0], never.expected(0, {}), never.bound());
  for (const double bad : {inf, std::numeric_limits<double>::quiet_NaN()}) { // beside the target
    never.bias[5] = static_cast<typename problem<TypeParam>::T>(bad);
    EXPECT_TRUE(std::isnan(never.run()[0])) << bad;
  }
  std::fill(never.bias.begin(), never.bias.end(), -static_cast<typename problem<TypeParam>::T>(inf));
  EXPECT_TRUE(std::isnan(never.run()[0])) << "no probability is left";
}
TYPED_TEST(fused_head, targets) {
  problem<TypeParam> p(4, 8, 300);
  p.targets = {-100, 300, 511, 299}; // 300 to 511 are columns of the last tile
  const auto got = p.run();
  for (std::size_t r = 0; r < 3; ++r) EXPECT_TRUE(std::isnan(got[r]));
  EXPECT_NEAR(got[3], p.expected(3, {}), p.bound());
  EXPECT_TRUE(problem<TypeParam>(0, 8, 300).run().empty());
  p.targets.pop_back();
  EXPECT_THROW(p.run(), contract_error);
}
TYPED_TEST(fused_head, bits_do_not_depend_on_where_a_row_lies) {
  const problem<TypeParam> p(300, 40, 1000);
  const auto whole = p.run({0.5, 9});
  for (const std::size_t r : {0, 1, 127, 128, 299}) {
    problem<TypeParam> one(1, 40, 1000);
    std::copy_n(p.x.data() + r * 40, 40, one.x.data());
    one.targets[0] = p.targets[r];
    EXPECT_EQ(one.run({0.5, 9})[0], whole[r]) << r;
  }
  EXPECT_EQ((problem<TypeParam>(300, 40, 1000, false, 3).run({0.5, 9})), whole) << "rows that are not aligned";
}
TYPED_TEST(fused_head, rows_beyond_two_to_the_32nd) {
  using X = typename TypeParam::x_type;
  using W = typename TypeParam::w_type;
  constexpr std::size_t M = 5, V = 260, E = 24, x_stride = (std::size_t{1} << 30) + 16, w_stride = (1 << 24) + 16;
  const problem<TypeParam> p(M, E, V);
  std::size_t available = 0, total = 0;
  LLMAP_CUDA_CHECK(cudaMemGetInfo(&available, &total));
  if (available < ((M - 1) * x_stride + E) * sizeof(X) + (V * w_stride) * sizeof(W))
    GTEST_SKIP() << "needs more memory";
  const cuda_executor exec;
  const cuda_buffer<X> x(exec, (M - 1) * x_stride + E);
  const cuda_buffer<W> w(exec, (V - 1) * w_stride + E);
  LLMAP_CUDA_CHECK(cudaMemcpy2D(x.data(), x_stride * sizeof(X), p.x.data(), E * sizeof(X), E * sizeof(X), M,
                                cudaMemcpyHostToDevice));
  LLMAP_CUDA_CHECK(cudaMemcpy2D(w.data(), w_stride * sizeof(W), p.w.data(), E * sizeof(W), E * sizeof(W), V,
                                cudaMemcpyHostToDevice));
  const cuda_buffer<std::int32_t> which(exec, std::span<const std::int32_t>(p.targets));
  const cuda_buffer<double> result(exec, M);
  linear_cross_entropy(exec, matrix_view<const X>(x.data(), M, E, x_stride),
                       matrix_view<const W>(w.data(), V, E, w_stride), {}, std::span<const std::int32_t>(which.span()),
                       {}, result.span());
  EXPECT_EQ(result.download(exec), p.run());
}

/// Weights narrower than x, widened on the way: those that have no kernel on tensor cores.
template <class P> void narrow_weights() {
  for (const std::size_t E : {16, 33}) {
    const problem<P> p(9, E, 300, true);
    const auto got = p.run({0.5, 4});
    for (std::size_t r = 0; r < p.M; ++r) EXPECT_NEAR(got[r], p.expected(r, {0.5, 4}), p.bound()) << E << ' ' << r;
  }
}
TEST(fused_head, weights_as_they_are_stored) {
  narrow_weights<pairing<double, float>>();
  narrow_weights<pairing<double, bf16>>();
  narrow_weights<pairing<double, f16>>();
}

/// x = 1 + 2^-9 + 2^-19 less its first 16 bits: the logit is what the third part holds, 2^-19 times 2^12.
TEST(fused_head, all_bits_of_a_float) {
  problem<pairing<float, bf16>> p(1, 2, 2);
  p.x = {1 + 0x1p-9f + 0x1p-19f, -1 - 0x1p-9f};
  p.w = {bf16(4096), bf16(4096), bf16(0), bf16(0)};
  p.targets = {0};
  EXPECT_NEAR(p.run()[0], 0x1p-7 - std::log1p(std::exp(0x1p-7)), 1e-6);
}

/// A width as models have it: error beside float64 on the same inputs, and no leaning to one side.
TYPED_TEST(fused_head, error_of_a_real_width) {
  const problem<TypeParam> p(64, 576, 1000);
  const auto got = p.run();
  double most = 0, relative = 0, mean = 0;
  for (std::size_t r = 0; r < p.M; ++r) {
    const double expected = p.expected(r, {}), off = got[r] - expected;
    most = std::max(most, std::abs(off)), relative = std::max(relative, std::abs(off / expected));
    mean += off / static_cast<double>(p.M) / std::abs(expected);
  }
  std::printf("largest error %.2e nats, %.2e of log p; mean %.1e\n", most, relative, mean);
  EXPECT_LE(most, 2e-4);
  EXPECT_LE(relative, 1e-5);
  EXPECT_LE(std::abs(mean), 1e-5);
}

#ifdef LLMAP_EMULATED
TYPED_TEST(fused_head, counted) {
  using X = typename TypeParam::x_type;
  using W = typename TypeParam::w_type;
  using T = gpu::working_t<X>;
  constexpr bool tensor = gpu::on_tensor_cores<X, W>;
  constexpr int parts = std::is_same_v<X, W> ? 1 : 3, weight_parts = parts == 3 && std::is_same_v<W, f16> ? 2 : 1;
  const std::size_t M = 200, E = 64, V = 768, row_blocks = tensor ? 2 : 4, tiles = 3;
  const problem<TypeParam> p(M, E, V);
  const auto did = cuda_test::count([&] { p.run(); });
  // Each tile of weights once a row block, each row block once a tile; the kernels before and after.
  const std::size_t weights = row_blocks * V * E * sizeof(W), rows = tiles * M * E * (tensor ? 2 * parts : sizeof(T));
  const std::size_t split = parts == 3 ? M * E * 4 : 0, targets = tiles * M * 4 * (tensor ? 16 : 32),
                    merge = tiles * M * 2 * sizeof(T) + M * (4 + sizeof(T));
  std::printf("loads %llu bytes, products %zu; stores %llu bytes\n", static_cast<unsigned long long>(did.loads.bytes),
              weights + rows, static_cast<unsigned long long>(did.stores.bytes));
  EXPECT_EQ(did.loads.bytes, weights + rows + split + targets + merge);
  EXPECT_EQ(did.stores.bytes, tiles * M * 2 * sizeof(T) + M * sizeof(T) + M * 8 + (parts == 3 ? M * E * 6 : 0));
  EXPECT_LE(static_cast<double>(did.loads.sectors), 1.01 * static_cast<double>(did.loads.needed_sectors));
  EXPECT_LE(did.stores.sectors, did.stores.needed_sectors + M) << "a target's logit is stored by itself";
  EXPECT_EQ(did.mma_operations, tensor ? row_blocks * 128 * V * E * parts * weight_parts : 0);
  for (const auto& [place, conflicts] : did.conflict_places) ADD_FAILURE() << conflicts << " conflicts, " << place;
  EXPECT_EQ(did.bank_conflicts, 0u);
  EXPECT_EQ(did.local_requests, 0u);
  const void* kernel;
  if constexpr (tensor) {
    constexpr auto half_of = [](bool f16) { return f16 ? gpu::half_type::f16 : gpu::half_type::bf16; };
    constexpr auto of_x = half_of(std::is_same_v<X, f16>), of_w = half_of(std::is_same_v<W, f16>);
    kernel = reinterpret_cast<const void*>(gpu::head_tensor_kernel<of_x, of_w, parts, true>);
    EXPECT_EQ(stand_in::in_loops(kernel, "mma.sync").size(), 64 * parts * weight_parts);
  } else {
    kernel = reinterpret_cast<const void*>(gpu::head_plain_kernel<T, W, true>);
    EXPECT_EQ(stand_in::in_loops(kernel, "fma.rn").size(), 64 * gpu::plain_tile_policy<T>::depth);
  }
  if (sizeof(T) == 4)
    for (const std::string& which : stand_in::in_loops(kernel, "f64")) ADD_FAILURE() << "in a loop: " << which;
}
#endif
