// Element types of stored tensors, and the two 16-bit formats that have no C++20 type.
//   bf16  1 sign, 8 exponent, 7 fraction bits: the upper half of a float
//   f16   1 sign, 5 exponent, 10 fraction bits (IEEE binary16)
// Widening to float or double is exact for every value; NaN stays NaN. Narrowing is round to nearest, ties to even.
#pragma once
#include "llmap/core/error.hpp"
#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace llmap {

/// A bf16 number as it is stored. It widens to float by itself and is narrowed only when asked.
struct bf16 {
  std::uint16_t bits = 0; ///< sign, exponent, fraction, from the highest bit down
  bf16() = default;
  /// Rounded to nearest, half to even; a NaN stays a NaN.
  explicit bf16(float value) {
    const auto u = std::bit_cast<std::uint32_t>(value);
    bits = (u & 0x7fffffffu) > 0x7f800000u
               ? static_cast<std::uint16_t>((u >> 16) | 0x40u) // a NaN must not round up to infinity
               : static_cast<std::uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
  }
  operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); } ///< exact
};

/// An IEEE binary16 number as it is stored. It widens to float by itself and is narrowed only when asked.
struct f16 {
  std::uint16_t bits = 0; ///< sign, exponent, fraction, from the highest bit down
  f16() = default;
  /// Rounded to nearest, half to even; 65520 and above become infinity, a NaN stays a NaN.
  explicit f16(float value) {
    const auto u = std::bit_cast<std::uint32_t>(value);
    const auto sign = static_cast<std::uint16_t>((u >> 16) & 0x8000u);
    const std::uint32_t magnitude = u & 0x7fffffffu;
    if (magnitude > 0x7f800000u) { // NaN
      bits = static_cast<std::uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
    } else if (magnitude >= 0x477ff000u) { // 65520 and above rounds to infinity
      bits = static_cast<std::uint16_t>(sign | 0x7c00u);
    } else if (magnitude < 0x38800000u) { // below 2^-14: subnormal, counted in steps of 2^-24
      const float scaled = std::bit_cast<float>(magnitude) * 0x1p24f;
      const auto whole = static_cast<std::uint32_t>(scaled);
      const float rest = scaled - static_cast<float>(whole);
      bits = static_cast<std::uint16_t>(sign | (whole + (rest > 0.5f || (rest == 0.5f && (whole & 1u)))));
    } else {
      const std::uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
      bits = static_cast<std::uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
    }
  }
  /// Exact.
  operator float() const {
    // The exponent bias differs by 112: a multiplication by 2^112 also normalizes the subnormals.
    const std::uint32_t magnitude = (bits & 0x7fffu) << 13;
    auto wide = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f);
    if (magnitude >= 0x0f800000u) wide = magnitude | 0x7f800000u; // infinity and NaN
    return std::bit_cast<float>(wide | (static_cast<std::uint32_t>(bits & 0x8000u) << 16));
  }
};

/// Two neighboring factors of a dot product, as the bf16 instructions take them.
struct bf16_pair {
  bf16 first, second; ///< inputs 2i and 2i + 1
};

/// Every element type that the safetensors format names.
enum class dtype : std::uint8_t {
  boolean,
  f4,
  f6_e2m3,
  f6_e3m2,
  u8,
  i8,
  f8_e5m2,
  f8_e4m3,
  f8_e8m0,
  f8_e4m3fnuz,
  f8_e5m2fnuz,
  i16,
  u16,
  f16,
  bf16,
  i32,
  u32,
  f32,
  c64,
  f64,
  i64,
  u64
};

/// How the safetensors format writes a dtype.
struct dtype_info {
  std::string_view name; ///< as written in a safetensors header
  int bits;              ///< bits per element
};

/// Row i describes the dtype of value i.
inline constexpr std::array<dtype_info, 22> dtype_table{
    {{"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},          {"I8", 8},
     {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
     {"U16", 16},    {"F16", 16},    {"BF16", 16},   {"I32", 32},        {"U32", 32},        {"F32", 32},
     {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64}}};

/// As the safetensors format writes it.
constexpr std::string_view name_of(dtype type) { return dtype_table[static_cast<std::size_t>(type)].name; }
/// Bits of an element.
constexpr int bits_of(dtype type) { return dtype_table[static_cast<std::size_t>(type)].bits; }

/// The dtype of a name in a safetensors header; nullopt if the format has none of that name.
constexpr std::optional<dtype> dtype_from_name(std::string_view name) {
  for (std::size_t i = 0; i < dtype_table.size(); ++i)
    if (dtype_table[i].name == name) return static_cast<dtype>(i);
  return std::nullopt;
}

/// The dtype of a C++ element type.
template <class Stored> inline constexpr dtype dtype_of = dtype::boolean;
template <> inline constexpr dtype dtype_of<double> = dtype::f64;
template <> inline constexpr dtype dtype_of<float> = dtype::f32;
template <> inline constexpr dtype dtype_of<bf16> = dtype::bf16;
template <> inline constexpr dtype dtype_of<f16> = dtype::f16;
template <> inline constexpr dtype dtype_of<std::int32_t> = dtype::i32;
template <> inline constexpr dtype dtype_of<std::uint8_t> = dtype::u8;

/// Whether visit_weight_dtype takes it.
constexpr bool is_weight_dtype(dtype type) {
  return type == dtype::f64 || type == dtype::f32 || type == dtype::bf16 || type == dtype::f16;
}

/// Turns a run-time dtype into a type, once, at the border: calls body.template operator()<Stored>() with
/// Stored in {double, float, bf16, f16}. Any other dtype is an llmap::error.
template <class Body> decltype(auto) visit_weight_dtype(dtype type, Body&& body) {
  switch (type) {
  case dtype::f64:
    return body.template operator()<double>();
  case dtype::f32:
    return body.template operator()<float>();
  case dtype::bf16:
    return body.template operator()<bf16>();
  case dtype::f16:
    return body.template operator()<f16>();
  default:
    fail("expected weights of dtype F64, F32, BF16 or F16, got ", name_of(type));
  }
}

/// The same with the integers of 8 bits, std::uint8_t and std::int8_t, beside them.
template <class Body> decltype(auto) visit_number_dtype(dtype type, Body&& body) {
  switch (type) {
  case dtype::u8:
    return body.template operator()<std::uint8_t>();
  case dtype::i8:
    return body.template operator()<std::int8_t>();
  default:
    return visit_weight_dtype(type, std::forward<Body>(body));
  }
}

} // namespace llmap
