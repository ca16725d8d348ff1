// Integer and floating-point instructions, comparison, selection, moves.
#include "cuda/ptx/operands.hpp"
#include <algorithm>
#include <cfenv>
#include <cmath>
#include <limits>
#include <tuple>

namespace ptx {

namespace {

/// Host arithmetic in another rounding than to nearest.
struct rounding_scope {
  int before = 0;
  bool changed;
  explicit rounding_scope(rounding how) : changed(how != rounding::nearest && how != rounding::away) {
    if (!changed) return;
    before = std::fegetround();
    std::fesetround(how == rounding::zero ? FE_TOWARDZERO : how == rounding::down ? FE_DOWNWARD : FE_UPWARD);
  }
  ~rounding_scope() {
    if (changed) std::fesetround(before);
  }
};

// ---- integers

template <class T> using wrapping = std::make_unsigned_t<T>;
template <class T>
using twice = std::conditional_t<
    sizeof(T) == 2, std::conditional_t<std::is_signed_v<T>, std::int32_t, std::uint32_t>,
    std::conditional_t<sizeof(T) == 4, std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>,
                       std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>>>;

struct add {
  template <class T> T operator()(T a, T b) const {
    return static_cast<T>(static_cast<wrapping<T>>(a) + static_cast<wrapping<T>>(b));
  }
};
struct sub {
  template <class T> T operator()(T a, T b) const {
    return static_cast<T>(static_cast<wrapping<T>>(a) - static_cast<wrapping<T>>(b));
  }
};
struct add_sat {
  template <class T> T operator()(T a, T b) const {
    return static_cast<T>(
        std::clamp<std::int64_t>(std::int64_t{a} + b, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  }
};
struct sub_sat {
  template <class T> T operator()(T a, T b) const {
    return static_cast<T>(
        std::clamp<std::int64_t>(std::int64_t{a} - b, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  }
};
struct mul_lo {
  template <class T> T operator()(T a, T b) const { return static_cast<T>(static_cast<twice<T>>(a) * b); }
};
struct mul_hi {
  template <class T> T operator()(T a, T b) const {
    return static_cast<T>((static_cast<twice<T>>(a) * b) >> (8 * sizeof(T)));
  }
};
struct mul_wide {
  template <class T> twice<T> operator()(T a, T b) const { return static_cast<twice<T>>(a) * b; }
};
struct mad_lo {
  template <class T> T operator()(T a, T b, T c) const { return add{}(mul_lo{}(a, b), c); }
};
struct mad_hi {
  template <class T> T operator()(T a, T b, T c) const { return add{}(mul_hi{}(a, b), c); }
};
struct mad_wide {
  template <class T> twice<T> operator()(T a, T b, twice<T> c) const { return add{}(mul_wide{}(a, b), c); }
};
/// Division by zero is unspecified on the device: here it is an error.
struct divide {
  template <class T> T operator()(T a, T b) const {
    if (b == 0) throw fault("integer division by zero");
    if constexpr (std::is_signed_v<T>)
      if (b == -1) return sub{}(T{0}, a);
    return static_cast<T>(a / b);
  }
};
struct remainder {
  template <class T> T operator()(T a, T b) const {
    if (b == 0) throw fault("integer remainder by zero");
    if constexpr (std::is_signed_v<T>)
      if (b == -1) return 0;
    return static_cast<T>(a % b);
  }
};
struct absolute {
  template <class T> T operator()(T a) const { return a < 0 ? sub{}(T{0}, a) : a; }
};
struct negate {
  template <class T> T operator()(T a) const { return sub{}(T{0}, a); }
};
struct least {
  template <class T> T operator()(T a, T b) const { return b < a ? b : a; }
};
struct most {
  template <class T> T operator()(T a, T b) const { return a < b ? b : a; }
};
struct bit_and {
  template <class T> T operator()(T a, T b) const { return a & b; }
};
struct bit_or {
  template <class T> T operator()(T a, T b) const { return a | b; }
};
struct bit_xor {
  template <class T> T operator()(T a, T b) const { return a ^ b; }
};
struct bit_not {
  template <class T> T operator()(T a) const { return static_cast<T>(~a); }
};
struct logical_not {
  template <class T> T operator()(T a) const { return a == 0; }
};
struct shift_left {
  template <class T> T operator()(T a, std::uint32_t n) const {
    return n >= 8 * sizeof(T) ? T{0} : static_cast<T>(static_cast<wrapping<T>>(a) << n);
  }
};
struct shift_right {
  template <class T> T operator()(T a, std::uint32_t n) const {
    if (n >= 8 * sizeof(T)) return static_cast<T>(std::is_signed_v<T> && a < 0 ? -1 : 0);
    return static_cast<T>(a >> n);
  }
};
template <bool Left, bool Clamp> struct funnel {
  std::uint32_t operator()(std::uint32_t a, std::uint32_t b, std::uint32_t n) const {
    n = Clamp ? std::min(n, 32u) : n & 31;
    const std::uint64_t both = std::uint64_t{b} << 32 | a;
    return static_cast<std::uint32_t>(Left ? both << n >> 32 : both >> n);
  }
};
struct extract {
  template <class T> T operator()(T a, std::uint32_t position, std::uint32_t length) const {
    constexpr std::uint32_t width = 8 * sizeof(T);
    position &= 255, length &= 255;
    if (length == 0) return 0;
    const auto sign_at = std::min(position + length - 1, width - 1);
    const bool fill = std::is_signed_v<T> && (static_cast<wrapping<T>>(a) >> sign_at & 1);
    wrapping<T> out = 0;
    for (std::uint32_t i = 0; i < width; ++i) {
      const bool bit = i < length && position + i < width ? static_cast<wrapping<T>>(a) >> (position + i) & 1 : fill;
      out |= static_cast<wrapping<T>>(wrapping<T>{bit} << i);
    }
    return static_cast<T>(out);
  }
};
struct insert {
  template <class T> T operator()(T from, T into, std::uint32_t position, std::uint32_t length) const {
    position &= 255, length &= 255;
    for (std::uint32_t i = 0; i < length && position + i < 8 * sizeof(T); ++i)
      into = static_cast<T>((into & ~(T{1} << (position + i))) | (from >> i & 1) << (position + i));
    return into;
  }
};
template <bool Amount> struct find_bit {
  template <class T> std::uint32_t operator()(T a) const {
    auto u = static_cast<wrapping<T>>(a);
    if (std::is_signed_v<T> && a < 0) u = static_cast<wrapping<T>>(~u);
    if (u == 0) return ~0u;
    const auto top = static_cast<std::uint32_t>(std::bit_width(u)) - 1;
    return Amount ? static_cast<std::uint32_t>(8 * sizeof(T)) - 1 - top : top;
  }
};
struct reverse {
  template <class T> T operator()(T a) const {
    T out = 0;
    for (std::uint32_t i = 0; i < 8 * sizeof(T); ++i) out |= static_cast<T>((a >> i & 1) << (8 * sizeof(T) - 1 - i));
    return out;
  }
};
struct leading_zeros {
  template <class T> std::uint32_t operator()(T a) const { return static_cast<std::uint32_t>(std::countl_zero(a)); }
};
struct population {
  template <class T> std::uint32_t operator()(T a) const { return static_cast<std::uint32_t>(std::popcount(a)); }
};
struct permute {
  std::uint32_t operator()(std::uint32_t a, std::uint32_t b, std::uint32_t selection) const {
    const std::uint64_t bytes = std::uint64_t{b} << 32 | a;
    std::uint32_t out = 0;
    for (unsigned i = 0; i < 4; ++i) {
      const std::uint32_t pick = selection >> 4 * i & 15;
      std::uint32_t byte = bytes >> 8 * (pick & 7) & 255;
      if (pick & 8) byte = byte & 128 ? 255 : 0;
      out |= byte << 8 * i;
    }
    return out;
  }
};
struct lookup3 {
  std::uint32_t operator()(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t table) const {
    std::uint32_t out = 0;
    for (unsigned i = 0; i < 8; ++i)
      if (table >> i & 1) out |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
    return out;
  }
};

/// b ones from bit a on. Clamped, both are at most 32; else they count modulo 32.
template <bool Clamp> struct mask_of {
  std::uint32_t operator()(std::uint32_t a, std::uint32_t b) const {
    a = Clamp ? std::min(a, 32u) : a & 31, b = Clamp ? std::min(b, 32u) : b & 31;
    return static_cast<std::uint32_t>(((1ull << b) - 1) << a);
  }
};

template <class Op> handler unary(const instruction& in) {
  return with_type(in.types[0], []<class T>() -> handler {
    if constexpr (is_integer<T>) return apply<Op, T, T>;
    else return nullptr;
  });
}
template <class Op> handler binary(const instruction& in) {
  return with_type(in.types[0], []<class T>() -> handler {
    if constexpr (is_integer<T>) return apply<Op, T, T, T>;
    else return nullptr;
  });
}
template <class Op> handler ternary(const instruction& in) {
  return with_type(in.types[0], []<class T>() -> handler {
    if constexpr (is_integer<T>) return apply<Op, T, T, T, T>;
    else return nullptr;
  });
}
template <class Op> handler unsigned_to_32(const instruction& in) {
  return with_type(in.types[0], []<class T>() -> handler {
    if constexpr (std::is_unsigned_v<T>) return apply<Op, std::uint32_t, T>;
    else return nullptr;
  });
}
handler pick_add(const instruction& in) {
  return in.has(modifier("sat")) ? apply<add_sat, std::int32_t, std::int32_t, std::int32_t> : binary<add>(in);
}
handler pick_sub(const instruction& in) {
  return in.has(modifier("sat")) ? apply<sub_sat, std::int32_t, std::int32_t, std::int32_t> : binary<sub>(in);
}
handler pick_mul(const instruction& in) { return in.has(modifier("lo")) ? binary<mul_lo>(in) : binary<mul_hi>(in); }
handler pick_mul_wide(const instruction& in) {
  return with_type(in.types[0], []<class T>() -> handler {
    if constexpr (is_integer<T> && (sizeof(T) == 2 || sizeof(T) == 4)) return apply<mul_wide, twice<T>, T, T>;
    else return nullptr;
  });
}
handler pick_mad(const instruction& in) { return in.has(modifier("lo")) ? ternary<mad_lo>(in) : ternary<mad_hi>(in); }
handler pick_mad_wide(const instruction& in) {
  return with_type(in.types[0], []<class T>() -> handler {
    if constexpr (is_integer<T> && (sizeof(T) == 2 || sizeof(T) == 4)) return apply<mad_wide, twice<T>, T, T, twice<T>>;
    else return nullptr;
  });
}
template <class Op> handler shift(const instruction& in) {
  return with_type(in.types[0], []<class T>() -> handler {
    if constexpr (is_integer<T>) return apply<Op, T, T, std::uint32_t>;
    else return nullptr;
  });
}
handler pick_funnel(const instruction& in) {
  using U = std::uint32_t;
  if (in.has(modifier("l")))
    return in.has(modifier("clamp")) ? apply<funnel<true, true>, U, U, U, U> : apply<funnel<true, false>, U, U, U, U>;
  return in.has(modifier("clamp")) ? apply<funnel<false, true>, U, U, U, U> : apply<funnel<false, false>, U, U, U, U>;
}
handler pick_extract(const instruction& in) {
  return with_type(in.types[0], []<class T>() -> handler {
    if constexpr (is_integer<T>) return apply<extract, T, T, std::uint32_t, std::uint32_t>;
    else return nullptr;
  });
}
handler pick_insert(const instruction& in) {
  return with_type(in.types[0], []<class T>() -> handler {
    if constexpr (std::is_unsigned_v<T>) return apply<insert, T, T, T, std::uint32_t, std::uint32_t>;
    else return nullptr;
  });
}
handler pick_find(const instruction& in) {
  const bool amount = in.has(modifier("shiftamt"));
  return with_type(in.types[0], [&]<class T>() -> handler {
    if constexpr (is_integer<T>)
      return amount ? apply<find_bit<true>, std::uint32_t, T> : apply<find_bit<false>, std::uint32_t, T>;
    else return nullptr;
  });
}
handler pick_mask(const instruction& in) {
  using U = std::uint32_t;
  return in.has(modifier("clamp")) ? apply<mask_of<true>, U, U, U> : apply<mask_of<false>, U, U, U>;
}
handler pick_permute(const instruction&) {
  return apply<permute, std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t>;
}
handler pick_lookup3(const instruction&) {
  return apply<lookup3, std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t>;
}

/// On predicates.
template <int How> void combine(warp& w, const instruction& in, lane_mask lanes) {
  const lane_mask a = w.test(in.operands[1]), b = How == 3 ? 0 : w.test(in.operands[2]);
  w.set_predicate(in.operands[0].slot, lanes, How == 0 ? a & b : How == 1 ? a | b : How == 2 ? a ^ b : ~a);
}
template <int How> handler pick_combine(const instruction&) { return combine<How>; }

// ---- floating point

struct f_add {
  template <class T> T operator()(T a, T b) const { return a + b; }
};
struct f_sub {
  template <class T> T operator()(T a, T b) const { return a - b; }
};
struct f_mul {
  template <class T> T operator()(T a, T b) const { return a * b; }
};
struct f_div {
  template <class T> T operator()(T a, T b) const { return a / b; }
};
struct f_fma {
  template <class T> T operator()(T a, T b, T c) const { return std::fma(a, b, c); }
};
struct f_abs {
  template <class T> T operator()(T a) const { return std::fabs(a); }
};
struct f_neg {
  template <class T> T operator()(T a) const { return -a; }
};
struct f_rcp {
  template <class T> T operator()(T a) const { return T{1} / a; }
};
struct f_sqrt {
  template <class T> T operator()(T a) const { return std::sqrt(a); }
};
struct f_rsqrt {
  template <class T> T operator()(T a) const { return static_cast<T>(1.0L / std::sqrt(static_cast<long double>(a))); }
};
struct f_ex2 {
  template <class T> T operator()(T a) const { return static_cast<T>(std::exp2(static_cast<double>(a))); }
};
struct f_lg2 {
  template <class T> T operator()(T a) const { return static_cast<T>(std::log2(static_cast<double>(a))); }
};
struct f_sin {
  template <class T> T operator()(T a) const { return static_cast<T>(std::sin(static_cast<double>(a))); }
};
struct f_cos {
  template <class T> T operator()(T a) const { return static_cast<T>(std::cos(static_cast<double>(a))); }
};
struct f_tanh {
  template <class T> T operator()(T a) const { return static_cast<T>(std::tanh(static_cast<double>(a))); }
};
/// copysign d, a, b: the sign of a, the magnitude of b.
struct f_copysign {
  template <class T> T operator()(T a, T b) const { return std::copysign(b, a); }
};
/// A NaN loses; -0 is below +0. With .NaN a NaN wins.
template <bool Most, bool Nan> struct f_extreme {
  template <class T> T operator()(T a, T b) const {
    if (std::isnan(a) || std::isnan(b)) {
      if (Nan) return std::numeric_limits<T>::quiet_NaN();
      return std::isnan(a) ? b : a;
    }
    if (a == b) return std::signbit(a) == Most ? b : a;
    return (a < b) == Most ? b : a;
  }
};

template <class Op, class T, std::size_t... I> void special_float(warp& w, const instruction& in, lane_mask lanes) {
  const bool ftz = in.has(modifier("ftz")), sat = in.has(modifier("sat"));
  const rounding_scope scope(in.rounds);
  auto* const to = target<T>(w, in.operands[0]);
  const auto flush = [&](T x) {
    if constexpr (sizeof(T) == 4) return ftz ? flush_subnormal(x) : x;
    else return x;
  };
  const auto from = std::tuple{source<T>(w, in.operands[I + 1])...};
  for_lanes(lanes, [&](unsigned i) {
    volatile T result = Op{}(flush(unpack<T>(std::get<I>(from)[i]))...);
    T r = flush(result);
    if (sat) r = r > T{0} ? std::min(r, T{1}) : T{0}; // a NaN and -0 become +0
    to[i] = pack<T>(r);
  });
}
template <class Op, std::size_t N> handler floating(const instruction& in) {
  const bool special = in.has(modifier("ftz")) || in.has(modifier("sat")) || in.rounds != rounding::nearest;
  const auto of = [&]<class T>(T) -> handler {
    if constexpr (N == 1) return special ? special_float<Op, T, 0> : apply<Op, T, T>;
    else if constexpr (N == 2) return special ? special_float<Op, T, 0, 1> : apply<Op, T, T, T>;
    else return special ? special_float<Op, T, 0, 1, 2> : apply<Op, T, T, T, T>;
  };
  return in.types[0] == type::f64 ? of(double{}) : of(float{});
}
template <bool Most> handler pick_extreme(const instruction& in) {
  return in.has(modifier("NaN")) ? floating<f_extreme<Most, true>, 2>(in) : floating<f_extreme<Most, false>, 2>(in);
}
/// Seeds for Newton's iteration: only the upper 32 bits of the result are computed.
struct seed_rcp {
  double operator()(double a) const { return bits<double>(bits<std::uint64_t>(1 / a) & 0xffffffff00000000ull); }
};
struct seed_rsqrt {
  double operator()(double a) const {
    return bits<double>(bits<std::uint64_t>(1 / std::sqrt(a)) & 0xffffffff00000000ull);
  }
};
template <class Op> handler pick_seed(const instruction&) { return apply<Op, double, double>; }

// ---- comparison and selection

enum comparison { eq, ne, lt, le, gt, ge, equ, neu, ltu, leu, gtu, geu, num, nan };
template <comparison C, class T> bool compare(T a, T b) {
  bool unordered = false;
  if constexpr (is_binary_float<T>) unordered = std::isnan(a) || std::isnan(b);
  switch (C) {
  case eq:
    return a == b;
  case ne:
    return a != b && !unordered;
  case lt:
    return a < b;
  case le:
    return a <= b;
  case gt:
    return a > b;
  case ge:
    return a >= b;
  case equ:
    return a == b || unordered;
  case neu:
    return a != b;
  case ltu:
    return a < b || unordered;
  case leu:
    return a <= b || unordered;
  case gtu:
    return a > b || unordered;
  case geu:
    return a >= b || unordered;
  case num:
    return !unordered;
  case nan:
    return unordered;
  }
  return false;
}
template <comparison C, class T> void set_predicate(warp& w, const instruction& in, lane_mask lanes) {
  const auto *a = source<T>(w, in.operands[1]), *b = source<T>(w, in.operands[2]);
  const bool ftz = in.has(modifier("ftz"));
  lane_mask yes = 0;
  for_lanes(lanes, [&](unsigned i) {
    T x = unpack<T>(a[i]), y = unpack<T>(b[i]);
    if constexpr (std::is_same_v<T, float>)
      if (ftz) x = flush_subnormal(x), y = flush_subnormal(y);
    yes |= lane_mask{compare<C>(x, y)} << i;
  });
  lane_mask no = ~yes;
  if (in.operands.size() > 3) {
    const lane_mask with = w.test(in.operands[3]);
    const auto merge = [&](lane_mask m) {
      return in.has(modifier("and")) ? m & with : in.has(modifier("or")) ? m | with : m ^ with;
    };
    yes = merge(yes), no = merge(no);
  }
  if (in.operands[0].kind == operand::predicate) w.set_predicate(in.operands[0].slot, lanes, yes);
  if (in.operands[0].second >= 0) w.set_predicate(static_cast<std::uint32_t>(in.operands[0].second), lanes, no);
}
handler pick_setp(const instruction& in) {
  const bool merges = in.has(modifier("and")) || in.has(modifier("or")) || in.has(modifier("xor"));
  if (merges != (in.operands.size() == 4)) return nullptr;
  return with_type(in.types[0], [&]<class T>() -> handler {
    if constexpr (is_integer<T> || is_binary_float<T>) {
      const auto has = [&](std::size_t m) { return in.has(m); };
      if (has(modifier("eq"))) return set_predicate<eq, T>;
      if (has(modifier("ne"))) return set_predicate<ne, T>;
      if (has(modifier("lt")) || (is_integer<T> && has(modifier("lo")))) return set_predicate<lt, T>;
      if (has(modifier("le")) || has(modifier("ls"))) return set_predicate<le, T>;
      if (has(modifier("gt")) || has(modifier("hi"))) return set_predicate<gt, T>;
      if (has(modifier("ge")) || has(modifier("hs"))) return set_predicate<ge, T>;
      if constexpr (is_binary_float<T>) {
        if (has(modifier("equ"))) return set_predicate<equ, T>;
        if (has(modifier("neu"))) return set_predicate<neu, T>;
        if (has(modifier("ltu"))) return set_predicate<ltu, T>;
        if (has(modifier("leu"))) return set_predicate<leu, T>;
        if (has(modifier("gtu"))) return set_predicate<gtu, T>;
        if (has(modifier("geu"))) return set_predicate<geu, T>;
        if (has(modifier("num"))) return set_predicate<num, T>;
        if (has(modifier("nan"))) return set_predicate<nan, T>;
      }
    }
    return nullptr;
  });
}
template <class T> void select(warp& w, const instruction& in, lane_mask lanes) {
  const auto *a = source<T>(w, in.operands[1]), *b = source<T>(w, in.operands[2]);
  auto* const to = target<T>(w, in.operands[0]);
  const lane_mask yes = w.test(in.operands[3]);
  for_lanes(lanes, [&](unsigned i) { to[i] = pack<T>(unpack<T>(yes >> i & 1 ? a[i] : b[i])); });
}
handler pick_select(const instruction& in) {
  return bytes_of(in.types[0]) == 8   ? select<std::uint64_t>
         : bytes_of(in.types[0]) == 2 ? select<std::uint16_t>
                                      : select<std::uint32_t>;
}
/// slct d, a, b, c: a where c >= 0, else b; a NaN is not.
template <class T, class C> void select_sign(warp& w, const instruction& in, lane_mask lanes) {
  const auto *a = source<T>(w, in.operands[1]), *b = source<T>(w, in.operands[2]);
  const auto* c = source<C>(w, in.operands[3]);
  auto* const to = target<T>(w, in.operands[0]);
  for_lanes(lanes, [&](unsigned i) { to[i] = unpack<C>(c[i]) >= C{0} ? a[i] : b[i]; });
}
handler pick_select_sign(const instruction& in) {
  const bool wide = bytes_of(in.types[0]) == 8;
  if (in.types[1] == type::f32) return wide ? select_sign<std::uint64_t, float> : select_sign<std::uint32_t, float>;
  return wide ? select_sign<std::uint64_t, std::int32_t> : select_sign<std::uint32_t, std::int32_t>;
}
template <class T> void test_property(warp& w, const instruction& in, lane_mask lanes) {
  const auto* a = source<T>(w, in.operands[1]);
  lane_mask yes = 0;
  for_lanes(lanes, [&](unsigned i) {
    const T x = unpack<T>(a[i]);
    const bool is = in.has(modifier("finite"))       ? std::isfinite(x)
                    : in.has(modifier("infinite"))   ? std::isinf(x)
                    : in.has(modifier("number"))     ? !std::isnan(x)
                    : in.has(modifier("notanumber")) ? std::isnan(x)
                    : in.has(modifier("normal"))     ? std::fpclassify(x) == FP_NORMAL
                                                     : std::fpclassify(x) == FP_SUBNORMAL;
    yes |= lane_mask{is} << i;
  });
  w.set_predicate(in.operands[0].slot, lanes, yes);
}
handler pick_test(const instruction& in) {
  return in.types[0] == type::f64 ? test_property<double> : test_property<float>;
}

// ---- moves

template <class T> void move(warp& w, const instruction& in, lane_mask lanes) {
  const auto* from = source<T>(w, in.operands[1]);
  auto* const to = target<T>(w, in.operands[0]);
  for_lanes(lanes, [&](unsigned i) { to[i] = pack<T>(unpack<T>(from[i])); });
}
void move_predicate(warp& w, const instruction& in, lane_mask lanes) {
  w.set_predicate(in.operands[0].slot, lanes, w.test(in.operands[1]));
}
void move_apart(warp& w, const instruction& in, lane_mask lanes) {
  const operand& to = in.operands[0];
  const unsigned width = bytes_of(in.types[0]) * 8 / to.count;
  for_lanes(lanes, [&](unsigned i) {
    const std::uint64_t whole = w.value(in.operands[1], i);
    for (std::uint32_t e = 0; e < to.count; ++e)
      w.set(in.elements[to.slot + e], i, whole >> e * width & ((1ull << width) - 1));
  });
}
void move_together(warp& w, const instruction& in, lane_mask lanes) {
  const operand& from = in.operands[1];
  const unsigned width = bytes_of(in.types[0]) * 8 / from.count;
  for_lanes(lanes, [&](unsigned i) {
    std::uint64_t whole = 0;
    for (std::uint32_t e = 0; e < from.count; ++e)
      whole |= (w.value(in.elements[from.slot + e], i) & ((1ull << width) - 1)) << e * width;
    w.set(in.operands[0], i, whole);
  });
}
bool fits_register(const operand& o, unsigned bytes) {
  return o.kind == operand::constant || o.kind == (bytes == 8 ? operand::reg64 : operand::reg32);
}
handler pick_move(const instruction& in) {
  const unsigned bytes = bytes_of(in.types[0]);
  if (in.operands.size() != 2) return nullptr;
  const operand &to = in.operands[0], &from = in.operands[1];
  const auto halves = [&](const operand& o) { return o.count >= 2 && bytes * 8 / o.count >= 8; };
  if (in.types[0] == type::pred)
    return to.kind == operand::predicate && (from.kind == operand::predicate || from.kind == operand::constant)
               ? move_predicate
               : nullptr;
  if (to.kind == operand::vector) return halves(to) && fits_register(from, bytes) ? move_apart : nullptr;
  if (to.kind != (bytes == 8 ? operand::reg64 : operand::reg32)) return nullptr;
  if (from.kind == operand::vector) return halves(from) ? move_together : nullptr;
  if (!fits_register(from, bytes) && !(from.kind == operand::reg32 && bytes == 4)) return nullptr;
  return bytes == 8 ? move<std::uint64_t> : bytes == 2 ? move<std::uint16_t> : move<std::uint32_t>;
}

constexpr form table[] = {
    {"add :u16|u32|u64|s16|s32|s64", "d0 s0 s0", pick_add},
    {"add sat :s32", "d0 s0 s0", pick_add},
    {"sub :u16|u32|u64|s16|s32|s64", "d0 s0 s0", pick_sub},
    {"sub sat :s32", "d0 s0 s0", pick_sub},
    {"mul lo|hi :u16|u32|u64|s16|s32|s64", "d0 s0 s0", pick_mul},
    {"mul wide :u16|u32|s16|s32", "dW s0 s0", pick_mul_wide},
    {"mad lo|hi :u16|u32|u64|s16|s32|s64", "d0 s0 s0 s0", pick_mad},
    {"mad wide :u16|u32|s16|s32", "dW s0 s0 sW", pick_mad_wide},
    {"div :u16|u32|u64|s16|s32|s64", "d0 s0 s0", binary<divide>},
    {"rem :u16|u32|u64|s16|s32|s64", "d0 s0 s0", binary<remainder>},
    {"abs :s16|s32|s64", "d0 s0", unary<absolute>},
    {"neg :s16|s32|s64", "d0 s0", unary<negate>},
    {"min :u16|u32|u64|s16|s32|s64", "d0 s0 s0", binary<least>},
    {"max :u16|u32|u64|s16|s32|s64", "d0 s0 s0", binary<most>},
    {"and :b16|b32|b64", "d0 s0 s0", binary<bit_and>},
    {"or :b16|b32|b64", "d0 s0 s0", binary<bit_or>},
    {"xor :b16|b32|b64", "d0 s0 s0", binary<bit_xor>},
    {"not :b16|b32|b64", "d0 s0", unary<bit_not>},
    {"cnot :b16|b32|b64", "d0 s0", unary<logical_not>},
    {"and :pred", "dp sp sp", pick_combine<0>},
    {"or :pred", "dp sp sp", pick_combine<1>},
    {"xor :pred", "dp sp sp", pick_combine<2>},
    {"not :pred", "dp sp", pick_combine<3>},
    {"shl :b16|b32|b64", "d0 s0 sw", shift<shift_left>},
    {"shr :b16|b32|b64|u16|u32|u64|s16|s32|s64", "d0 s0 sw", shift<shift_right>},
    {"shf l|r clamp|wrap :b32", "d0 s0 s0 s0", pick_funnel},
    {"bfe :u32|u64|s32|s64", "d0 s0 sw sw", pick_extract},
    {"bfi :b32|b64", "d0 s0 s0 sw sw", pick_insert},
    {"bfind ?shiftamt :u32|u64|s32|s64", "dw s0", pick_find},
    {"brev :b32|b64", "d0 s0", unary<reverse>},
    {"clz :b32|b64", "dw s0", unsigned_to_32<leading_zeros>},
    {"popc :b32|b64", "dw s0", unsigned_to_32<population>},
    {"bmsk clamp|wrap :b32", "d0 s0 s0", pick_mask},
    {"prmt :b32", "d0 s0 s0 s0", pick_permute},
    {"lop3 :b32", "d0 s0 s0 s0 sw", pick_lookup3},

    {"add ?rn|rz|rm|rp ?ftz ?sat :f32", "d0 s0 s0", floating<f_add, 2>},
    {"add ?rn|rz|rm|rp :f64", "d0 s0 s0", floating<f_add, 2>},
    {"sub ?rn|rz|rm|rp ?ftz ?sat :f32", "d0 s0 s0", floating<f_sub, 2>},
    {"sub ?rn|rz|rm|rp :f64", "d0 s0 s0", floating<f_sub, 2>},
    {"mul ?rn|rz|rm|rp ?ftz ?sat :f32", "d0 s0 s0", floating<f_mul, 2>},
    {"mul ?rn|rz|rm|rp :f64", "d0 s0 s0", floating<f_mul, 2>},
    {"fma rn|rz|rm|rp ?ftz ?sat :f32", "d0 s0 s0 s0", floating<f_fma, 3>},
    {"fma rn|rz|rm|rp :f64", "d0 s0 s0 s0", floating<f_fma, 3>},
    {"mad rn|rz|rm|rp ?ftz ?sat :f32", "d0 s0 s0 s0", floating<f_fma, 3>},
    {"mad rn|rz|rm|rp :f64", "d0 s0 s0 s0", floating<f_fma, 3>},
    {"div approx|full|rn|rz|rm|rp ?ftz :f32", "d0 s0 s0", floating<f_div, 2>},
    {"div rn|rz|rm|rp :f64", "d0 s0 s0", floating<f_div, 2>},
    {"rcp approx|rn|rz|rm|rp ?ftz :f32", "d0 s0", floating<f_rcp, 1>},
    {"rcp rn|rz|rm|rp :f64", "d0 s0", floating<f_rcp, 1>},
    {"rcp approx ftz :f64", "d0 s0", pick_seed<seed_rcp>},
    {"sqrt approx|rn|rz|rm|rp ?ftz :f32", "d0 s0", floating<f_sqrt, 1>},
    {"sqrt rn|rz|rm|rp :f64", "d0 s0", floating<f_sqrt, 1>},
    {"rsqrt approx ?ftz :f32", "d0 s0", floating<f_rsqrt, 1>},
    {"rsqrt approx :f64", "d0 s0", floating<f_rsqrt, 1>},
    {"rsqrt approx ftz :f64", "d0 s0", pick_seed<seed_rsqrt>},
    {"ex2 approx ?ftz :f32", "d0 s0", floating<f_ex2, 1>},
    {"lg2 approx ?ftz :f32", "d0 s0", floating<f_lg2, 1>},
    {"sin approx ?ftz :f32", "d0 s0", floating<f_sin, 1>},
    {"cos approx ?ftz :f32", "d0 s0", floating<f_cos, 1>},
    {"tanh approx :f32", "d0 s0", floating<f_tanh, 1>},
    {"abs ?ftz :f32", "d0 s0", floating<f_abs, 1>},
    {"abs :f64", "d0 s0", floating<f_abs, 1>},
    {"neg ?ftz :f32", "d0 s0", floating<f_neg, 1>},
    {"neg :f64", "d0 s0", floating<f_neg, 1>},
    {"min ?ftz ?NaN :f32", "d0 s0 s0", pick_extreme<false>},
    {"min :f64", "d0 s0 s0", pick_extreme<false>},
    {"max ?ftz ?NaN :f32", "d0 s0 s0", pick_extreme<true>},
    {"max :f64", "d0 s0 s0", pick_extreme<true>},
    {"copysign :f32|f64", "d0 s0 s0", floating<f_copysign, 2>},
    {"testp finite|infinite|number|notanumber|normal|subnormal :f32|f64", "dp s0", pick_test},

    {"setp eq|ne|lt|le|gt|ge ?and|or|xor :s16|s32|s64", "dp| s0 s0 sp?", pick_setp},
    {"setp eq|ne|lt|le|gt|ge|lo|ls|hi|hs ?and|or|xor :u16|u32|u64", "dp| s0 s0 sp?", pick_setp},
    {"setp eq|ne ?and|or|xor :b16|b32|b64", "dp| s0 s0 sp?", pick_setp},
    {"setp eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan ?and|or|xor ?ftz :f32", "dp| s0 s0 sp?", pick_setp},
    {"setp eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan ?and|or|xor :f64", "dp| s0 s0 sp?", pick_setp},
    {"selp :b16|b32|b64|u16|u32|u64|s16|s32|s64|f32|f64", "d0 s0 s0 sp", pick_select},
    {"slct :b32|b64|u32|u64|s32|s64|f32|f64 :s32", "d0 s0 s0 s1", pick_select_sign},
    {"slct ?ftz :b32|b64|u32|u64|s32|s64|f32|f64 :f32", "d0 s0 s0 s1", pick_select_sign},
    {"mov :pred|b16|b32|b64|u16|u32|u64|s16|s32|s64|f16|bf16|f32|f64", "*", pick_move},
};

} // namespace

std::span<const form> arithmetic_forms() { return table; }

} // namespace ptx
