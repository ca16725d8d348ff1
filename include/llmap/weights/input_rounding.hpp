// How a deployed model rounds what a quantized matrix reads. Inputs of a row that share a scale s, the whole row or
// groups of it, become s q(x / s), where q rounds to the nearest number of a narrow format, ties to even, clamped to
// its largest. All is evaluated in double. Sources: compressed-tensors 0.20, DeepSeek-V3's inference code,
// transformers.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

namespace llmap {

/// What quantized matrices read: rows in full precision, or rounded as the deployed model rounds them.
enum class activation_mode { full, deployed };

/// A narrow format of inputs.
enum class input_format : std::uint8_t { none, int8, e4m3, e2m1 };

/// The rule of one matrix.
struct input_rounding {
  input_format format = input_format::none; ///< none: not rounded
  std::int64_t group = 0;                   ///< consecutive inputs that share a scale; 0: all of a row
  /// With e4m3 the scale itself, 0: that of the largest input. With e2m1 the number g that scales are rounded with.
  double scale = 0;
  bool power_of_two = false; ///< scales are raised to the next power of two

  bool operator==(const input_rounding&) const = default;
};

/// Consecutive rows of a matrix whose inputs are rounded by one rule before the product.
struct rounded_rows {
  std::size_t first = 0, count = 0; ///< rows of the matrix
  input_rounding rule;              ///< of all of them
};

namespace detail {

/// The nearest number with so many fraction bits, steps no finer than those at 2^least, at most `largest`.
inline double nearest(double x, int fraction_bits, int least, double largest) {
  int exponent = 0;
  std::frexp(x, &exponent); // |x| in [2^(exponent - 1), 2^exponent)
  const double step = std::ldexp(1.0, std::max(exponent - 1, least) - fraction_bits);
  return std::clamp(std::nearbyint(x / step) * step, -largest, largest);
}
inline double nearest_e4m3(double x) { return nearest(std::clamp(x, -448.0, 448.0), 3, -6, 448); }
inline double nearest_e2m1(double x) { return nearest(std::clamp(x, -6.0, 6.0), 1, 0, 6); }

/// The scale of a group whose largest magnitude is `most` > 0.
inline double scale_of(const input_rounding& rule, double most) {
  switch (rule.format) {
  case input_format::int8:
    return most / 127;
  case input_format::e2m1: {
    const double scale = nearest_e4m3(rule.scale * most / 6);
    return (scale == 0 ? 0.125 : scale) / rule.scale;
  }
  default:
    if (rule.scale > 0) return rule.scale;
    if (!rule.power_of_two) return most / 448;
    int exponent = 0;
    const double fraction = std::frexp(most / 448, &exponent); // [1/2, 1), 1/2 for a power itself
    return std::ldexp(1.0, fraction == 0.5 ? exponent - 1 : exponent);
  }
}

} // namespace detail

/// Rounds a row of n inputs in place. Zeros stay zeros.
template <class T> void round_inputs(const input_rounding& rule, T* x, std::int64_t n) {
  if (rule.format == input_format::none) return;
  const std::int64_t size = rule.group > 0 ? rule.group : n;
  for (std::int64_t first = 0; first < n; first += size) {
    const std::int64_t end = std::min(n, first + size);
    double most = 0;
    for (std::int64_t i = first; i < end; ++i) most = std::max(most, std::fabs(static_cast<double>(x[i])));
    if (most == 0) continue;
    const double s = detail::scale_of(rule, most);
    for (std::int64_t i = first; i < end; ++i) {
      const double v = static_cast<double>(x[i]) / s;
      const double q = rule.format == input_format::int8   ? std::nearbyint(v)
                       : rule.format == input_format::e2m1 ? detail::nearest_e2m1(v)
                                                           : detail::nearest_e4m3(v);
      x[i] = static_cast<T>(s * q);
    }
  }
}

/// As `llmap info` says it: "fp8 in groups of 128".
inline std::string description(const input_rounding& rule) {
  const char* const names[] = {"float", "int8", "fp8", "fp4"};
  const std::string name = names[static_cast<int>(rule.format)];
  if (rule.format == input_format::none) return name;
  if (rule.group > 0) return name + " in groups of " + std::to_string(rule.group);
  return name + (rule.scale > 0 ? " with a stored scale" : " a token");
}

} // namespace llmap
