// Norms, rotary positions and activations against their plain loops.
#include "llmap/forward/cpu/activate.hpp"
#include "llmap/forward/cpu/norm.hpp"
#include "llmap/forward/cpu/rope.hpp"
#include "llmap/forward/sinusoids.hpp"
#include "llmap/reference/forward_reference.hpp"
#include "support/golden.hpp"
#include <functional>

using namespace llmap;

namespace {
template <class T> aligned_buffer<T> buffer(const std::vector<double>& v) {
  aligned_buffer<T> b(v.size());
  for (std::size_t i = 0; i < v.size(); ++i) b[i] = static_cast<T>(v[i]);
  return b;
}
template <class T> std::vector<double> rounded(const std::vector<double>& v) {
  std::vector<double> out;
  for (double x : v) out.push_back(static_cast<double>(static_cast<T>(x)));
  return out;
}
template <class T> void norms() {
  const double eps = std::numeric_limits<T>::epsilon();
  for (std::size_t C : {1, 2, 3, 7, 8, 31, 64, 577}) {
    const std::size_t M = 3;
    auto x = rounded<T>(golden::normals(M * C, 1));
    for (double& v : x) v += 3; // a mean that matters
    x = rounded<T>(x);
    const auto w = rounded<T>(golden::normals(C, 2)), b = rounded<T>(golden::normals(C, 3));
    for (norm_kind kind : {norm_kind::rms, norm_kind::layer}) {
      const norm_weights<cpu_executor, T> weights{kind, 1e-5, C, buffer<T>(w),
                                                  kind == norm_kind::layer ? buffer<T>(b) : aligned_buffer<T>{}};
      const auto in = buffer<T>(x);
      aligned_buffer<T> out(M * C);
      norm(cpu_executor{2}, {in.data(), M, C}, weights, {out.data(), M, C});
      const auto expected =
          kind == norm_kind::rms ? reference::rms_norm(x, w, 1e-5, M, C) : reference::layer_norm(x, w, b, 1e-5, M, C);
      for (std::size_t i = 0; i < M * C; ++i)
        ASSERT_NEAR(out[i], expected[i], 60 * eps * (1 + std::abs(expected[i]))) << C;
    }
  }
}
/// Rounded norms, of rows whose largest value is positive, negative, a tie of two codes, and 0.
template <class T> void rounded_norms() {
  const std::size_t M = 40, C = 37;
  auto x = rounded<T>(golden::normals(M * C, 1));
  for (std::size_t k = 0; k < C; ++k) x[k] = 0, x[C + k] = k == 3 ? 127 : static_cast<double>(k) - 20.5;
  const auto w = rounded<T>(golden::normals(C, 2));
  const norm_weights<cpu_executor, T> weights{norm_kind::rms, 1e-5, C, buffer<T>(w), {}, true};
  const auto in = buffer<T>(x);
  aligned_buffer<T> out(M * C);
  norm(cpu_executor{2}, {in.data(), M, C}, weights, {out.data(), M, C});
  const auto expected = reference::round_rows(reference::rms_norm(x, w, 1e-5, M, C), M, C);
  for (std::size_t i = 0; i < M * C; ++i)
    ASSERT_NEAR(out[i], expected[i], 4 * std::numeric_limits<T>::epsilon() * (1 + std::abs(expected[i]))) << i;
}
template <class T> void activation_is(activation act, const std::function<double(double)>& f) {
  for (std::size_t I : {1, 5, 16, 37}) {
    const auto x = rounded<T>(golden::normals(2 * 2 * I, 5, 3));
    const auto in = buffer<T>(x);
    std::vector<T> plain(2 * 2 * I), gated(2 * I);
    activate(cpu_executor{1}, act, false, {in.data(), 2, 2 * I}, matrix_view<T>{plain.data(), 2, 2 * I});
    activate(cpu_executor{1}, act, true, {in.data(), 2, 2 * I}, matrix_view<T>{gated.data(), 2, I});
    packed_rows<T> packed; // two rows: a strip each
    cpu_scratch<T> scratch;
    activate(cpu_executor{2}, act, true, {in.data(), 2, 2 * I}, packed, scratch);
    const double eps = 8 * std::numeric_limits<T>::epsilon();
    for (std::size_t i = 0; i < x.size(); ++i) ASSERT_NEAR(plain[i], f(x[i]), eps * (1 + std::abs(x[i]))) << x[i];
    for (std::size_t r = 0; r < 2; ++r)
      for (std::size_t i = 0; i < I; ++i) {
        const double u = x[r * 2 * I + i], v = x[r * 2 * I + I + i];
        ASSERT_NEAR(gated[r * I + i], f(u) * v, 2 * eps * (1 + std::abs(u)) * (1 + std::abs(v)));
        ASSERT_EQ(packed.data(0)[r * I + i], gated[r * I + i]);
      }
  }
}
template <class T> void activations() {
  activation_is<T>(activation::gelu, reference::gelu);
  activation_is<T>(activation::gelu_tanh, reference::gelu_tanh);
  activation_is<T>(activation::silu, reference::silu);
  activation_is<T>(activation::quick_gelu, [](double x) { return x / (1 + std::exp(-1.702 * x)); });
  activation_is<T>(activation::relu, [](double x) { return x > 0 ? x : 0; });
  activation_is<T>(activation::tanh, [](double x) { return std::tanh(x); });
}
template <class T> void xielus() {
  const double eps = 40 * std::numeric_limits<T>::epsilon(); // of squares up to a hundred
  for (const std::vector<double>& numbers : {std::vector<double>{0.8, -0.5, 0.5, -1e-6}, {-2, 3, 0.25, -0.5}})
    for (std::size_t I : {1, 5, 16, 37}) {
      const auto x = rounded<T>(golden::normals(3 * I, 6, 3)), p = rounded<T>(numbers);
      const auto in = buffer<T>(x);
      packed_rows<T> packed; // three rows: a strip each
      cpu_scratch<T> scratch;
      xielu(cpu_executor{3}, buffer<T>(p), {in.data(), 3, I}, packed, scratch);
      for (std::size_t i = 0; i < x.size(); ++i)
        ASSERT_NEAR(packed.data(0)[i], reference::xielu(x[i], p), eps * (1 + x[i] * x[i])) << x[i];
    }
}
} // namespace

