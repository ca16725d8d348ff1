// Every form of every PTX opcode that the interpreter knows, against what the PTX manual says of it, written again
// here. The last test looks at which forms the others have used, and fails for one that none has.
#include "cuda/ptx/warp.hpp"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <gtest/gtest.h>
#include <limits>
#include <set>

using ptx::bits;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using s16 = std::int16_t;
using s32 = std::int32_t;
using s64 = std::int64_t;

namespace {

std::set<const ptx::form*>& used() {
  static std::set<const ptx::form*> forms;
  return forms;
}

constexpr const char* head = ".version 8.0\n.target sm_80\n.address_size 64\n";

/// Runs an entry `k(.param .u64 in, .param .u64 out)` on blocks of `threads`; both arrays have 8 bytes an element.
std::vector<u64> run_module(const std::string& text, const std::vector<u64>& in, std::size_t out_size,
                            u32 threads = 32) {
  ptx::device_memory memory;
  const auto code = ptx::decode(head + text, memory);
  for (const auto& instruction : code->code)
    if (instruction.shape) used().insert(instruction.shape);
  const u64 from = memory.allocate(in.size() * 8, "in"), to = memory.allocate(out_size * 8, "out");
  std::memcpy(memory.for_host(from, in.size() * 8, true), in.data(), in.size() * 8);
  std::memset(memory.for_host(to, out_size * 8, true), 0, out_size * 8);
  const void* arguments[] = {&from, &to};
  ptx::launch launch(*code, code->entry("k"), memory, {}, {threads, 1, 1}, 0, arguments, {});
  launch.run();
  std::vector<u64> out(out_size);
  std::memcpy(out.data(), memory.for_host(to, out_size * 8, false), out_size * 8);
  return out;
}

/// Thread t gets in[3 t] to in[3 t + 2] as a, b, c: in %xa (64 bits), %wa (32), %ha (16), %pa (whether not zero). What
/// it leaves in the d of the result's width is its result.
std::vector<u64> run(const std::string& body, char result, const std::vector<u64>& in, u32 threads = 32) {
  std::string text =
      ".const .align 4 .b32 constants[4] = {10, 20, 30, 40};\n.visible .entry k(.param .u64 in, .param .u64 out) {\n"
      ".reg .b64 %x<20>, %xa, %xb, %xc, %xd, %rin, %rout;\n.reg .b32 %w<20>, %wa, %wb, %wc, %wd, %wt;\n"
      ".reg .b16 %h<8>, %ha, %hb, %hc, %hd;\n.reg .pred %p<8>, %pa, %pb, %pc, %pd, %pe;\n"
      ".shared .align 16 .b8 s[1024];\n.local .align 16 .b8 l[64];\n"
      "ld.param.u64 %rin, [in];\nld.param.u64 %rout, [out];\nmov.u32 %wt, %tid.x;\n"
      "mad.wide.u32 %x0, %wt, 24, %rin;\nmad.wide.u32 %rout, %wt, 8, %rout;\n";
  const char* const names = "abc";
  for (int i = 0; i < 3; ++i) {
    const std::string n(1, names[i]);
    text += "ld.global.b64 %x" + n + ", [%x0+" + std::to_string(8 * i) + "];\ncvt.u32.u64 %w" + n + ", %x" + n +
            ";\ncvt.u16.u64 %h" + n + ", %x" + n + ";\nsetp.ne.u64 %p" + n + ", %x" + n + ", 0;\n";
  }
  text += "mov.b64 %xd, 0;\nmov.b32 %wd, 0;\nmov.b16 %hd, 0;\nsetp.ne.u32 %pd|%pe, 0, 0;\n" + body + "\n";
  if (result == 'p') text += "selp.b64 %xd, 1, 0, %pd;\n";
  if (result == 'w') text += "cvt.u64.u32 %xd, %wd;\n";
  if (result == 'h') text += "cvt.u64.u16 %xd, %hd;\n";
  return run_module(text + "st.global.b64 [%rout], %xd;\nret;\n}\n", in, threads, threads);
}

using integers = std::function<u64(u64, u64, u64)>;

const std::vector<u64>& interesting() {
  static const std::vector<u64> values{0,
                                       1,
                                       2,
                                       3,
                                       5,
                                       8,
                                       31,
                                       32,
                                       33,
                                       63,
                                       64,
                                       0x7f,
                                       0x80,
                                       0xff,
                                       0x4321,
                                       0x7fff,
                                       0x8000,
                                       0xffff,
                                       0x12345678,
                                       0x7fffffff,
                                       0x80000000,
                                       0xfffffffe,
                                       0xffffffff,
                                       0x100000000,
                                       0x123456789abcdef0,
                                       0x7fffffffffffffff,
                                       0x8000000000000000,
                                       0xffffffffffffffff};
  return values;
}
const std::vector<u64>& floats() { // of 32 bits
  static const auto values = [] {
    std::vector<u64> v;
    for (const float x : {0.f,
                          -0.f,
                          1.f,
                          -1.f,
                          0.5f,
                          -1.5f,
                          2.5f,
                          3.75f,
                          -100.3f,
                          1e-40f,
                          -1e-40f,
                          1.0001f,
                          0x1.fffffep127f,
                          1e30f,
                          -1e-30f,
                          0.1f,
                          7.f,
                          INFINITY,
                          -INFINITY,
                          NAN,
                          2147483648.f,
                          0x1p-126f,
                          65519.f,
                          65520.f,
                          1.00390625f})
      v.push_back(bits<u32>(x));
    return v;
  }();
  return values;
}
const std::vector<u64>& doubles() {
  static const auto values = [] {
    std::vector<u64> v;
    for (const double x : {0.,
                           -0.,
                           1.,
                           -1.,
                           0.5,
                           -1.5,
                           2.5,
                           -100.3,
                           1e-310,
                           1.0000000001,
                           1e300,
                           -1e-300,
                           0.1,
                           7.,
                           double(INFINITY),
                           -double(INFINITY),
                           double(NAN),
                           0x1p63,
                           1.5e9,
                           1e-40,
                           1.0000000596046448})
      v.push_back(bits<u64>(x));
    return v;
  }();
  return values;
}

/// Every third pairing of the values, 32 at a time.
void check(const std::string& body, char result, const std::vector<u64>& values, const integers& expected,
           const std::function<bool(u64, u64)>& same = std::equal_to<u64>()) {
  std::vector<u64> in;
  const std::size_t n = values.size();
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) in.insert(in.end(), {values[i], values[j], values[(i * 5 + j * 3) % n]});
  while (in.size() % 96 != 0) in.push_back(values[1]);
  for (std::size_t first = 0; first < in.size(); first += 96) {
    const std::vector<u64> part(in.begin() + static_cast<std::ptrdiff_t>(first),
                                in.begin() + static_cast<std::ptrdiff_t>(first) + 96);
    const auto got = run(body, result, part);
    for (std::size_t t = 0; t < 32; ++t) {
      const u64 want = expected(part[3 * t], part[3 * t + 1], part[3 * t + 2]);
      ASSERT_TRUE(same(got[t], want)) << body << std::hex << " of " << part[3 * t] << ' ' << part[3 * t + 1] << ' '
                                      << part[3 * t + 2] << ": " << got[t] << ", not " << want;
    }
  }
}
void whole(const std::string& body, char result, const integers& expected) {
  check(body, result, interesting(), expected);
}
/// Results are equal, or both NaN.
void single(const std::string& body, const std::function<float(float, float, float)>& expected) {
  check(
      body, 'w', floats(),
      [&](u64 a, u64 b, u64 c) -> u64 {
        return bits<u32>(expected(bits<float>(u32(a)), bits<float>(u32(b)), bits<float>(u32(c))));
      },
      [](u64 a, u64 b) { return a == b || (std::isnan(bits<float>(u32(a))) && std::isnan(bits<float>(u32(b)))); });
}
void twofold(const std::string& body, const std::function<double(double, double, double)>& expected) {
  check(
      body, 'x', doubles(),
      [&](u64 a, u64 b, u64 c) { return bits<u64>(expected(bits<double>(a), bits<double>(b), bits<double>(c))); },
      [](u64 a, u64 b) { return a == b || (std::isnan(bits<double>(a)) && std::isnan(bits<double>(b))); });
}
float flushed(float x) { return std::abs(x) < 0x1p-126f ? std::copysign(0.f, x) : x; }
float clamped(float x) { return x > 0 ? std::min(x, 1.f) : 0.f; }
/// A quotient of doubles as the float that is not above it, not below it, or towards zero.
float directed(double exact, char way) {
  const float near = static_cast<float>(exact);
  const bool down = way == 'm' || (way == 'z' && exact > 0), up = way == 'p' || (way == 'z' && exact < 0);
  if (std::isnan(exact) || near == exact) return near;
  if (down && near > exact) return std::nextafter(near, -INFINITY);
  if (up && near < exact) return std::nextafter(near, INFINITY);
  return near;
}

