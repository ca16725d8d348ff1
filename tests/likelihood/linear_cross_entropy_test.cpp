#include "llmap/likelihood/cpu/linear_cross_entropy.hpp"
#include "llmap/reference/forward_reference.hpp"
#include "support/golden.hpp"

using namespace llmap;

namespace {
template <class T> struct problem {
  std::size_t M, E, V;
  std::vector<T> x, w;
  std::vector<std::int32_t> targets;
  packed_matrix<T> packed;

  problem(std::size_t M, std::size_t E, std::size_t V, double scale = 1) : M(M), E(E), V(V) {
    for (double v : golden::normals(M * E, 1, scale)) x.push_back(static_cast<T>(v));
    for (double v : golden::normals(V * E, 2)) w.push_back(static_cast<T>(v));
    for (std::size_t i = 0; i < M; ++i) targets.push_back(static_cast<std::int32_t>(counter_random{3}.below(0, i, V)));
    if (M > 2) targets[0] = 0, targets[1] = static_cast<std::int32_t>(V - 1);
    packed = pack<T>(cpu_executor{1}, matrix_view<const T>(w.data(), V, E));
  }
  std::vector<double> run(const head_options& options, int threads = 2) const {
    std::vector<double> out(M);
    linear_cross_entropy(cpu_executor{threads}, {x.data(), M, E}, packed, targets, options, out);
    return out;
  }
  double expected(std::size_t r, const head_options& o) const {
    std::vector<double> logits(V);
    for (std::size_t v = 0; v < V; ++v) {
      double z = 0;
      for (std::size_t k = 0; k < E; ++k) z += static_cast<double>(x[r * E + k]) * static_cast<double>(w[v * E + k]);
      z *= o.scale;
      logits[v] = o.softcap != 0 ? o.softcap * std::tanh(z / o.softcap) : z;
    }
    return reference::cross_entropy(logits, static_cast<std::size_t>(targets[r]));
  }
};
template <class T> void sweep(double tolerance) {
  for (std::size_t V : {1, 2, 15, 16, 17, 127, 129, 1023, 1024, 1025, 2500})
    for (std::size_t M : {1, 7, 100})
      for (const head_options o : {head_options{1, 0}, head_options{0.25, 3}}) {
        const problem<T> p(M, 24, V);
        const auto got = p.run(o);
        for (std::size_t r = 0; r < M; ++r)
          ASSERT_NEAR(got[r], p.expected(r, o), tolerance) << "V " << V << " row " << r;
      }
}
} // namespace

TEST(linear_cross_entropy, like_the_reference) {
  sweep<double>(1e-13);
  sweep<float>(2e-5);
}
TEST(linear_cross_entropy, large_logits) {
  const problem<float> p(20, 64, 3000, 30); // logits of hundreds
  const auto got = p.run({});
  for (std::size_t r = 0; r < p.M; ++r) ASSERT_NEAR(got[r], p.expected(r, {}), 2e-6 * 2000);
}
TEST(linear_cross_entropy, no_bias) { // float rounding must not lean to one side
  const problem<float> p(400, 48, 5000, 0.15);
  const auto got = p.run({});
  double signed_error = 0;
  for (std::size_t r = 0; r < p.M; ++r) signed_error += (got[r] - p.expected(r, {})) / static_cast<double>(p.M);
  EXPECT_LE(std::abs(signed_error), 1e-7);
}
TEST(linear_cross_entropy, bits_do_not_depend_on_rows_or_threads) {
  const problem<float> p(150, 40, 4321);
  const auto whole = p.run({}, 1);
  EXPECT_EQ(whole, p.run({}, 2));
  EXPECT_EQ(whole, p.run({}, 3));
  for (std::size_t r = 0; r < p.M; ++r) {
    double one;
    linear_cross_entropy(cpu_executor{2}, {p.x.data() + r * p.E, 1, p.E}, p.packed, std::span(p.targets).subspan(r, 1),
                         {}, {&one, 1});
    ASSERT_EQ(one, whole[r]);
  }
}
TEST(linear_cross_entropy, nan_and_contracts) {
  problem<float> p(3, 8, 40);
  p.x[9] = std::numeric_limits<float>::quiet_NaN();
  const auto got = p.run({});
  EXPECT_TRUE(std::isfinite(got[0]) && std::isnan(got[1]) && std::isfinite(got[2]));
  p.targets[0] = 40;
  EXPECT_THROW(p.run({}), contract_error);
}
