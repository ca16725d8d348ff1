// The marks of a KL that has no basis, on numbers that can be followed by hand.
#include "llmap/geometry/make_map.hpp"
#include <gtest/gtest.h>

using namespace llmap;

namespace {

/// The map of two models: a spends `spent` nats on each of `texts` texts of 100 bytes; b differs by `d`.
map_data map_of_difference(double spent, const std::vector<double>& d) {
  score_matrix m;
  m.models = {"a", "b"};
  m.log_likelihood.resize(2, d.size());
  for (std::size_t s = 0; s < d.size(); ++s) {
    m.texts.push_back("t" + std::to_string(s));
    m.bytes.push_back(100);
    m.log_likelihood(0, s) = -spent;
    m.log_likelihood(1, s) = -spent - d[s];
  }
  return make_map(cpu_executor{}, m, {.clip_quantile = 0});
}
std::vector<double> alternating(std::size_t texts, double size) {
  std::vector<double> d(texts, size);
  for (std::size_t s = 0; s < texts; s += 2) d[s] = -size;
  return d;
}
std::string mark(const map_data& map) { return name_of(basis_of(map, 0, 1)); }

} // namespace

TEST(kl_basis, many_texts_of_equal_share) {
  const map_data map = map_of_difference(50, alternating(40, 2)); // V = 4, KL = 2 nats a text
  EXPECT_NEAR(map.effective_texts(0, 1), 40, 1e-9);
  EXPECT_NEAR(map.kl(0, 1), 2 / (100 * std::numbers::ln2), 1e-12);
  EXPECT_EQ(mark(map), "");
}
TEST(kl_basis, far_is_beyond_what_the_models_spend) {
  // KL = size^2 / 2; both spend 50 nats on a text.
  EXPECT_EQ(mark(map_of_difference(50, alternating(40, 9.99))), "");
  EXPECT_EQ(mark(map_of_difference(50, alternating(40, 10.01))), "far");
}
TEST(kl_basis, few_texts_carry_it) {
  // n of 40 texts with d = 1, the others 0: a share of them carries V, and m4 is known in closed form.
  for (const std::size_t n : {1u, 4u, 8u, 20u}) {
    std::vector<double> d(40, 0.0);
    for (std::size_t s = 0; s < n; ++s) d[s] = 1;
    const double p = static_cast<double>(n) / 40, v = p * (1 - p), fourth = v * (1 - 3 * v);
    const map_data map = map_of_difference(50, d);
    EXPECT_NEAR(map.effective_texts(0, 1), 40 * v * v / fourth, 1e-9) << n;
    EXPECT_EQ(mark(map), 40 * v * v / fourth < 10 ? "few texts" : "") << n;
  }
  std::vector<double> one(40, 0.0);
  one[7] = 500;
  EXPECT_EQ(mark(map_of_difference(50, one)), "far, few texts");
}
TEST(kl_basis, equal_models_have_one) {
  EXPECT_EQ(mark(map_of_difference(50, std::vector<double>(40, 0.0))), "");
  EXPECT_EQ(effective_texts(0, 0, 40), 40);
}
