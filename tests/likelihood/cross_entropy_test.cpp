// cross_entropy over given logits against plain loops, in every type they may have.
#include "llmap/likelihood/cpu/cross_entropy.hpp"
#include "llmap/reference/forward_reference.hpp"
#include "support/golden.hpp"

using namespace llmap;

namespace {
template <class Stored> void against_reference(double tolerance, double spread) {
  for (const std::size_t V : {1, 2, 15, 33, 1023, 1024, 1025, 3000})
    for (const head_options o : {head_options{1, 0}, head_options{0.5, 7}}) {
      const std::size_t M = 7;
      std::vector<Stored> logits;
      for (double x : golden::normals(M * V, 1, spread)) {
        if constexpr (sizeof(Stored) == 2) logits.push_back(Stored(static_cast<float>(x)));
        else logits.push_back(static_cast<Stored>(x));
      }
      std::vector<std::int32_t> targets;
      for (std::size_t r = 0; r < M; ++r) targets.push_back(static_cast<std::int32_t>(r * 977 % V));
      std::vector<double> got(M);
      cross_entropy(cpu_executor{2}, matrix_view<const Stored>(logits.data(), M, V), targets, o, got);
      for (std::size_t r = 0; r < M; ++r) {
        std::vector<double> row;
        for (std::size_t v = 0; v < V; ++v) {
          const double z = o.scale * static_cast<double>(logits[r * V + v]);
          row.push_back(o.softcap != 0 ? o.softcap * std::tanh(z / o.softcap) : z);
        }
        ASSERT_NEAR(got[r], reference::cross_entropy(row, static_cast<std::size_t>(targets[r])),
                    tolerance * (1 + spread))
            << V;
      }
    }
}
} // namespace

TEST(cross_entropy, like_the_reference) {
  for (const double spread : {1.0, 300.0}) {
    against_reference<double>(1e-14, spread);
    against_reference<float>(4e-7, spread);
    against_reference<bf16>(4e-7, spread);
    against_reference<f16>(4e-7, spread);
  }
}
TEST(cross_entropy, infinite_and_nan_logits) {
  constexpr float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> logits{-infinity, 0,         -infinity, 0,         nan, 0,         infinity, 0,
                                  -infinity, -infinity, -infinity, -infinity, 0,   0,         0,        nan,
                                  0,         infinity,  0,         0,         nan, -infinity, nan,      -infinity};
  const std::vector<std::int32_t> targets{1, 0, 0, 1, 0, 1};
  std::vector<double> got(6);
  cross_entropy(cpu_executor{1}, matrix_view<const float>(logits.data(), 6, 4), targets, {}, got);
  for (std::size_t r = 3; r < 6; ++r) EXPECT_TRUE(std::isnan(got[r])) << "row " << r;
  EXPECT_NEAR(got[0], -std::log(2.0), 1e-7);
  EXPECT_TRUE(std::isnan(got[1]));
  EXPECT_TRUE(std::isnan(got[2])) << "no probability is left";
  // A NaN in a stretch of columns that holds nothing else.
  std::vector<float> wide(2000, 0.f);
  std::fill_n(wide.begin(), 1024, -infinity);
  const std::vector<std::int32_t> last{1999};
  for (const bool bad : {false, true}) {
    if (bad) wide[5] = nan;
    cross_entropy(cpu_executor{1}, matrix_view<const float>(wide.data(), 1, 2000), last, {}, std::span(got).first(1));
    if (bad) EXPECT_TRUE(std::isnan(got[0]));
    else EXPECT_NEAR(got[0], -std::log(976.0), 1e-6);
  }
}
