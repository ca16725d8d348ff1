#include "cuda/ptx/types.hpp"
#include <algorithm>
#include <cmath>

namespace ptx {

namespace {

/// To a binary float of `fraction` fraction bits and exponents from `least` up to `most`, in 16 bits.
std::uint16_t to_small(double value, rounding how, int fraction, int least, int most) {
  if (std::isnan(value)) return 0x7fff;
  const bool negative = std::signbit(value);
  const std::uint16_t sign = negative ? 0x8000 : 0;
  const auto infinity = static_cast<std::uint16_t>((most - least + 2) << fraction);
  const double magnitude = std::fabs(value);
  if (std::isinf(magnitude)) return sign | infinity;
  if (magnitude == 0) return sign;
  int exponent;
  std::frexp(magnitude, &exponent);
  const int step = std::max(exponent - 1, least) - fraction; // the last place is 2^step
  const double scaled = std::ldexp(magnitude, -step), whole = std::floor(scaled), rest = scaled - whole;
  bool up = false;
  switch (how) {
  case rounding::nearest:
    up = rest > 0.5 || (rest == 0.5 && std::fmod(whole, 2) == 1);
    break;
  case rounding::away:
    up = rest >= 0.5;
    break;
  case rounding::zero:
    break;
  case rounding::down:
    up = negative && rest > 0;
    break;
  case rounding::up:
    up = !negative && rest > 0;
    break;
  }
  const double rounded = std::ldexp(whole + (up ? 1 : 0), step);
  if (rounded >= std::ldexp(2.0, most)) {
    const bool to_infinity = how == rounding::nearest || how == rounding::away || (how == rounding::up && !negative) ||
                             (how == rounding::down && negative);
    return sign | static_cast<std::uint16_t>(to_infinity ? infinity : infinity - 1);
  }
  if (rounded < std::ldexp(1.0, least)) return sign | static_cast<std::uint16_t>(std::ldexp(rounded, fraction - least));
  std::frexp(rounded, &exponent);
  const auto mantissa = static_cast<std::uint32_t>(std::ldexp(rounded, fraction - (exponent - 1)));
  return sign | static_cast<std::uint16_t>((static_cast<std::uint32_t>(exponent - 1 - least + 1) << fraction) |
                                           (mantissa & ((1u << fraction) - 1)));
}

} // namespace

float from_f16(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 31, fraction = half & 1023;
  if (exponent == 31) return bits<float>(sign | 0x7f800000u | fraction << 13);
  if (exponent != 0) return bits<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
  return sign ? -magnitude : magnitude;
}
float from_bf16(std::uint16_t half) { return bits<float>(static_cast<std::uint32_t>(half) << 16); }

std::uint16_t to_f16(double value, rounding how) { return to_small(value, how, 10, -14, 15); }
std::uint16_t to_bf16(double value, rounding how) { return to_small(value, how, 7, -126, 127); }

float flush_subnormal(float value) {
  return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.f, value) : value;
}

} // namespace ptx