TEST(norm, like_the_reference) {
  norms<float>();
  norms<double>();
}
TEST(norm, rounded_like_the_reference) {
  rounded_norms<float>();
  rounded_norms<double>();
}
TEST(activate, like_the_reference) {
  activations<float>();
  activations<double>();
}
TEST(xielu, like_the_reference) {
  xielus<float>();
  xielus<double>();
}
TEST(sinusoids, are_sines_and_cosines_of_falling_frequencies) {
  const auto even = sinusoids(5, 8), odd = sinusoids(5, 9);
  for (std::size_t p = 0; p < 5; ++p)
    for (std::size_t i = 0; i < 4; ++i) {
      const double angle = static_cast<double>(p) * std::pow(10000., -static_cast<double>(i) / 3);
      EXPECT_NEAR(even[p * 8 + i], std::sin(angle), 1e-15);
      EXPECT_NEAR(even[p * 8 + 4 + i], std::cos(angle), 1e-15);
      EXPECT_EQ(odd[p * 9 + i], even[p * 8 + i]);
      EXPECT_EQ(odd[p * 9 + 4 + i], even[p * 8 + 4 + i]);
      EXPECT_EQ(odd[p * 9 + 8], 0);
    }
}
TEST(rope, rotates_like_the_reference_and_keeps_lengths) {
  rope_plan plan;
  plan.dims = 6;
  ragged_batch batch;
  batch.add(std::vector<std::int32_t>(5));
  batch.add(std::vector<std::int32_t>(3));
  matrix_buffer<double> table;
  fill_angles(cpu_executor{2}, plan, batch, table.reshape(batch.rows(), 6));
  const std::size_t heads = 2, D = 8; // two dims of each head are not rotated
  auto x = golden::normals(batch.rows() * heads * D, 9), expected = x;
  rope(cpu_executor{2}, matrix_view<double>(x.data(), batch.rows(), heads * D), {heads, D, 0, false}, table.view());
  const auto f = rope_frequencies(plan, 0);
  EXPECT_DOUBLE_EQ(f[1], std::pow(10000., -2. / 6));
  for (std::size_t r = 0; r < batch.rows(); ++r)
    for (std::size_t h = 0; h < heads; ++h)
      reference::rope(&expected[(r * heads + h) * D], f, static_cast<double>(r < 5 ? r : r - 5));
  for (std::size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], expected[i], 1e-14);
}
TEST(rope, scaling_kinds) {
  rope_plan plan;
  plan.dims = 8;
  const auto plain = rope_frequencies(plan, 10);
  plan.kind = rope_plan::scaling::linear;
  plan.factor = 4;
  EXPECT_DOUBLE_EQ(rope_frequencies(plan, 10)[2], plain[2] / 4);
  plan.kind = rope_plan::scaling::dynamic;
  plan.original_positions = 32;
  EXPECT_EQ(rope_frequencies(plan, 32), plain);
  EXPECT_LT(rope_frequencies(plan, 33)[3], plain[3]);
  plan.kind = rope_plan::scaling::llama3; // fast components as they were, slow ones stretched
  plan.original_positions = 64;
  const auto l = rope_frequencies(plan, 10);
  EXPECT_DOUBLE_EQ(l[0], plain[0]);
  EXPECT_DOUBLE_EQ(l[3], plain[3] / 4);
  plan.kind = rope_plan::scaling::longrope;
  plan.short_factor = {1, 1, 1, 1}, plan.long_factor = {1, 2, 3, 4};
  EXPECT_EQ(rope_frequencies(plan, 64), plain);
  EXPECT_DOUBLE_EQ(rope_frequencies(plan, 65)[3], plain[3] / 4);
  plan.attention_factor = 2, plan.long_attention_factor = 3;
  EXPECT_EQ(attention_factor(plan, 64), 2);
  EXPECT_EQ(attention_factor(plan, 65), 3);
  plan.kind = rope_plan::scaling::proportional; // of four pairs the first two turn
  plan.share = 0.5, plan.factor = 4;
  EXPECT_EQ(rope_frequencies(plan, 65), (std::vector<double>{plain[0] / 4, plain[1] / 4, 0, 0}));
  EXPECT_EQ(attention_factor(plan, 65), 2);
  plan.kind = rope_plan::scaling::llama3; // without a band in the middle
  plan.low_frequency_factor = plan.high_frequency_factor = 1, plan.original_positions = 64;
  EXPECT_EQ(rope_frequencies(plan, 10), (std::vector<double>{plain[0], plain[1], plain[2] / 4, plain[3] / 4}));
}
