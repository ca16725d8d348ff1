#include "llmap/core/simd.hpp"
#include <cmath>
#include <gtest/gtest.h>

using namespace llmap;

namespace {
/// Value of an f16 by its definition.
double f16_value(std::uint16_t bits) {
  const int sign = bits >> 15, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  double v = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  if (exponent == 31) v = fraction ? std::nan("") : HUGE_VAL;
  return sign ? -v : v;
}
template <class Stored> Stored from_bits(unsigned bits) {
  Stored s;
  s.bits = static_cast<std::uint16_t>(bits);
  return s;
}

template <class Stored, class T> struct widen_all {
  const std::uint16_t* in;
  T* out;
  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, T>;
    for (std::size_t i = 0; i < 65536; i += 2 * W) { // the first elements of pairs, then the second ones
      simd::store<T, W>(out + i, simd::widen_half<T, W, 0>(reinterpret_cast<const Stored*>(in) + i));
      simd::store<T, W>(out + i + W, simd::widen_half<T, W, 1>(reinterpret_cast<const Stored*>(in) + i));
    }
  }
};
template <class Stored, class T> void widening_is_exact() {
  std::vector<std::uint16_t> bits(65536);
  std::vector<T> out(65536);
  for (unsigned b = 0; b < 65536; ++b) bits[b] = static_cast<std::uint16_t>(b);
  simd::run(widen_all<Stored, T>{bits.data(), out.data()});
  const unsigned W = static_cast<unsigned>(simd::panel_width<T>()) / simd::tile_vectors;
  for (unsigned i = 0; i < 65536; ++i) {
    const unsigned group = i / (2 * W) * 2 * W, lane = i - group,
                   b = lane < W ? group + 2 * lane : group + 2 * (lane - W) + 1;
    const auto expected = static_cast<T>(static_cast<float>(from_bits<Stored>(b)));
    if (std::isnan(expected)) EXPECT_TRUE(std::isnan(out[i])) << b;
    else EXPECT_EQ(out[i], expected) << b;
  }
}
} // namespace

TEST(dtype, f16_widens_to_its_value) {
  for (unsigned b = 0; b < 65536; ++b) {
    const double expected = f16_value(static_cast<std::uint16_t>(b)), got = static_cast<float>(from_bits<f16>(b));
    if (std::isnan(expected)) EXPECT_TRUE(std::isnan(got)) << b;
    else EXPECT_EQ(got, expected) << b;
  }
}
TEST(dtype, narrowing_returns_every_value) {
  for (unsigned b = 0; b < 65536; ++b) {
    const float h = from_bits<f16>(b), g = from_bits<bf16>(b);
    if (!std::isnan(h)) EXPECT_EQ(f16(h).bits, b);
    else EXPECT_TRUE(std::isnan(static_cast<float>(f16(h))));
    if (!std::isnan(g)) EXPECT_EQ(bf16(g).bits, b);
    else EXPECT_TRUE(std::isnan(static_cast<float>(bf16(g))));
  }
}
TEST(dtype, narrowing_rounds_to_nearest_even) {
  for (unsigned b = 0; b < 0x7bff; ++b) { // between consecutive finite values
    const float low = from_bits<f16>(b), high = from_bits<f16>(b + 1), middle = (low + high) / 2;
    EXPECT_EQ(f16(middle).bits, b % 2 ? b + 1 : b);
    EXPECT_EQ(f16(std::nextafter(middle, 0.f)).bits, b);
    EXPECT_EQ(f16(std::nextafter(middle, 1e9f)).bits, b + 1);
  }
  EXPECT_EQ(f16(65519.99f).bits, 0x7bff);
  EXPECT_EQ(f16(65520.f).bits, 0x7c00);
  EXPECT_EQ(bf16(1 + 0x1p-8f).bits, 0x3f80); // tie, to even
  EXPECT_EQ(bf16(1 + 3 * 0x1p-8f).bits, 0x3f82);
}
TEST(dtype, vectors_widen_like_scalars) {
  widening_is_exact<f16, float>();
  widening_is_exact<bf16, float>();
  widening_is_exact<f16, double>();
  widening_is_exact<bf16, double>();
}
TEST(dtype, names_round_trip) {
  for (std::size_t i = 0; i < dtype_table.size(); ++i)
    EXPECT_EQ(dtype_from_name(dtype_table[i].name), static_cast<dtype>(i));
  EXPECT_FALSE(dtype_from_name("F32 "));
  EXPECT_EQ(name_of(dtype::bf16), "BF16");
  EXPECT_EQ(bits_of(dtype::f6_e2m3), 6);
}