void rejected(const std::string& body, const std::string& message) {
  try {
    run(body, 'x', std::vector<u64>(96, 1));
    ADD_FAILURE() << body << " was taken";
  } catch (const ptx::error& problem) {
    EXPECT_NE(std::string(problem.what()).find(message), std::string::npos) << body << ": " << problem.what();
    EXPECT_NE(std::string(problem.what()).find("PTX line "), std::string::npos) << problem.what();
  }
}

} // namespace

TEST(ptx_integers, arithmetic) {
  whole("add.u16 %hd, %ha, %hb;", 'h', [](u64 a, u64 b, u64) { return u16(a + b); });
  whole("add.s32 %wd, %wa, %wb;", 'w', [](u64 a, u64 b, u64) { return u32(a + b); });
  whole("add.u64 %xd, %xa, %xb;", 'x', [](u64 a, u64 b, u64) { return a + b; });
  whole("add.sat.s32 %wd, %wa, %wb;", 'w',
        [](u64 a, u64 b, u64) { return u32(std::clamp<s64>(s64(s32(a)) + s32(b), INT32_MIN, INT32_MAX)); });
  whole("sub.s16 %hd, %ha, %hb;", 'h', [](u64 a, u64 b, u64) { return u16(a - b); });
  whole("sub.u32 %wd, %wa, %wb;", 'w', [](u64 a, u64 b, u64) { return u32(a - b); });
  whole("sub.s64 %xd, %xa, %xb;", 'x', [](u64 a, u64 b, u64) { return a - b; });
  whole("sub.sat.s32 %wd, %wa, %wb;", 'w',
        [](u64 a, u64 b, u64) { return u32(std::clamp<s64>(s64(s32(a)) - s32(b), INT32_MIN, INT32_MAX)); });
  whole("mul.lo.s32 %wd, %wa, %wb;", 'w', [](u64 a, u64 b, u64) { return u32(a * b); });
  whole("mul.hi.u32 %wd, %wa, %wb;", 'w', [](u64 a, u64 b, u64) { return u64(u32(a)) * u32(b) >> 32; });
  whole("mul.hi.s32 %wd, %wa, %wb;", 'w', [](u64 a, u64 b, u64) { return u32(s64(s32(a)) * s32(b) >> 32); });
  whole("mul.lo.u64 %xd, %xa, %xb;", 'x', [](u64 a, u64 b, u64) { return a * b; });
  whole("mul.hi.u64 %xd, %xa, %xb;", 'x', [](u64 a, u64 b, u64) { return u64((unsigned __int128)a * b >> 64); });
  whole("mul.hi.s64 %xd, %xa, %xb;", 'x', [](u64 a, u64 b, u64) { return u64((__int128)s64(a) * s64(b) >> 64); });
  whole("mul.lo.u16 %hd, %ha, %hb;", 'h', [](u64 a, u64 b, u64) { return u16(a * b); });
  whole("mul.wide.u32 %xd, %wa, %wb;", 'x', [](u64 a, u64 b, u64) { return u64(u32(a)) * u32(b); });
  whole("mul.wide.s32 %xd, %wa, %wb;", 'x', [](u64 a, u64 b, u64) { return u64(s64(s32(a)) * s32(b)); });
  whole("mul.wide.s16 %wd, %ha, %hb;", 'w', [](u64 a, u64 b, u64) { return u32(s32(s16(a)) * s16(b)); });
  whole("mad.lo.s32 %wd, %wa, %wb, %wc;", 'w', [](u64 a, u64 b, u64 c) { return u32(a * b + c); });
  whole("mad.hi.u32 %wd, %wa, %wb, %wc;", 'w',
        [](u64 a, u64 b, u64 c) { return u32((u64(u32(a)) * u32(b) >> 32) + c); });
  whole("mad.lo.u64 %xd, %xa, %xb, %xc;", 'x', [](u64 a, u64 b, u64 c) { return a * b + c; });
  whole("mad.wide.s32 %xd, %wa, %wb, %xc;", 'x', [](u64 a, u64 b, u64 c) { return u64(s64(s32(a)) * s32(b)) + c; });
  whole("or.b32 %w1, %wb, 1; div.u32 %wd, %wa, %w1;", 'w', [](u64 a, u64 b, u64) { return u32(a) / (u32(b) | 1); });
  whole("or.b32 %w1, %wb, 1; div.s32 %wd, %wa, %w1;", 'w',
        [](u64 a, u64 b, u64) { return u32(s64(s32(a)) / s32(u32(b) | 1)); });
  whole("or.b64 %x1, %xb, 1; rem.u64 %xd, %xa, %x1;", 'x', [](u64 a, u64 b, u64) { return a % (b | 1); });
  whole("or.b32 %w1, %wb, 1; rem.s32 %wd, %wa, %w1;", 'w',
        [](u64 a, u64 b, u64) { return u32(s64(s32(a)) % s32(u32(b) | 1)); });
  whole("abs.s32 %wd, %wa;", 'w', [](u64 a, u64, u64) { return s32(a) < 0 ? u32(0 - a) : u32(a); });
  whole("neg.s64 %xd, %xa;", 'x', [](u64 a, u64, u64) { return 0 - a; });
  whole("min.s32 %wd, %wa, %wb;", 'w', [](u64 a, u64 b, u64) { return u32(std::min(s32(a), s32(b))); });
  whole("max.u64 %xd, %xa, %xb;", 'x', [](u64 a, u64 b, u64) { return std::max(a, b); });
}
TEST(ptx_integers, bits) {
  whole("and.b32 %wd, %wa, %wb;", 'w', [](u64 a, u64 b, u64) { return u32(a & b); });
  whole("or.b64 %xd, %xa, %xb;", 'x', [](u64 a, u64 b, u64) { return a | b; });
  whole("xor.b16 %hd, %ha, %hb;", 'h', [](u64 a, u64 b, u64) { return u16(a ^ b); });
  whole("not.b16 %hd, %ha;", 'h', [](u64 a, u64, u64) { return u16(~a); });
  whole("cnot.b32 %wd, %wa;", 'w', [](u64 a, u64, u64) { return u32(a) == 0; });
  whole("and.pred %pd, %pa, !%pb;", 'p', [](u64 a, u64 b, u64) { return a != 0 && b == 0; });
  whole("or.pred %pd, %pa, %pb;", 'p', [](u64 a, u64 b, u64) { return a != 0 || b != 0; });
  whole("xor.pred %pd, %pa, %pb;", 'p', [](u64 a, u64 b, u64) { return (a != 0) != (b != 0); });
  whole("not.pred %pd, %pa;", 'p', [](u64 a, u64, u64) { return a == 0; });
  whole("shl.b32 %wd, %wa, %wb;", 'w', [](u64 a, u64 b, u64) { return u32(b) > 31 ? 0 : u32(a << u32(b)); });
  whole("shl.b64 %xd, %xa, %wb;", 'x', [](u64 a, u64 b, u64) { return u32(b) > 63 ? 0 : a << u32(b); });
  whole("shl.b16 %hd, %ha, %wb;", 'h', [](u64 a, u64 b, u64) { return u32(b) > 15 ? 0 : u16(a << u32(b)); });
  whole("shr.u32 %wd, %wa, %wb;", 'w', [](u64 a, u64 b, u64) { return u32(b) > 31 ? 0 : u32(a) >> u32(b); });
  whole("shr.s32 %wd, %wa, %wb;", 'w', [](u64 a, u64 b, u64) { return u32(s32(a) >> std::min<u32>(u32(b), 31)); });
  whole("shr.s64 %xd, %xa, %wb;", 'x', [](u64 a, u64 b, u64) { return u64(s64(a) >> std::min<u32>(u32(b), 63)); });
  const auto joined = [](u64 a, u64 b) { return u64(u32(b)) << 32 | u32(a); };
  whole("shf.l.wrap.b32 %wd, %wa, %wb, %wc;", 'w',
        [&](u64 a, u64 b, u64 c) { return u32(joined(a, b) << (c & 31) >> 32); });
  whole("shf.r.wrap.b32 %wd, %wa, %wb, %wc;", 'w', [&](u64 a, u64 b, u64 c) { return u32(joined(a, b) >> (c & 31)); });
  whole("shf.l.clamp.b32 %wd, %wa, %wb, %wc;", 'w',
        [&](u64 a, u64 b, u64 c) { return u32(joined(a, b) << std::min<u32>(u32(c), 32) >> 32); });
  whole("shf.r.clamp.b32 %wd, %wa, %wb, %wc;", 'w',
        [&](u64 a, u64 b, u64 c) { return u32(joined(a, b) >> std::min<u32>(u32(c), 32)); });
  const auto field = [](u64 a, u32 p, u32 l, u32 width, bool is_signed) { // the manual's own words
    const bool sign = is_signed && l != 0 && (a >> std::min(p + l - 1, width - 1) & 1);
    u64 d = 0;
    for (u32 i = 0; i < width; ++i) d |= u64(i < l && p + i < width ? a >> (p + i) & 1 : sign) << i;
    return d;
  };
  whole("bfe.u32 %wd, %wa, %wb, %wc;", 'w',
        [&](u64 a, u64 b, u64 c) { return field(u32(a), b & 255, c & 255, 32, false); });
  whole("bfe.s32 %wd, %wa, %wb, %wc;", 'w',
        [&](u64 a, u64 b, u64 c) { return field(u32(a), b & 255, c & 255, 32, true); });
  whole("bfe.u64 %xd, %xa, %wb, %wc;", 'x', [&](u64 a, u64 b, u64 c) { return field(a, b & 255, c & 255, 64, false); });
  whole("bfi.b32 %wd, %wa, %wb, %wc, 7;", 'w', [](u64 a, u64 b, u64 c) {
    const u32 p = c & 255;
    const u64 mask = p > 31 ? 0 : (u64{127} << p) & 0xffffffff;
    return (u32(b) & ~mask) | (p > 31 ? 0 : (a << p) & mask);
  });
  whole("bfind.u32 %wd, %wa;", 'w',
        [](u64 a, u64, u64) { return u32(a) == 0 ? 0xffffffffu : 31u - std::countl_zero(u32(a)); });
  whole("bfind.s32 %wd, %wa;", 'w', [](u64 a, u64, u64) {
    const u32 x = s32(a) < 0 ? ~u32(a) : u32(a);
    return x == 0 ? 0xffffffffu : 31u - std::countl_zero(x);
  });
  whole("bfind.shiftamt.u64 %wd, %xa;", 'w',
        [](u64 a, u64, u64) { return a == 0 ? 0xffffffffu : u32(std::countl_zero(a)); });
  whole("brev.b32 %wd, %wa;", 'w', [](u64 a, u64, u64) {
    u32 d = 0;
    for (int i = 0; i < 32; ++i) d = d << 1 | (a >> i & 1);
    return d;
  });
  whole("clz.b64 %wd, %xa;", 'w', [](u64 a, u64, u64) { return u64(std::countl_zero(a)); });
  whole("popc.b32 %wd, %wa;", 'w', [](u64 a, u64, u64) { return u64(std::popcount(u32(a))); });
  whole("bmsk.clamp.b32 %wd, %wa, %wb;", 'w', [](u64 a, u64 b, u64) {
    u32 d = 0;
    for (u64 i = u32(a); i < 32 && i < u64{u32(a)} + u32(b); ++i) d |= 1u << i;
    return d;
  });
  whole("bmsk.wrap.b32 %wd, %wa, %wb;", 'w', [](u64 a, u64 b, u64) {
    u32 d = 0;
    for (u64 i = a % 32; i < 32 && i < a % 32 + b % 32; ++i) d |= 1u << i;
    return d;
  });
  whole("prmt.b32 %wd, %wa, %wb, %wc;", 'w', [&](u64 a, u64 b, u64 c) {
    u32 d = 0;
    for (int i = 0; i < 4; ++i) {
      const u32 pick = c >> 4 * i & 15;
      u32 byte = joined(a, b) >> 8 * (pick & 7) & 255;
      if (pick & 8) byte = byte >> 7 ? 255 : 0;
      d |= byte << 8 * i;
    }
    return d;
  });
  for (const u32 table : {0x80u, 0xe8u, 0x96u, 0x1fu}) // and; majority; parity; an unlike one
    whole("lop3.b32 %wd, %wa, %wb, %wc, " + std::to_string(table) + ";", 'w', [=](u64 a, u64 b, u64 c) {
      u32 d = 0;
      for (int i = 0; i < 32; ++i) d |= (table >> ((a >> i & 1) * 4 + (b >> i & 1) * 2 + (c >> i & 1)) & 1) << i;
      return d;
    });
}
TEST(ptx_integers, compared_and_selected) {
  whole("setp.lt.s32 %pd, %wa, %wb;", 'p', [](u64 a, u64 b, u64) { return s32(a) < s32(b); });
  whole("setp.le.s64 %pd, %xa, %xb;", 'p', [](u64 a, u64 b, u64) { return s64(a) <= s64(b); });
  whole("setp.hi.u32 %pd, %wa, %wb;", 'p', [](u64 a, u64 b, u64) { return u32(a) > u32(b); });
  whole("setp.lo.u16 %pd, %ha, %hb;", 'p', [](u64 a, u64 b, u64) { return u16(a) < u16(b); });
  whole("setp.hs.u64 %pd, %xa, %xb;", 'p', [](u64 a, u64 b, u64) { return a >= b; });
  whole("setp.ls.u64 %pd, %xa, %xb;", 'p', [](u64 a, u64 b, u64) { return a <= b; });
  whole("setp.eq.b32 %pd, %wa, %wb;", 'p', [](u64 a, u64 b, u64) { return u32(a) == u32(b); });
  whole("setp.gt.and.s32 %pd|%pe, %wa, %wb, %pc;", 'p', [](u64 a, u64 b, u64 c) { return s32(a) > s32(b) && c != 0; });
  whole("setp.gt.and.s32 %pe|%pd, %wa, %wb, %pc;", 'p', [](u64 a, u64 b, u64 c) { return s32(a) <= s32(b) && c != 0; });
  whole("setp.ge.or.u32 %pd, %wa, %wb, !%pc;", 'p', [](u64 a, u64 b, u64 c) { return u32(a) >= u32(b) || c == 0; });
  whole("setp.ne.xor.u32 %pd, %wa, %wb, %pc;", 'p', [](u64 a, u64 b, u64 c) { return (u32(a) != u32(b)) != (c != 0); });
  whole("selp.b32 %wd, %wa, %wb, %pc;", 'w', [](u64 a, u64 b, u64 c) { return c != 0 ? u32(a) : u32(b); });
  whole("selp.f64 %xd, %xa, %xb, !%pc;", 'x', [](u64 a, u64 b, u64 c) { return c == 0 ? a : b; });
  whole("slct.b32.s32 %wd, %wa, %wb, %wc;", 'w', [](u64 a, u64 b, u64 c) { return s32(c) >= 0 ? u32(a) : u32(b); });
  check("slct.u64.f32 %xd, %xa, %xb, %wc;", 'x', floats(),
        [](u64 a, u64 b, u64 c) { return bits<float>(u32(c)) >= 0 ? a : b; });
}
TEST(ptx_integers, moved) {
  whole("mov.b32 %wd, %wa;", 'w', [](u64 a, u64, u64) { return u32(a); });
  whole("mov.u64 %xd, %xa;", 'x', [](u64 a, u64, u64) { return a; });
  whole("mov.pred %pd, %pa;", 'p', [](u64 a, u64, u64) { return a != 0; });
  whole("mov.b64 {%w1, %wd}, %xa;", 'w', [](u64 a, u64, u64) { return a >> 32; });
  whole("mov.b64 %xd, {%wa, %wb};", 'x', [](u64 a, u64 b, u64) { return u64(u32(b)) << 32 | u32(a); });
  whole("mov.b32 {%h1, %hd}, %wa;", 'h', [](u64 a, u64, u64) { return u16(a >> 16); });
  whole("mov.b32 %wd, {%ha, %hb};", 'w', [](u64 a, u64 b, u64) { return u32(u16(b)) << 16 | u16(a); });
  whole("mov.b64 %xd, {%ha, %hb, %hc, %ha};", 'x',
        [](u64 a, u64 b, u64 c) { return u64(u16(a)) << 48 | u64(u16(c)) << 32 | u64(u16(b)) << 16 | u16(a); });
  whole("@%pa mov.b32 %wd, 7;", 'w', [](u64 a, u64, u64) { return a != 0 ? 7 : 0; });
  whole("@!%pa mov.b32 %wd, 7;", 'w', [](u64 a, u64, u64) { return a != 0 ? 0 : 7; });
}
TEST(ptx_floats, single) {
  single("add.f32 %wd, %wa, %wb;", [](float a, float b, float) { return a + b; });
  single("add.ftz.f32 %wd, %wa, %wb;", [](float a, float b, float) { return flushed(flushed(a) + flushed(b)); });
  single("add.sat.f32 %wd, %wa, %wb;", [](float a, float b, float) { return clamped(a + b); });
  for (const char way : {'z', 'm', 'p'}) {
    // A product of floats is exact in double.
    single(std::string("mul.r") + way + ".f32 %wd, %wa, %wb;", [&](float a, float b, float) {
      const double exact = double(a) * b;
      if (std::abs(exact) > 0x1.fffffep127 && !std::isinf(exact)) { // beyond the largest
        const bool to_infinity = way == (exact > 0 ? 'p' : 'm');
        return std::copysign(to_infinity ? INFINITY : 0x1.fffffep127f, float(exact));
      }
      const float result = directed(exact, way);
      return result == 0 ? std::copysign(result, float(exact)) : result;
    });
  }
  single("sub.rn.f32 %wd, %wa, %wb;", [](float a, float b, float) { return a - b; });
  single("fma.rn.f32 %wd, %wa, %wb, %wc;", [](float a, float b, float c) { return std::fma(a, b, c); });
  single("fma.rn.ftz.f32 %wd, %wa, %wb, %wc;",
         [](float a, float b, float c) { return flushed(std::fma(flushed(a), flushed(b), flushed(c))); });
  single("mad.rn.f32 %wd, %wa, %wb, %wc;", [](float a, float b, float c) { return std::fma(a, b, c); });
  single("div.rn.f32 %wd, %wa, %wb;", [](float a, float b, float) { return a / b; });
  single("div.full.ftz.f32 %wd, %wa, %wb;", [](float a, float b, float) { return flushed(flushed(a) / flushed(b)); });
  single("rcp.rn.f32 %wd, %wa;", [](float a, float, float) { return 1 / a; });
  single("rcp.approx.ftz.f32 %wd, %wa;", [](float a, float, float) { return flushed(1 / flushed(a)); });
  single("sqrt.rn.f32 %wd, %wa;", [](float a, float, float) { return std::sqrt(a); });
  single("rsqrt.approx.f32 %wd, %wa;", [](float a, float, float) { return float(1 / std::sqrt((long double)a)); });
  single("ex2.approx.f32 %wd, %wa;", [](float a, float, float) { return float(std::exp2(double(a))); });
  single("ex2.approx.ftz.f32 %wd, %wa;",
         [](float a, float, float) { return flushed(float(std::exp2(double(flushed(a))))); });
  single("lg2.approx.ftz.f32 %wd, %wa;", [](float a, float, float) { return float(std::log2(double(flushed(a)))); });
  single("sin.approx.f32 %wd, %wa;", [](float a, float, float) { return float(std::sin(double(a))); });
  single("cos.approx.f32 %wd, %wa;", [](float a, float, float) { return float(std::cos(double(a))); });
  single("tanh.approx.f32 %wd, %wa;", [](float a, float, float) { return float(std::tanh(double(a))); });
  single("abs.f32 %wd, %wa;", [](float a, float, float) { return std::abs(a); });
  single("neg.f32 %wd, %wa;", [](float a, float, float) { return -a; });
  const auto least = [](float a, float b) {
    return std::isnan(a) ? b : std::isnan(b) ? a : a == b ? (std::signbit(a) ? a : b) : std::min(a, b);
  };
  single("min.f32 %wd, %wa, %wb;", [&](float a, float b, float) { return least(a, b); });
  single("max.f32 %wd, %wa, %wb;", [&](float a, float b, float) { return -least(-a, -b); });
  single("max.NaN.f32 %wd, %wa, %wb;",
         [&](float a, float b, float) { return std::isnan(a) || std::isnan(b) ? NAN : -least(-a, -b); });
  single("copysign.f32 %wd, %wa, %wb;", [](float a, float b, float) { return std::copysign(b, a); });
  const auto test = [](const char* what, bool (*is)(float)) {
    check(std::string("testp.") + what + ".f32 %pd, %wa;", 'p', floats(),
          [=](u64 a, u64, u64) { return is(bits<float>(u32(a))); });
  };
  test("finite", [](float x) { return std::abs(x) < INFINITY; });
  test("infinite", [](float x) { return std::abs(x) == INFINITY; });
  test("number", [](float x) { return x == x; });
  test("notanumber", [](float x) { return x != x; });
  test("normal", [](float x) { return std::abs(x) >= 0x1p-126f && std::abs(x) < INFINITY; });
  test("subnormal", [](float x) { return std::abs(x) < 0x1p-126f && x != 0; });
}
TEST(ptx_floats, twofold) {
  twofold("add.f64 %xd, %xa, %xb;", [](double a, double b, double) { return a + b; });
  twofold("sub.f64 %xd, %xa, %xb;", [](double a, double b, double) { return a - b; });
  twofold("mul.rn.f64 %xd, %xa, %xb;", [](double a, double b, double) { return a * b; });
  twofold("fma.rn.f64 %xd, %xa, %xb, %xc;", [](double a, double b, double c) { return std::fma(a, b, c); });
  twofold("mad.rn.f64 %xd, %xa, %xb, %xc;", [](double a, double b, double c) { return std::fma(a, b, c); });
  twofold("div.rn.f64 %xd, %xa, %xb;", [](double a, double b, double) { return a / b; });
  twofold("rcp.rn.f64 %xd, %xa;", [](double a, double, double) { return 1 / a; });
  twofold("rcp.approx.ftz.f64 %xd, %xa;",
          [](double a, double, double) { return bits<double>(bits<u64>(1 / a) >> 32 << 32); });
  twofold("sqrt.rn.f64 %xd, %xa;", [](double a, double, double) { return std::sqrt(a); });
  twofold("rsqrt.approx.f64 %xd, %xa;", [](double a, double, double) { return double(1 / std::sqrt((long double)a)); });
  twofold("rsqrt.approx.ftz.f64 %xd, %xa;",
          [](double a, double, double) { return bits<double>(bits<u64>(1 / std::sqrt(a)) >> 32 << 32); });
  twofold("abs.f64 %xd, %xa;", [](double a, double, double) { return std::abs(a); });
  twofold("neg.f64 %xd, %xa;", [](double a, double, double) { return -a; });
  const auto least = [](double a, double b) {
    return std::isnan(a) ? b : std::isnan(b) ? a : a == b ? (std::signbit(a) ? a : b) : std::min(a, b);
  };
  twofold("min.f64 %xd, %xa, %xb;", [&](double a, double b, double) { return least(a, b); });
  twofold("max.f64 %xd, %xa, %xb;", [&](double a, double b, double) { return -least(-a, -b); });
}
TEST(ptx_floats, compared) {
  const std::pair<const char*, bool (*)(float, float)> all[] = {
      {"eq", [](float a, float b) { return a == b; }},
      {"ne", [](float a, float b) { return a < b || a > b; }},
      {"lt", [](float a, float b) { return a < b; }},
      {"le", [](float a, float b) { return a <= b; }},
      {"gt", [](float a, float b) { return a > b; }},
      {"ge", [](float a, float b) { return a >= b; }},
      {"equ", [](float a, float b) { return !(a < b || a > b); }},
      {"neu", [](float a, float b) { return !(a == b); }},
      {"ltu", [](float a, float b) { return !(a >= b); }},
      {"leu", [](float a, float b) { return !(a > b); }},
      {"gtu", [](float a, float b) { return !(a <= b); }},
      {"geu", [](float a, float b) { return !(a < b); }},
      {"num", [](float a, float b) { return a == a && b == b; }},
      {"nan", [](float a, float b) { return a != a || b != b; }}};
  for (const auto& [name, is] : all) {
    check(std::string("setp.") + name + ".f32 %pd, %wa, %wb;", 'p', floats(),
          [is = is](u64 a, u64 b, u64) { return is(bits<float>(u32(a)), bits<float>(u32(b))); });
    check(std::string("setp.") + name + ".f64 %pd, %xa, %xb;", 'p', doubles(),
          [is = is](u64 a, u64 b, u64) { // by their order alone
            const double x = bits<double>(a), y = bits<double>(b);
            return is(x != x ? NAN : 0.f, y != y ? NAN : x < y ? 1.f : x > y ? -1.f : 0.f);
          });
  }
  check("setp.eq.ftz.f32 %pd, %wa, %wb;", 'p', floats(),
        [](u64 a, u64 b, u64) { return flushed(bits<float>(u32(a))) == flushed(bits<float>(u32(b))); });
}
TEST(ptx_conversions, integers) {
  whole("cvt.s64.s32 %xd, %wa;", 'x', [](u64 a, u64, u64) { return u64(s64(s32(a))); });
  whole("cvt.u64.u32 %xd, %wa;", 'x', [](u64 a, u64, u64) { return u32(a); });
  whole("cvt.u32.u64 %wd, %xa;", 'w', [](u64 a, u64, u64) { return u32(a); });
  whole("cvt.s32.s8 %wd, %wa;", 'w', [](u64 a, u64, u64) { return u32(s32(static_cast<std::int8_t>(a))); });
  whole("cvt.u32.u16 %wd, %ha;", 'w', [](u64 a, u64, u64) { return u16(a); });
  whole("cvt.sat.s16.s32 %hd, %wa;", 'h', [](u64 a, u64, u64) { return u16(std::clamp<s32>(s32(a), -32768, 32767)); });
  whole("cvt.sat.u8.s32 %wd, %wa;", 'w', [](u64 a, u64, u64) { return u32(std::clamp<s32>(s32(a), 0, 255)); });
  whole("cvt.rn.f32.s32 %wd, %wa;", 'w', [](u64 a, u64, u64) { return bits<u32>(float(s32(a))); });
  whole("cvt.rz.f32.u64 %wd, %xa;", 'w', [](u64 a, u64, u64) {
    const u64 cut = a == 0 ? 0 : a & ~u64{0} << std::max(0, 40 - std::countl_zero(a));
    return bits<u32>(float(cut));
  });
  whole("cvt.rn.f64.s64 %xd, %xa;", 'x', [](u64 a, u64, u64) { return bits<u64>(double(s64(a))); });
  whole("cvt.rn.f64.u32 %xd, %wa;", 'x', [](u64 a, u64, u64) { return bits<u64>(double(u32(a))); });
}
TEST(ptx_conversions, floats) {
  const auto to_integer = [](double x, double least, double most) -> s64 {
    return std::isnan(x) ? 0 : s64(std::clamp(x, least, most));
  };
  check("cvt.rzi.s32.f32 %wd, %wa;", 'w', floats(), [&](u64 a, u64, u64) {
    return u32(to_integer(std::trunc(double(bits<float>(u32(a)))), INT32_MIN, INT32_MAX));
  });
  check("cvt.rni.s32.f64 %wd, %xa;", 'w', doubles(),
        [&](u64 a, u64, u64) { return u32(to_integer(std::nearbyint(bits<double>(a)), INT32_MIN, INT32_MAX)); });
  check("cvt.rmi.u32.f32 %wd, %wa;", 'w', floats(),
        [&](u64 a, u64, u64) { return u32(to_integer(std::floor(double(bits<float>(u32(a)))), 0, 4294967295.0)); });
  check("cvt.rpi.s16.f32 %hd, %wa;", 'h', floats(),
        [&](u64 a, u64, u64) { return u16(to_integer(std::ceil(double(bits<float>(u32(a)))), -32768, 32767)); });
  const auto nan_or_equal = [](u64 a, u64 b) {
    return a == b || (std::isnan(bits<float>(u32(a))) && std::isnan(bits<float>(u32(b))));
  };
  check(
      "cvt.f64.f32 %xd, %wa;", 'x', floats(), [](u64 a, u64, u64) { return bits<u64>(double(bits<float>(u32(a)))); },
      [](u64 a, u64 b) { return a == b || std::isnan(bits<double>(b)); });
  check(
      "cvt.rn.f32.f64 %wd, %xa;", 'w', doubles(), [](u64 a, u64, u64) { return bits<u32>(float(bits<double>(a))); },
      nan_or_equal);
  for (const char way : {'z', 'm', 'p'})
    check(std::string("abs.f64 %x1, %xa; min.f64 %x1, %x1, 0d47D0000000000000; cvt.r") + way + ".f32.f64 %wd, %x1;",
          'w', doubles(), [&](u64 a, u64, u64) {
            const double x = std::isnan(bits<double>(a)) ? 0x1p126 : std::min(std::abs(bits<double>(a)), 0x1p126);
            return bits<u32>(directed(x, way));
          });
  check(
      "cvt.rn.ftz.f32.f64 %wd, %xa;", 'w', doubles(),
      [](u64 a, u64, u64) { return bits<u32>(flushed(float(bits<double>(a)))); }, nan_or_equal);
  check(
      "cvt.rni.f32.f32 %wd, %wa;", 'w', floats(),
      [](u64 a, u64, u64) { return bits<u32>(std::nearbyint(bits<float>(u32(a)))); }, nan_or_equal);
  check(
      "cvt.rmi.f64.f64 %xd, %xa;", 'x', doubles(),
      [](u64 a, u64, u64) { return bits<u64>(std::floor(bits<double>(a))); },
      [](u64 a, u64 b) { return a == b || std::isnan(bits<double>(b)); });
  check("cvt.sat.f32.f32 %wd, %wa;", 'w', floats(),
        [](u64 a, u64, u64) { return bits<u32>(clamped(bits<float>(u32(a)))); });
  // The 16-bit types: nearest even by search among the neighbors of the truncated value.
  const auto nearest = [](float x, int cut, float (*widen)(u16), u16 largest) -> u16 {
    u16 best = 0;
    double least = INFINITY;
    for (u32 h = 0; h <= largest; ++h) {
      const double off = std::abs(double(widen(u16(h))) - std::abs(double(x)));
      if (off < least || (off == least && h % 2 == 0)) least = off, best = u16(h);
    }
    (void)cut;
    return best | (std::signbit(x) ? 0x8000 : 0);
  };
  const auto half_of = [](u16 h) {
    return h >> 10 == 0 ? float(h) * 0x1p-24f : std::ldexp(1 + float(h & 1023) / 1024, (h >> 10) - 15);
  };
  for (const u64 raw : floats()) {
    const float x = bits<float>(u32(raw));
    if (!std::isfinite(x)) continue;
    const u16 brain = nearest(
        x, 16, [](u16 h) { return bits<float>(u32{h} << 16); }, 0x7f80);
    EXPECT_EQ(ptx::to_bf16(x), std::abs(x) > 3.3961775e38f ? (std::signbit(x) ? 0xff80 : 0x7f80) : brain) << x;
    if (std::abs(x) < 65520) EXPECT_EQ(ptx::to_f16(x), nearest(x, 13, half_of, 0x7bff)) << x;
    else EXPECT_EQ(ptx::to_f16(x) & 0x7fff, 0x7c00) << x;
  }
  EXPECT_EQ(ptx::to_f16(1 + 0x1p-11, ptx::rounding::up), 0x3c01);
  EXPECT_EQ(ptx::to_f16(1 + 0x1p-11, ptx::rounding::zero), 0x3c00);
  EXPECT_EQ(ptx::to_f16(-1 - 0x1p-11, ptx::rounding::down), 0xbc01);
  EXPECT_EQ(ptx::to_f16(70000, ptx::rounding::zero), 0x7bff);
  check("cvt.rn.bf16.f32 %hd, %wa;", 'h', floats(), [](u64 a, u64, u64) { return ptx::to_bf16(bits<float>(u32(a))); });
  check("cvt.rz.f16.f32 %hd, %wa;", 'h', floats(),
        [](u64 a, u64, u64) { return ptx::to_f16(bits<float>(u32(a)), ptx::rounding::zero); });
  check("cvt.rn.bf16x2.f32 %wd, %wa, %wb;", 'w', floats(), [](u64 a, u64 b, u64) {
    return u32(ptx::to_bf16(bits<float>(u32(a)))) << 16 | ptx::to_bf16(bits<float>(u32(b)));
  });
  check("cvt.rn.relu.f16x2.f32 %wd, %wa, %wb;", 'w', floats(), [](u64 a, u64 b, u64) {
    const auto one = [](u64 x) {
      const float f = bits<float>(u32(x));
      return ptx::to_f16(f < 0 ? 0.f : f);
    };
    return u32(one(a)) << 16 | one(b);
  });
  whole("cvt.f32.f16 %wd, %ha;", 'w', [&](u64 a, u64, u64) {
    const u16 h = u16(a);
    const float x = (h & 0x7c00) == 0x7c00 ? (h & 1023 ? NAN : INFINITY) : half_of(h & 0x7fff);
    return (h & 0x7c00) == 0x7c00 && (h & 1023) ? bits<u32>(ptx::from_f16(h)) : bits<u32>(h & 0x8000 ? -x : x);
  });
  whole("cvt.f32.bf16 %wd, %ha;", 'w', [](u64 a, u64, u64) { return u32(u16(a)) << 16; });
  whole("cvt.f64.f16 %xd, %ha;", 'x', [](u64 a, u64, u64) { return bits<u64>(double(ptx::from_f16(u16(a)))); });
  whole("cvt.rni.f16.f16 %hd, %ha;", 'h',
        [](u64 a, u64, u64) { return ptx::to_f16(std::nearbyint(ptx::from_f16(u16(a)))); });
  check("cvt.rna.tf32.f32 %wd, %wa;", 'w', floats(), [](u64 a, u64, u64) {
    const float x = bits<float>(u32(a));
    return std::isfinite(x) ? (u32(a) + 0x1000) & 0xffffe000 : u32(a) & 0xffffe000;
  });
}
TEST(ptx_conversions, addresses) {
  whole("mov.u64 %x1, s; cvta.shared.u64 %x2, %x1; isspacep.shared %pd, %x2;", 'p', [](u64, u64, u64) { return 1; });
  whole("mov.u64 %x1, s; cvta.shared.u64 %x2, %x1; isspacep.global %pd, %x2;", 'p', [](u64, u64, u64) { return 0; });
  whole("isspacep.global %pd, %rin;", 'p', [](u64, u64, u64) { return 1; });
  whole("mov.u64 %x1, l; cvta.local.u64 %x2, %x1; st.b64 [%x2+8], %xa; ld.local.b64 %xd, [l+8];", 'x',
        [](u64 a, u64, u64) { return a; });
  whole("mov.u64 %x1, l; cvta.local.u64 %x2, %x1; cvta.to.local.u64 %x3, %x2; sub.u64 %xd, %x3, %x1;", 'x',
        [](u64, u64, u64) { return 0; });
}
TEST(ptx_memory, loads_and_stores) {
  const std::string own = "mad.wide.u32 %x1, %wt, 16, 0; mov.u64 %x2, s; add.u64 %x1, %x1, %x2;"; // 16 bytes a thread
  whole(own + "st.shared.b64 [%x1], %xa; ld.shared.s8 %wd, [%x1+1];", 'w',
        [](u64 a, u64, u64) { return u32(s32(static_cast<std::int8_t>(a >> 8))); });
  whole(own + "st.shared.b64 [%x1], %xa; ld.shared.u16 %wd, [%x1+2];", 'w',
        [](u64 a, u64, u64) { return u16(a >> 16); });
  whole(own + "st.shared.v2.b64 [%x1], {%xa, %xb}; ld.shared.v4.b32 {%w1, %w2, %w3, %wd}, [%x1];", 'w',
        [](u64, u64 b, u64) { return b >> 32; });
  whole(own + "st.shared.v4.u32 [%x1], {%wa, %wb, %wc, 5}; ld.shared.v2.u64 {%xd, %x3}, [%x1];", 'x',
        [](u64 a, u64 b, u64) { return u64(u32(b)) << 32 | u32(a); });
  whole(own + "st.volatile.shared.u32 [%x1], %wa; ld.volatile.shared.u32 %wd, [%x1];", 'w',
        [](u64 a, u64, u64) { return u32(a); });
  whole(own + "cvta.shared.u64 %x1, %x1; st.b32 [%x1+4], %wa; membar.cta; nanosleep.u32 20; ld.b32 %wd, [%x1+4];", 'w',
        [](u64 a, u64, u64) { return u32(a); });
  whole("st.global.b64 [%rout], %xb; fence.acq_rel.gpu; ld.relaxed.gpu.global.u64 %xd, [%rout];", 'x',
        [](u64, u64 b, u64) { return b; });
  whole("st.relaxed.gpu.global.u64 [%rout], %xb; ld.acquire.gpu.global.u64 %xd, [%rout];", 'x',
        [](u64, u64 b, u64) { return b; });
  whole("ld.global.nc.L1::no_allocate.L2::128B.v2.b32 {%w1, %wd}, [%x0];", 'w',
        [](u64 a, u64, u64) { return a >> 32; });
  whole("ld.const.u32 %wd, [constants+8];", 'w', [](u64, u64, u64) { return 30; });
}
TEST(ptx_memory, atomics) {
  const std::string own = "st.global.b64 [%rout], %xa;", after = " ld.global.b64 %xd, [%rout];";
  const auto high = [](u64 a, u32 low) { return a >> 32 << 32 | low; };
  whole(own + "atom.global.add.u32 %w1, [%rout], %wb;" + after, 'x',
        [&](u64 a, u64 b, u64) { return high(a, u32(a + b)); });
  whole(own + "atom.global.add.u64 %xd, [%rout], %xb;", 'x', [](u64 a, u64, u64) { return a; });
  whole(own + "atom.relaxed.gpu.global.min.s32 %w1, [%rout], %wb;" + after, 'x',
        [&](u64 a, u64 b, u64) { return high(a, u32(std::min(s32(a), s32(b)))); });
  whole(own + "atom.global.max.u64 %x1, [%rout], %xb;" + after, 'x', [](u64 a, u64 b, u64) { return std::max(a, b); });
  whole(own + "atom.global.inc.u32 %w1, [%rout], %wb;" + after, 'x',
        [&](u64 a, u64 b, u64) { return high(a, u32(a) >= u32(b) ? 0 : u32(a) + 1); });
  whole(own + "atom.global.dec.u32 %w1, [%rout], %wb;" + after, 'x',
        [&](u64 a, u64 b, u64) { return high(a, u32(a) == 0 || u32(a) > u32(b) ? u32(b) : u32(a) - 1); });
  whole(own + "atom.global.exch.b64 %x1, [%rout], %xb;" + after, 'x', [](u64, u64 b, u64) { return b; });
  whole(own + "atom.and.b32 %w1, [%rout], %wb;" + after, 'x', [&](u64 a, u64 b, u64) { return high(a, u32(a & b)); });
  whole(own + "atom.global.cas.b64 %x1, [%rout], %xb, %xc;" + after, 'x',
        [](u64 a, u64 b, u64 c) { return a == b ? c : a; });
  whole(own + "red.global.add.u64 [%rout], %xb;" + after, 'x', [](u64 a, u64 b, u64) { return a + b; });
  whole(own + "red.global.max.s64 [%rout], %xb;" + after, 'x',
        [](u64 a, u64 b, u64) { return u64(std::max(s64(a), s64(b))); });
  whole(own + "red.global.inc.u32 [%rout], 5;" + after, 'x',
        [&](u64 a, u64, u64) { return high(a, u32(a) >= 5 ? 0 : u32(a) + 1); });
  whole(own + "red.global.xor.b64 [%rout], %xb;" + after, 'x', [](u64 a, u64 b, u64) { return a ^ b; });
  twofold(own + "atom.global.add.f64 %x1, [%rout], %xb;" + after, [](double a, double b, double) { return a + b; });
}
TEST(ptx_memory, asynchronous_copies) {
  const std::string own = "mad.wide.u32 %x1, %wt, 16, 0; mov.u64 %x2, s; add.u64 %x1, %x1, %x2; cvt.u32.u64 %w1, %x1; "
                          "mad.wide.u32 %x3, %wt, 24, %rin;";
  const std::string ends = " ld.shared.b64 %xd, [%w1];";
  whole(own + "cp.async.ca.shared.global [%w1], [%x3+8], 8; cp.async.commit_group; cp.async.wait_group 0;" + ends, 'x',
        [](u64, u64 b, u64) { return b; });
  whole(own + "cp.async.ca.shared.global [%w1], [%x3+8], 8, 3; cp.async.wait_all;" + ends, 'x',
        [](u64, u64 b, u64) { return b & 0xffffff; });
  rejected(own + "cp.async.cg.shared.global [%w1], [%x3], 8; cp.async.wait_all;", "cp.async of a size");
}
TEST(ptx_control, branches) {
  whole("@%pa bra $yes; mov.b32 %wd, 1; bra.uni $end; $yes: mov.b32 %wd, 2; $end:", 'w',
        [](u64 a, u64, u64) { return a != 0 ? 2 : 1; });
  whole("mov.b32 %w1, 0; and.b32 %w2, %wa, 15; $loop: setp.ge.u32 %p1, %w1, %w2; @%p1 bra $end; add.u32 %w1, %w1, 1; "
        "add.u32 %wd, %wd, %w1; bra $loop; $end:",
        'w', [](u64 a, u64, u64) {
          const u64 n = a & 15;
          return n * (n + 1) / 2;
        });
  whole("and.b32 %w1, %wa, 3; $targets: .branchtargets $t0, $t1, $t2, $t3; brx.idx %w1, $targets; $t0: mov.b32 %wd, "
        "10; bra $end; $t1: mov.b32 %wd, 11; bra $end; $t2: mov.b32 %wd, 12; bra $end; $t3: mov.b32 %wd, 13; $end:",
        'w', [](u64 a, u64, u64) { return 10 + (a & 3); });
  whole("activemask.b32 %wd;", 'w', [](u64, u64, u64) { return 0xffffffff; });
}
TEST(ptx_control, calls_and_exits) {
  const std::string text =
      ".func (.param .b32 result) triple(.param .b32 x) { .reg .b32 %r<3>; ld.param.u32 %r1, [x]; mul.lo.u32 %r2, %r1, "
      "3; st.param.b32 [result], %r2; ret; }\n"
      ".visible .entry k(.param .u64 in, .param .u64 out) { .reg .b64 %x<5>; .reg .b32 %r<5>; .reg .pred %p; "
      "ld.param.u64 %x1, [out]; mov.u32 %r1, %tid.x; mad.wide.u32 %x1, %r1, 8, %x1;\n"
      "setp.gt.u32 %p, %r1, 20; @%p exit; { .param .b32 a; .param .b32 b; st.param.b32 [a], %r1; call.uni (b), triple, "
      "(a); ld.param.b32 %r2, [b]; } cvt.u64.u32 %x2, %r2; st.global.u64 [%x1], %x2; ret; }";
  const auto got = run_module(text, {1}, 32);
  for (u64 t = 0; t < 32; ++t) EXPECT_EQ(got[t], t > 20 ? 0 : 3 * t);
  EXPECT_THROW(run("trap;", 'x', std::vector<u64>(96, 1)), ptx::error);
}
TEST(ptx_control, barriers) {
  std::vector<u64> in(3 * 64);
  for (u64 t = 0; t < 64; ++t) in[3 * t] = t % 3 == 0;
  const std::string pass = "mad.wide.u32 %x1, %wt, 8, 0; mov.u64 %x2, s; add.u64 %x3, %x1, %x2; cvt.u64.u32 %x4, %wt; "
                           "st.shared.u64 [%x3], %x4;";
  for (const char* barrier : {"bar.sync 0;", "barrier.sync.aligned 1;", "bar.cta.sync 0, 64;"}) {
    const auto got = run(pass + barrier + "sub.u64 %x5, %x2, %x1; ld.shared.u64 %xd, [%x5+504];", 'x', in, 64);
    for (u64 t = 0; t < 64; ++t) EXPECT_EQ(got[t], 63 - t);
  }
  for (const char* reduction : {"bar.red.popc.u32 %wd, 0, %pa;", "barrier.red.popc.aligned.u32 %wd, 0, %pa;"})
    for (const u64 count : run(reduction, 'w', in, 64)) EXPECT_EQ(count, 22u);
  for (const u64 any : run("bar.red.or.pred %pd, 0, %pa;", 'p', in, 64)) EXPECT_EQ(any, 1u);
  for (const u64 all : run("barrier.red.and.aligned.pred %pd, 0, %pa;", 'p', in, 64)) EXPECT_EQ(all, 0u);
}
TEST(ptx_warps, shuffles) {
  std::vector<u64> in;
  for (u64 t = 0; t < 32; ++t) in.insert(in.end(), {100 + t, t * 7 % 32, 0});
  const auto lanes = [&](const std::string& body, const std::function<u64(u64)>& expected, char result = 'w') {
    const auto got = run(body, result, in);
    for (u64 t = 0; t < 32; ++t) EXPECT_EQ(got[t], expected(t)) << body << " lane " << t;
  };
  lanes("shfl.sync.bfly.b32 %wd, %wa, 5, 31, 0xffffffff;", [](u64 t) { return 100 + (t ^ 5); });
  lanes("shfl.sync.up.b32 %wd|%pd, %wa, 3, 0, 0xffffffff;", [](u64 t) { return 100 + (t < 3 ? t : t - 3); });
  lanes(
      "shfl.sync.up.b32 %wd|%pd, %wa, 3, 0, 0xffffffff;", [](u64 t) { return t >= 3; }, 'p');
  lanes("shfl.sync.down.b32 %wd|%pd, %wa, 3, 31, 0xffffffff;", [](u64 t) { return 100 + (t + 3 > 31 ? t : t + 3); });
  lanes("shfl.sync.down.b32 %wd, %wa, 3, 0x1807, 0xffffffff;",
        [](u64 t) { return 100 + (t % 8 + 3 > 7 ? t : t + 3); }); // eights
  lanes("shfl.sync.idx.b32 %wd, %wa, %wb, 31, 0xffffffff;", [](u64 t) { return 100 + t * 7 % 32; });
  lanes("shfl.sync.idx.b32 %wd, %wa, 2, 0x181f, 0xffffffff;", [](u64 t) { return 100 + t / 8 * 8 + 2; });
  lanes("bar.warp.sync 0xffffffff; vote.sync.ballot.b32 %wd, %pa, 0xffffffff;", [](u64) { return 0xffffffffu; });
  lanes("setp.gt.u32 %p1, %wt, 10; vote.ballot.sync.b32 %wd, %p1, 0xffffffff;", [](u64) { return 0xfffff800u; });
  lanes(
      "setp.gt.u32 %p1, %wt, 10; vote.sync.any.pred %pd, %p1, 0xffffffff;", [](u64) { return 1; }, 'p');
  lanes(
      "setp.gt.u32 %p1, %wt, 10; vote.sync.all.pred %pd, !%p1, 0xffffffff;", [](u64) { return 0; }, 'p');
  lanes(
      "setp.gt.u32 %p1, %wt, 31; vote.sync.uni.pred %pd, %p1, 0xffffffff;", [](u64) { return 1; }, 'p');
  lanes("and.b32 %w1, %wt, 3; match.any.sync.b32 %wd, %w1, 0xffffffff;", [](u64 t) { return 0x11111111u << t % 4; });
  lanes("match.all.sync.b64 %wd|%pd, %x0, 0xffffffff;", [](u64) { return 0; });
  lanes(
      "match.all.sync.b64 %wd|%pd, %rin, 0xffffffff;", [](u64) { return 1; }, 'p');
  lanes("redux.sync.add.s32 %wd, %wa, 0xffffffff;", [](u64) { return 3200 + 496; });
  lanes("redux.sync.max.u32 %wd, %wa, 0xffffffff;", [](u64) { return 131; });
  lanes("sub.s32 %w1, 5, %wt; redux.sync.min.s32 %wd, %w1, 0xffffffff;", [](u64) { return u32(-26); });
  lanes("redux.sync.or.b32 %wd, %wt, 0xffffffff;", [](u64) { return 31; });
  lanes("setp.lt.u32 %p1, %wt, 16; @%p1 bra $low; shfl.sync.bfly.b32 %wd, %wa, 1, 31, 0xffff0000; bra $end; $low: "
        "shfl.sync.bfly.b32 %wd, %wa, 2, 31, 0xffff; $end:",
        [](u64 t) { return 100 + (t ^ (t < 16 ? 2 : 1)); });
}
TEST(ptx_warps, matrices) {
  // Matrix k, row r, element e is 64 k + 8 r + e, as 16-bit integers.
  const std::string fill =
      "mov.u64 %x1, s; mul.wide.u32 %x2, %wt, 16; add.u64 %x3, %x1, %x2; mul.lo.u32 %w1, %wt, 8; mad.lo.u32 %w2, %w1, "
      "0x10001, 0x10000; st.shared.b32 [%x3], %w2; add.u32 %w2, %w2, 0x20002; st.shared.b32 [%x3+4], %w2; add.u32 %w2, "
      "%w2, 0x20002; st.shared.b32 [%x3+8], %w2; add.u32 %w2, %w2, 0x20002; st.shared.b32 [%x3+12], %w2; bar.warp.sync "
      "0xffffffff; cvt.u32.u64 %w3, %x3;";
  const auto pair = [](u64 first, u64 second) { return first | second << 16; };
  for (u64 k = 0; k < 4; ++k) {
    const std::string take = " mov.b32 %wd, %w1" + std::to_string(k) + ";";
    const auto plain = run(fill + "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%w10, %w11, %w12, %w13}, [%w3];" + take,
                           'w', std::vector<u64>(96, 1));
    const auto turned =
        run(fill + "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%w10, %w11, %w12, %w13}, [%w3];" + take, 'w',
            std::vector<u64>(96, 1));
    for (u64 t = 0; t < 32; ++t) {
      EXPECT_EQ(plain[t], pair(64 * k + t / 4 * 8 + t % 4 * 2, 64 * k + t / 4 * 8 + t % 4 * 2 + 1));
      EXPECT_EQ(turned[t], pair(64 * k + t % 4 * 16 + t / 4, 64 * k + t % 4 * 16 + 8 + t / 4));
    }
  }
}
TEST(ptx_warps, products) {
  // A (16, 16) and B (16, 8) of small integers, exact in every type; each lane makes its own fragments.
  const auto a_at = [](u64 i, u64 k) { return int(i * 3 + k * 5) % 11 - 5; };
  const auto b_at = [](u64 k, u64 j) { return int(k * 7 + j * 2) % 9 - 4; };
  const auto c_at = [](u64 i, u64 j) { return int(i) - 2 * int(j); };
  for (const char* type : {"bf16", "f16"})
    for (const u64 K : {16, 8}) {
      const auto half = [&](int x) -> u64 { return *type == 'b' ? ptx::to_bf16(x) : ptx::to_f16(x); };
      const auto pair = [&](int x, int y) { return half(x) | half(y) << 16; };
      std::vector<u64> in;
      for (u64 t = 0; t < 32; ++t) {
        const u64 row = t / 4, column = t % 4 * 2;
        const auto a = [&](u64 i, u64 k) { return k < K ? pair(a_at(i, k), a_at(i, k + 1)) : 0; };
        const auto b = [&](u64 k) { return k < K ? pair(b_at(k, row), b_at(k + 1, row)) : 0; };
        in.insert(in.end(), {a(row, column) | a(row + 8, column) << 32,
                             a(row, column + 8) | a(row + 8, column + 8) << 32, b(column) | b(column + 8) << 32});
      }
      for (u64 e = 0; e < 4; ++e) {
        // C as i - 2 j, from the lane.
        std::string body = "shr.u32 %w1, %wt, 2; and.b32 %w2, %wt, 3; shl.b32 %w2, %w2, 2; sub.s32 %w3, %w1, %w2; "
                           "cvt.rn.f32.s32 %w10, %w3; add.s32 %w4, %w3, -2; cvt.rn.f32.s32 %w11, %w4; add.s32 %w4, "
                           "%w3, 8; cvt.rn.f32.s32 %w12, %w4; add.s32 %w4, %w3, 6; cvt.rn.f32.s32 %w13, %w4; mov.b64 "
                           "{%w5, %w6}, %xa; mov.b64 {%w7, %w8}, %xb; mov.b64 {%w14, %w15}, %xc;";
        const std::string types = std::string(".row.col.f32.") + type + "." + type + ".f32 ";
        body += K == 16 ? "mma.sync.aligned.m16n8k16" + types +
                              "{%w10, %w11, %w12, %w13}, {%w5, %w6, %w7, %w8}, {%w14, %w15}, {%w10, %w11, %w12, %w13};"
                        : "mma.sync.aligned.m16n8k8" + types +
                              "{%w10, %w11, %w12, %w13}, {%w5, %w6}, {%w14}, {%w10, %w11, %w12, %w13};";
        const auto got = run(body + " mov.b32 %wd, %w1" + std::to_string(e) + ";", 'w', in);
        for (u64 t = 0; t < 32; ++t) {
          const u64 i = t / 4 + e / 2 * 8, j = t % 4 * 2 + e % 2;
          int sum = c_at(i, j);
          for (u64 k = 0; k < K; ++k) sum += a_at(i, k) * b_at(k, j);
          EXPECT_EQ(bits<float>(u32(got[t])), float(sum)) << type << ' ' << K << " row " << i << " column " << j;
        }
      }
    }
}
/// Shared variables of the module take room in the kernels that name them, and nowhere else.
TEST(ptx_memory, shared_variables_of_the_module) {
  ptx::device_memory memory;
  const auto code =
      ptx::decode(head + std::string(".shared .align 16 .b8 first[1000];\n.shared .align 16 .b8 second[48];\n"
                                     ".visible .entry one() {\n.reg .b64 %x<2>;\nmov.u64 %x0, second;\nret;\n}\n"
                                     ".visible .entry both() {\n.reg .b64 %x<2>;\nmov.u64 %x0, second;\n"
                                     "mov.u64 %x1, first;\nmov.u64 %x0, second;\nret;\n}\n"
                                     ".extern .shared .align 16 .b8 rest[];\n"
                                     ".visible .entry none() {\nret;\n}\n"
                                     ".visible .entry dynamic() {\n.reg .b64 %x<2>;\nmov.u64 %x0, rest;\n"
                                     "mov.u64 %x1, second;\nret;\n}\n"),
                  memory);
  EXPECT_EQ(code->entry("one").shared_bytes, 48u);
  EXPECT_EQ(code->entry("both").shared_bytes, 1048u);
  EXPECT_EQ(code->entry("none").shared_bytes, 0u);
  EXPECT_EQ(code->entry("dynamic").dynamic_offset, 48u) << "behind what is named after it";
}

