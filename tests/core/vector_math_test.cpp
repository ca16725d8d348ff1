#include "llmap/core/vector_math.hpp"
#include <gtest/gtest.h>
#include <vector>

using namespace llmap;

namespace {
enum class op { exp, exp_term, log, tanh, sigmoid };
template <op O, class T> struct apply {
  const T* in;
  T* out;
  std::size_t n; // a multiple of 16
  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, T>;
    for (std::size_t i = 0; i < n; i += W) {
      const auto x = simd::load<T, W>(in + i);
      if constexpr (O == op::exp) simd::store<T, W>(out + i, simd::exp<T, W>(x));
      if constexpr (O == op::exp_term) simd::store<T, W>(out + i, simd::exp_term<T, W>(x));
      if constexpr (O == op::log) simd::store<T, W>(out + i, simd::log<T, W>(x));
      if constexpr (O == op::tanh) simd::store<T, W>(out + i, simd::tanh<T, W>(x));
      if constexpr (O == op::sigmoid) simd::store<T, W>(out + i, simd::sigmoid<T, W>(x));
    }
  }
};
template <op O, class T> std::vector<T> run(std::vector<T> x) {
  x.resize((x.size() + 15) / 16 * 16);
  std::vector<T> y(x.size());
  simd::run(apply<O, T>{x.data(), y.data(), x.size()});
  return y;
}
template <class T> std::vector<T> sweep(T from, T to, int steps) {
  std::vector<T> x;
  for (int i = 0; i < steps; ++i) x.push_back(from + (to - from) * static_cast<T>(i) / static_cast<T>(steps));
  return x;
}
template <op O, class T> double worst_exp_ulp(T most = std::log(std::numeric_limits<T>::max()) * T(0.999)) {
  using limits = std::numeric_limits<T>;
  const auto x = sweep<T>(std::log(limits::min()) * T(0.999), most, 1 << 18);
  const auto y = run<O>(x);
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const long double exact = std::exp(static_cast<long double>(x[i]));
    const long double ulp = std::ldexp(1.0L, std::ilogb(exact) - limits::digits + 1);
    worst = std::max(worst, static_cast<double>(std::abs(y[i] - exact) / ulp));
  }
  return worst;
}
template <class T> double worst_log_ulp() {
  using limits = std::numeric_limits<T>;
  std::vector<T> x = sweep<T>(T(0.5), T(2), 1 << 17);
  for (const T e : sweep<T>(std::log(limits::min()) * T(0.999), std::log(limits::max()) * T(0.999), 1 << 17))
    x.push_back(std::exp(e));
  while (x.size() % 16 != 0) x.push_back(1);
  const auto y = run<op::log>(x);
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const long double exact = std::log(static_cast<long double>(x[i]));
    if (x[i] == 1) {
      EXPECT_EQ(y[i], 0);
      continue;
    }
    const long double ulp = std::ldexp(1.0L, std::ilogb(exact) - limits::digits + 1);
    worst = std::max(worst, static_cast<double>(std::abs(y[i] - exact) / ulp));
  }
  return worst;
}
/// exp_term of what lies below the smallest normal number, and of what is no number.
template <class T> void special_terms() {
  constexpr T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  const T smallest = std::numeric_limits<T>::min();
  const auto y = run<op::exp_term, T>({0, std::log(smallest) - T(0.5), std::log(smallest) - 50, -1e30f, -inf, nan});
  EXPECT_EQ(y[0], 1);
  for (std::size_t i = 1; i < 5; ++i) {
    EXPECT_GE(y[i], 0) << i;
    EXPECT_LE(y[i], 2 * smallest) << i;
  }
  EXPECT_TRUE(std::isnan(y[5]));
}
/// The mean relative error of exp or exp_term over [-20, 0], with its sign.
template <op O> double mean_relative_error() {
  const auto x = sweep<float>(-20.f, 0.f, 1 << 18);
  const auto y = run<O>(x);
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += y[i] / std::exp(static_cast<double>(x[i])) - 1;
  return sum / static_cast<double>(x.size());
}
template <class T> void special_values() {
  constexpr T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  const auto y = run<op::exp, T>({0, -0.0, inf, -inf, nan, 1e4, -1e4, 1});
  EXPECT_EQ(y[0], 1);
  EXPECT_EQ(y[1], 1);
  EXPECT_EQ(y[2], inf);
  EXPECT_EQ(y[3], 0);
  EXPECT_TRUE(std::isnan(y[4]));
  EXPECT_EQ(y[5], inf);
  EXPECT_EQ(y[6], 0);
}
} // namespace

TEST(vector_math, exp_is_within_its_bound) {
  const double f = worst_exp_ulp<op::exp, float>(), d = worst_exp_ulp<op::exp, double>();
  std::printf("exp: float %.3f ulp, double %.3f ulp on %s\n", f, d,
              std::string(simd::name_of(simd::active_isa())).c_str());
  EXPECT_LE(f, simd::exp_error_ulp);
  EXPECT_LE(d, simd::exp_error_ulp);
}
TEST(vector_math, log_is_within_its_bound) {
  const double f = worst_log_ulp<float>(), d = worst_log_ulp<double>();
  std::printf("log: float %.3f ulp, double %.3f ulp\n", f, d);
  EXPECT_LE(f, simd::log_error_ulp);
  EXPECT_LE(d, simd::log_error_ulp);
}
TEST(vector_math, exp_of_special_values) {
  special_values<float>();
  special_values<double>();
}
// Far below an ulp: sums of many terms stay right.
TEST(vector_math, exp_has_no_bias) {
  EXPECT_LE(std::abs(mean_relative_error<op::exp>()), 5e-9);
  EXPECT_LE(std::abs(mean_relative_error<op::exp_term>()), 5e-9);
}
// The exponential of attention and of the head.
TEST(vector_math, exp_term_is_within_the_bound_of_exp) {
  const double f = worst_exp_ulp<op::exp_term, float>(simd::exp_term_limit<float>);
  const double d = worst_exp_ulp<op::exp_term, double>(simd::exp_term_limit<double>);
  std::printf("exp_term: float %.3f ulp, double %.3f ulp\n", f, d);
  EXPECT_LE(f, simd::exp_error_ulp);
  EXPECT_LE(d, simd::exp_error_ulp);
}
TEST(vector_math, exp_term_of_special_values) {
  special_terms<float>();
  special_terms<double>();
}
TEST(vector_math, tanh_and_sigmoid) {
  const auto x = sweep<double>(-30., 30., 100000);
  const auto t = run<op::tanh>(x), s = run<op::sigmoid>(x);
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_NEAR(t[i], std::tanh(x[i]), 1e-15);
    EXPECT_NEAR(s[i], 1 / (1 + std::exp(-x[i])), 1e-15);
  }
}
