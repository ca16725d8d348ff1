// How the operands of a lane become values, for the handlers of instructions.
#pragma once
#include "cuda/ptx/warp.hpp"
#include <tuple>
#include <type_traits>
#include <utility>

namespace ptx {

struct half {
  std::uint16_t bits;
};
struct brain {
  std::uint16_t bits;
};

template <class T> using slot_of = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;

template <class T> const slot_of<T>* source(const warp& w, const operand& o) {
  if constexpr (sizeof(T) == 8) return w.read64(o);
  else return w.read32(o);
}
template <class T> slot_of<T>* target(warp& w, const operand& o) {
  if constexpr (sizeof(T) == 8) return w.write64(o);
  else return w.write32(o);
}
template <class T> T unpack(slot_of<T> raw) { return bits<T>(raw); }
template <class T> slot_of<T> pack(T value) { return bits<slot_of<T>>(value); }

/// operands[0] = op(operands[1], ...), of types A, for every lane.
template <class Op, class R, class... A> void apply(warp& w, const instruction& in, lane_mask lanes) {
  if (in.operands[0].kind == operand::sink) return;
  auto* const to = target<R>(w, in.operands[0]);
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    const auto from = std::tuple{source<A>(w, in.operands[I + 1])...};
    for_lanes(lanes, [&](unsigned i) { to[i] = pack<R>(static_cast<R>(Op{}(unpack<A>(std::get<I>(from)[i])...))); });
  }
  (std::index_sequence_for<A...>{});
}

/// Calls f.template operator()<T>() with the C++ type of a PTX type; T{} of what f returns where there is none.
template <class F> auto with_type(type t, F&& f) {
  switch (t) {
  case type::b8:
  case type::u8:
    return f.template operator()<std::uint8_t>();
  case type::s8:
    return f.template operator()<std::int8_t>();
  case type::b16:
  case type::u16:
    return f.template operator()<std::uint16_t>();
  case type::s16:
    return f.template operator()<std::int16_t>();
  case type::b32:
  case type::u32:
    return f.template operator()<std::uint32_t>();
  case type::s32:
    return f.template operator()<std::int32_t>();
  case type::b64:
  case type::u64:
    return f.template operator()<std::uint64_t>();
  case type::s64:
    return f.template operator()<std::int64_t>();
  case type::f32:
    return f.template operator()<float>();
  case type::f64:
    return f.template operator()<double>();
  case type::f16:
    return f.template operator()<half>();
  case type::bf16:
    return f.template operator()<brain>();
  default:
    return decltype(f.template operator()<std::uint32_t>()){};
  }
}
template <class T> inline constexpr bool is_integer = std::is_integral_v<T>;
template <class T> inline constexpr bool is_binary_float = std::is_floating_point_v<T>;

} // namespace ptx
