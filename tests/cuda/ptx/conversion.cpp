// cvt, cvta, isspacep.
#include "cuda/ptx/operands.hpp"
#include <algorithm>
#include <cfenv>
#include <cmath>
#include <limits>

namespace ptx {

namespace {

std::int64_t signed_value(type t, std::uint64_t raw) {
  switch (bytes_of(t)) {
  case 1:
    return static_cast<std::int8_t>(raw);
  case 2:
    return static_cast<std::int16_t>(raw);
  case 4:
    return static_cast<std::int32_t>(raw);
  default:
    return static_cast<std::int64_t>(raw);
  }
}
std::uint64_t low_bits(type t, std::uint64_t raw) {
  const unsigned width = 8 * bytes_of(t);
  return width == 64 ? raw : raw & ((1ull << width) - 1);
}

std::uint64_t integer_to_integer(const instruction& in, std::uint64_t raw) {
  const type to = in.types[0], from = in.types[1];
  if (!in.has(modifier("sat")))
    return is_signed(from) ? static_cast<std::uint64_t>(signed_value(from, raw)) : low_bits(from, raw);
  const __int128 value =
      is_signed(from) ? static_cast<__int128>(signed_value(from, raw)) : static_cast<__int128>(low_bits(from, raw));
  const unsigned width = 8 * bytes_of(to);
  const __int128 least = is_signed(to) ? -(static_cast<__int128>(1) << (width - 1)) : 0;
  const __int128 most = (static_cast<__int128>(1) << (width - is_signed(to))) - 1;
  return static_cast<std::uint64_t>(std::clamp(value, least, most));
}

/// In the rounding that the instruction states; `make` reads its numbers through volatiles.
template <class Make> auto rounded(rounding how, const Make& make) {
  if (how == rounding::nearest || how == rounding::away) return make();
  const int before = std::fegetround();
  std::fesetround(how == rounding::zero ? FE_TOWARDZERO : how == rounding::down ? FE_DOWNWARD : FE_UPWARD);
  const auto result = make();
  std::fesetround(before);
  return result;
}

std::uint64_t integer_to_float(const instruction& in, std::uint64_t raw) {
  const type to = in.types[0], from = in.types[1];
  const volatile std::int64_t s = signed_value(from, raw);
  const volatile std::uint64_t u = low_bits(from, raw);
  if (to == type::f64)
    return bits<std::uint64_t>(
        rounded(in.rounds, [&] { return is_signed(from) ? static_cast<double>(s) : static_cast<double>(u); }));
  if (to == type::f32)
    return bits<std::uint32_t>(
        rounded(in.rounds, [&] { return is_signed(from) ? static_cast<float>(s) : static_cast<float>(u); }));
  const double exact = is_signed(from) ? static_cast<double>(s) : static_cast<double>(u); // above 2^53 it is beyond f16
  return to == type::f16 ? to_f16(exact, in.rounds) : to_bf16(exact, in.rounds);
}

double float_value(const instruction& in, type from, std::uint64_t raw) {
  switch (from) {
  case type::f64:
    return bits<double>(raw);
  case type::f32: {
    const float value = bits<float>(static_cast<std::uint32_t>(raw));
    return in.has(modifier("ftz")) ? flush_subnormal(value) : value;
  }
  case type::f16:
    return from_f16(static_cast<std::uint16_t>(raw));
  default:
    return from_bf16(static_cast<std::uint16_t>(raw));
  }
}

double to_whole(const instruction& in, double value) {
  if (in.has(modifier("rni"))) return std::nearbyint(value);
  if (in.has(modifier("rzi"))) return std::trunc(value);
  if (in.has(modifier("rmi"))) return std::floor(value);
  if (in.has(modifier("rpi"))) return std::ceil(value);
  return value;
}

std::uint64_t float_to_integer(const instruction& in, std::uint64_t raw) {
  const type to = in.types[0];
  const double value = to_whole(in, float_value(in, in.types[1], raw));
  const int width = static_cast<int>(8 * bytes_of(to));
  if (std::isnan(value)) return is_signed(to) || width < 64 ? 0 : 1ull << 63;
  if (is_signed(to)) {
    const double end = std::ldexp(1.0, width - 1);
    if (value >= end) return (1ull << (width - 1)) - 1;
    if (value < -end) return static_cast<std::uint64_t>(-1) << (width - 1);
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
  }
  if (value <= 0) return 0;
  if (value >= std::ldexp(1.0, width)) return width == 64 ? ~0ull : (1ull << width) - 1;
  return static_cast<std::uint64_t>(value);
}

std::uint64_t float_to_float(const instruction& in, std::uint64_t raw) {
  const type to = in.types[0];
  double value = to_whole(in, float_value(in, in.types[1], raw));
  if (in.has(modifier("sat"))) value = value > 0 ? std::min(value, 1.0) : 0.0;
  if (in.has(modifier("relu")) && value < 0) value = 0;
  switch (to) {
  case type::f64:
    return bits<std::uint64_t>(value);
  case type::f32: {
    const volatile double exact = value;
    const float result = rounded(in.rounds, [&] { return static_cast<float>(exact); });
    return bits<std::uint32_t>(in.has(modifier("ftz")) ? flush_subnormal(result) : result);
  }
  case type::f16:
    return to_f16(value, in.rounds);
  default:
    return to_bf16(value, in.rounds);
  }
}

/// A lane after another; results narrower than their register are extended as their type says.
template <std::uint64_t (*Convert)(const instruction&, std::uint64_t)>
void convert(warp& w, const instruction& in, lane_mask lanes) {
  for_lanes(lanes, [&](unsigned i) {
    std::uint64_t result = Convert(in, w.value(in.operands[1], i));
    if (!is_signed(in.types[0])) result = low_bits(in.types[0], result);
    w.set(in.operands[0], i, result);
  });
}
/// The conversions that kernels do most, without the questions above.
template <class To, class From> void convert_exactly(warp& w, const instruction& in, lane_mask lanes) {
  const auto* from = source<From>(w, in.operands[1]);
  auto* const to = target<To>(w, in.operands[0]);
  for_lanes(lanes, [&](unsigned i) { to[i] = pack<To>(static_cast<To>(unpack<From>(from[i]))); });
}
handler pick_cvt(const instruction& in) {
  const type to = in.types[0], from = in.types[1];
  const bool plain = in.modifiers.none() || in.modifiers == std::bitset<modifier_names.size()>().set(modifier("rn"));
  const operand &d = in.operands[0], &s = in.operands[1];
  if (plain && d.kind != operand::sink) {
    const bool wide_to = d.kind == operand::reg64, wide_from = s.kind != operand::reg32;
    const auto is = [&](type t, type f) {
      return to == t && from == f && wide_to == (bytes_of(t) == 8) &&
             (s.kind == operand::constant || wide_from == (bytes_of(f) == 8));
    };
    if (is(type::f64, type::f32)) return convert_exactly<double, float>;
    if (is(type::f32, type::f64)) return convert_exactly<float, double>;
    if (is(type::s64, type::s32)) return convert_exactly<std::int64_t, std::int32_t>;
    if (is(type::u64, type::u32)) return convert_exactly<std::uint64_t, std::uint32_t>;
    if (is(type::u32, type::u64)) return convert_exactly<std::uint32_t, std::uint64_t>;
    if (is(type::f32, type::s32)) return convert_exactly<float, std::int32_t>;
  }
  if (is_float(to)) return is_float(from) ? convert<float_to_float> : convert<integer_to_float>;
  return is_float(from) ? convert<float_to_integer> : convert<integer_to_integer>;
}

void pack_pair(warp& w, const instruction& in, lane_mask lanes) { // the first source into the upper half
  const bool half_precision = in.types[0] == type::f16x2;
  const auto one = [&](std::uint64_t raw) {
    double value = bits<float>(static_cast<std::uint32_t>(raw));
    if (in.has(modifier("relu")) && value < 0) value = 0;
    return half_precision ? to_f16(value, in.rounds) : to_bf16(value, in.rounds);
  };
  for_lanes(lanes, [&](unsigned i) {
    const std::uint32_t upper = one(w.value(in.operands[1], i)), lower = one(w.value(in.operands[2], i));
    w.set(in.operands[0], i, upper << 16 | lower);
  });
}
handler pick_pack(const instruction&) { return pack_pair; }

void to_tf32(warp& w, const instruction& in, lane_mask lanes) {
  for_lanes(lanes, [&](unsigned i) {
    const auto raw = static_cast<std::uint32_t>(w.value(in.operands[1], i));
    const bool finite = (raw & 0x7f800000u) != 0x7f800000u;
    w.set(in.operands[0], i, (finite ? raw + 0x1000u : raw) & 0xffffe000u);
  });
}
handler pick_tf32(const instruction&) { return to_tf32; }

std::uint64_t window_of(space s) {
  switch (s) {
  case space::shared:
    return shared_window;
  case space::local:
    return local_window;
  case space::param:
    return param_window;
  default:
    return 0;
  }
}
void to_generic(warp& w, const instruction& in, lane_mask lanes) {
  const std::uint64_t window = window_of(in.where);
  for_lanes(lanes, [&](unsigned i) { w.set(in.operands[0], i, w.value(in.operands[1], i) | window); });
}
void from_generic(warp& w, const instruction& in, lane_mask lanes) {
  const std::uint64_t window = window_of(in.where);
  for_lanes(lanes, [&](unsigned i) {
    const std::uint64_t address = w.value(in.operands[1], i);
    w.lane_at = i;
    if (window != 0 && address != 0 && !(address & window))
      throw fault("cvta.to: the address is of another state space");
    if (window == 0 && (address & (shared_window | local_window | param_window)))
      throw fault("cvta.to: the address is of another state space");
    w.set(in.operands[0], i, address & ~window);
  });
}
handler pick_cvta(const instruction& in) { return in.has(modifier("to")) ? from_generic : to_generic; }

void is_space(warp& w, const instruction& in, lane_mask lanes) {
  constexpr std::uint64_t windows = shared_window | local_window | param_window;
  const std::uint64_t window = window_of(in.where);
  lane_mask yes = 0;
  for_lanes(lanes, [&](unsigned i) { yes |= lane_mask{(w.value(in.operands[1], i) & windows) == window} << i; });
  w.set_predicate(in.operands[0].slot, lanes, yes);
}
handler pick_is_space(const instruction&) { return is_space; }

constexpr form table[] = {
    {"cvt ?sat :u8|u16|u32|u64|s8|s16|s32|s64 :u8|u16|u32|u64|s8|s16|s32|s64", "dx0 sx1", pick_cvt},
    {"cvt rni|rzi|rmi|rpi ?ftz :u8|u16|u32|u64|s8|s16|s32|s64 :f16|bf16|f32|f64", "dx0 sx1", pick_cvt},
    {"cvt rn|rz|rm|rp ?sat :f16|bf16|f32|f64 :u8|u16|u32|u64|s8|s16|s32|s64", "dx0 sx1", pick_cvt},
    {"cvt rn|rz|rm|rp ?ftz ?relu ?sat :f16|bf16 :f32|f64", "dx0 sx1", pick_cvt},
    {"cvt rn|rz|rm|rp ?ftz ?sat :f32 :f64", "dx0 sx1", pick_cvt},
    {"cvt ?ftz ?sat :f32 :f16|bf16", "dx0 sx1", pick_cvt},
    {"cvt ?ftz ?sat :f64 :f16|bf16|f32", "dx0 sx1", pick_cvt},
    {"cvt rni|rzi|rmi|rpi ?ftz ?sat :f32 :f32", "dx0 sx1", pick_cvt},
    {"cvt rni|rzi|rmi|rpi :f64 :f64", "dx0 sx1", pick_cvt},
    {"cvt rni|rzi|rmi|rpi :f16 :f16", "dx0 sx1", pick_cvt},
    {"cvt ?ftz ?sat :f32 :f32", "dx0 sx1", pick_cvt},
    {"cvt rn|rz ?relu :f16x2|bf16x2 :f32", "dw sw sw", pick_pack},
    {"cvt rna :tf32 :f32", "dw sw", pick_tf32},
    {"cvta ?to const|global|local|shared|param :u64", "dl sl", pick_cvta},
    {"isspacep const|global|local|shared|param", "dp sl", pick_is_space},
};

} // namespace

std::span<const form> conversion_forms() { return table; }

} // namespace ptx
