// Inputs rounded as deployed models round them: each rule against a search through the numbers of its format, and the
// product of a matrix whose rows have rules of their own.
#include "llmap/forward/cpu/linear.hpp"
#include "llmap/reference/forward_reference.hpp"
#include "llmap/reference/rounding_reference.hpp"
#include "support/golden.hpp"

using namespace llmap;

namespace {

const input_rounding rules[] = {{.format = input_format::int8},
                                {.format = input_format::e4m3},
                                {.format = input_format::e4m3, .scale = 0.004},
                                {.format = input_format::e4m3, .group = 16},
                                {.format = input_format::e4m3, .group = 16, .power_of_two = true},
                                {.format = input_format::e2m1, .group = 16, .scale = 300},
                                {.format = input_format::e2m1, .group = 16, .scale = 1e-4}}; // its scale rounds to 0

/// A row as a rule rounds it.
std::vector<double> expected_row(const input_rounding& rule, const std::vector<double>& x) {
  const std::vector<double> int8 = reference::integers_to(127), e4m3 = reference::small_floats(3, 7, 127),
                            e2m1 = reference::small_floats(1, 1, 8);
  const std::size_t group = rule.group > 0 ? static_cast<std::size_t>(rule.group) : x.size();
  switch (rule.format) {
  case input_format::none:
    return x;
  case input_format::int8:
    return reference::rounded(x, int8, group, [](double most) { return most / 127; });
  case input_format::e2m1:
    return reference::rounded(x, e2m1, group, [&](double most) {
      const double s = reference::nearest(e4m3, rule.scale * most / 6);
      return (s == 0 ? 0.125 : s) / rule.scale;
    });
  default:
    return reference::rounded(x, e4m3, group, [&](double most) {
      if (rule.scale > 0) return rule.scale;
      if (!rule.power_of_two) return most / 448;
      double power = 1;
      while (power < most / 448) power *= 2;
      while (power / 2 >= most / 448) power /= 2;
      return power;
    });
  }
}

/// M rows of K numbers in T, some of them zeros, one row all zeros, large and small ones.
template <class T> std::vector<T> inputs(std::size_t M, std::size_t K) {
  const std::vector<double> normal = golden::normals(M * K, 5);
  std::vector<T> x(M * K);
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = i / K == 1 || i % 7 == 0 ? T(0) : static_cast<T>(normal[i] * (i % 5 == 0 ? 40 : 0.01));
  return x;
}
template <class T> void each_rule_as_the_search() {
  const std::size_t K = 50; // the last group is short
  for (const input_rounding& rule : rules) {
    std::vector<T> x = inputs<T>(6, K);
    for (std::size_t r = 0; r < 6; ++r) {
      const auto expected = expected_row(
          rule, {x.begin() + static_cast<std::ptrdiff_t>(r * K), x.begin() + static_cast<std::ptrdiff_t>(r * K + K)});
      round_inputs(rule, x.data() + r * K, static_cast<std::int64_t>(K));
      for (std::size_t k = 0; k < K; ++k)
        ASSERT_EQ(x[r * K + k], static_cast<T>(expected[k])) << description(rule) << " row " << r << " at " << k;
    }
  }
}

} // namespace

TEST(round_inputs, each_rule_as_the_search) {
  each_rule_as_the_search<double>();
  each_rule_as_the_search<float>();
}
TEST(round_inputs, ties_go_to_even_and_the_largest_stays) {
  const auto rounded = [](input_rounding rule, std::vector<double> x) {
    round_inputs(rule, x.data(), static_cast<std::int64_t>(x.size()));
    return x;
  };
  using list = std::vector<double>;
  const input_rounding one{.format = input_format::e4m3, .scale = 1};
  EXPECT_EQ(rounded(one, {17, 19, 18, 500, -1e9, 464}), (list{16, 20, 18, 448, -448, 448}));
  EXPECT_EQ(rounded(one, {0x1p-10, 0x1.8p-9, -0x1p-9}), (list{0, 0x1p-8, -0x1p-9}));
  EXPECT_EQ(rounded({.format = input_format::int8}, {127, 0.5, 1.5, -2.5}), (list{127, 0, 2, -2}));
  // 6 / 6 is 1 in E4M3 as well.
  EXPECT_EQ(rounded({.format = input_format::e2m1, .scale = 1}, {6, 5, 3.5, 2.5, 0.25, -0.75, 1.75}),
            (list{6, 4, 4, 2, 0, -1, 2}));
}

namespace {
template <class T> void a_product_with_three_rules(std::size_t M, int threads) {
  const std::size_t K = 70, N = 37;
  const std::vector<T> x = inputs<T>(M, K);
  const std::vector<double> w = golden::normals(N * K, 1), b = golden::normals(N, 2);
  memory_tensors source;
  source.add<double>("w", {37, 70}, w);
  source.add<double>("b", {37}, b);
  packed_matrix<T> packed =
      pack<T>(cpu_executor{threads}, source, linear_plan{70, {{"w", "b", 37, 37, 0, 37, 37, false}}});
  packed.inputs = {{0, 10, rules[0]}, {10, 10, rules[0]}, {20, 12, {}}, {32, 5, rules[3]}};

  std::vector<double> wide(x.begin(), x.end()), expected(M * N);
  for (const rounded_rows& part : packed.inputs) {
    std::vector<double> read;
    for (std::size_t r = 0; r < M; ++r) {
      std::vector<double> row(wide.begin() + static_cast<std::ptrdiff_t>(r * K),
                              wide.begin() + static_cast<std::ptrdiff_t>(r * K + K));
      row = expected_row(part.rule, row);
      for (double& v : row) v = static_cast<T>(v);
      read.insert(read.end(), row.begin(), row.end());
    }
    const auto all = reference::linear(read, w, b, M, K, N);
    for (std::size_t i = 0; i < M * N; ++i)
      if (i % N >= part.first && i % N < part.first + part.count) expected[i] = all[i];
  }
  const double near = std::is_same_v<T, double> ? 1e-11 : 2e-3;
  cpu_scratch<T> scratch;
  std::vector<T> y(M * N, T(1)), from_packed(M * N);
  linear(cpu_executor{threads}, {x.data(), M, K}, packed, {y.data(), M, N}, store_mode::add, scratch);
  for (std::size_t i = 0; i < M * N; ++i) ASSERT_NEAR(y[i], expected[i] + 1, near) << i;

  packed_rows<T> rows;
  rows.fill(cpu_executor{3}, // other blocks than those of the product
            {x.data(), M, K}, scratch.threads);
  linear(cpu_executor{threads}, rows, packed, {from_packed.data(), M, N}, store_mode::overwrite, scratch);
  linear(cpu_executor{1}, {x.data(), M, K}, packed, {y.data(), M, N}, store_mode::overwrite, scratch);
  EXPECT_EQ(y, from_packed); // the same bits from packed rows and from rows, on any number of threads
  std::vector<T> last(N);
  linear(cpu_executor{1}, {x.data() + (M - 1) * K, 1, K}, packed, {last.data(), 1, N}, store_mode::overwrite, scratch);
  EXPECT_TRUE(std::equal(last.begin(), last.end(), y.end() - static_cast<std::ptrdiff_t>(N))); // and for any batch
}
} // namespace

TEST(linear_of_rounded_inputs, rows_of_w_with_rules_of_their_own) {
  for (const std::size_t M : {1u, 3u, 14u, 200u}) {
    a_product_with_three_rules<double>(M, 2);
    a_product_with_three_rules<float>(M, 2);
  }
}
