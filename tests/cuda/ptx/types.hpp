// The scalar types of PTX, and the 16-bit floats with every rounding that PTX names.
#pragma once
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace ptx {

enum class type : std::uint8_t {
  none,
  pred,
  b8,
  b16,
  b32,
  b64,
  b128,
  u8,
  u16,
  u32,
  u64,
  s8,
  s16,
  s32,
  s64,
  f16,
  f16x2,
  bf16,
  bf16x2,
  tf32,
  f32,
  f64
};

inline constexpr std::array<std::string_view, 22> type_names{
    "none", "pred", "b8",  "b16", "b32", "b64",   "b128", "u8",     "u16",  "u32", "u64",
    "s8",   "s16",  "s32", "s64", "f16", "f16x2", "bf16", "bf16x2", "tf32", "f32", "f64"};

constexpr std::string_view name_of(type t) { return type_names[static_cast<std::size_t>(t)]; }

constexpr type type_from(std::string_view name) { // type::none where there is no such type
  for (std::size_t i = 1; i < type_names.size(); ++i)
    if (type_names[i] == name) return static_cast<type>(i);
  return type::none;
}

constexpr unsigned bytes_of(type t) {
  switch (t) {
  case type::none:
    return 0;
  case type::pred:
  case type::b8:
  case type::u8:
  case type::s8:
    return 1;
  case type::b16:
  case type::u16:
  case type::s16:
  case type::f16:
  case type::bf16:
    return 2;
  case type::b64:
  case type::u64:
  case type::s64:
  case type::f64:
    return 8;
  case type::b128:
    return 16;
  default:
    return 4;
  }
}

constexpr bool is_signed(type t) { return t >= type::s8 && t <= type::s64; }
constexpr bool is_float(type t) { return t >= type::f16; }

enum class rounding : std::uint8_t { nearest, zero, down, up, away };

template <class To, class From> To bits(From from) { // the low bytes of `from`; zeros where To is wider
  To to{};
  std::memcpy(&to, &from, sizeof to < sizeof from ? sizeof to : sizeof from);
  return to;
}

float from_f16(std::uint16_t bits);
float from_bf16(std::uint16_t bits);
/// A NaN becomes 0x7fff, as PTX says.
std::uint16_t to_f16(double value, rounding how = rounding::nearest);
std::uint16_t to_bf16(double value, rounding how = rounding::nearest);
float flush_subnormal(float value);

} // namespace ptx