TEST(ptx_text, rejected) {
  rejected("add.foo.s32 %wd, %wa, %wb;", "'.foo' is no modifier or type of add there");
  rejected("add.ftz.f64 %xd, %xa, %xb;", "'.f64' is no modifier or type of add there");
  rejected("add.sat.u32 %wd, %wa, %wb;", "is no modifier or type of add there");
  rejected("fma.f32 %wd, %wa, %wb, %wc;", "'.f32' is no modifier or type of fma there");
  rejected("setp.lt %pd, %wa, %wb;", "lacks a modifier or type");
  rejected("frobnicate.u32 %wd, %wa;", "unknown opcode frobnicate");
  rejected("add.s32 %xd, %wa, %wb;", "operand 1 of add.s32: expected a register of 32 bits");
  rejected("add.s64 %xd, %xa, %wb;", "operand 3 of add.s64: expected a register of 64 bits");
  rejected("add.s32 %wd, %wa;", "too few operands");
  rejected("add.s32 %wd, %wa, %wb, %wc;", "too many operands");
  rejected("add.s32 7, %wa, %wb;", "a constant cannot be written");
  rejected("add.s32 %wd, %wz, %wb;", "unknown name: %wz");
  rejected("bra $nowhere;", "unknown name: $nowhere");
  rejected("ld.global.v2.b32 %wd, [%x0];", "expected 2 registers");
  rejected("ld.global.b32 %wd, %x0;", "expected an address");
  rejected("mma.sync.aligned.m16n8k16.row.col.f32.bf16.f16.f32 {%w1,%w2,%w3,%w4}, {%w1,%w2,%w3,%w4}, {%w1,%w2}, "
           "{%w1,%w2,%w3,%w4};",
           "is not implemented");
  rejected("div.u32 %wd, %wa, 0;", "integer division by zero");
  rejected("selp.b32 %wd, %wa, %wb, %wc;", "expected a predicate");
}
TEST(ptx_text, every_form_was_used) {
  for (const auto part : {ptx::arithmetic_forms(), ptx::conversion_forms(), ptx::memory_forms(), ptx::control_forms(),
                          ptx::matrix_forms()})
    for (const ptx::form& f : part) EXPECT_TRUE(used().count(&f)) << "no test of: " << f.pattern;
}
