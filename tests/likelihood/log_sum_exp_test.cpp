#include "llmap/likelihood/log_sum_exp.hpp"
#include "support/golden.hpp"

using llmap::log_sum_exp;

namespace {
constexpr double inf = std::numeric_limits<double>::infinity();
log_sum_exp<double> of(std::initializer_list<double> xs) {
  log_sum_exp<double> l;
  for (double x : xs) l.push(x);
  return l;
}
} // namespace

TEST(log_sum_exp, known_values) {
  EXPECT_EQ(of({}).value(), -inf);
  EXPECT_DOUBLE_EQ(of({3}).value(), 3);
  EXPECT_DOUBLE_EQ(of({0, 0}).value(), std::log(2));
  EXPECT_DOUBLE_EQ(of({1000, 1000, 1000}).value(), 1000 + std::log(3));
  EXPECT_DOUBLE_EQ(of({-1e300, 5}).value(), 5);
  EXPECT_EQ(of({-inf, -inf}).value(), -inf);
  EXPECT_EQ(of({inf, 1}).value(), inf);
  EXPECT_EQ(of({inf, inf}).value(), inf);
  EXPECT_EQ(of({1, inf, -inf}).value(), inf);
  EXPECT_TRUE(std::isnan(of({1, std::nan(""), 2}).value()));
  EXPECT_TRUE(std::isnan(of({std::nan("")}).value()));
}
TEST(log_sum_exp, is_a_monoid) {
  const double values[] = {-inf, -3, 0, 2, 700, inf};
  for (double a : values)
    for (double b : values)
      for (double c : values) {
        auto left = of({a}), right = of({b}), both = of({b});
        left.merge(right), left.merge(of({c}));
        both.merge(of({c}));
        auto other = of({a});
        other.merge(both);
        if (std::isinf(left.value())) EXPECT_EQ(left.value(), other.value());
        else EXPECT_NEAR(left.value(), other.value(), 1e-12);
        auto unit = log_sum_exp<double>{};
        unit.merge(left);
        EXPECT_EQ(unit.value(), left.value());
        left.merge({});
        EXPECT_EQ(unit.value(), left.value());
      }
}
