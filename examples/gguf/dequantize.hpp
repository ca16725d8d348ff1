// The tensor types of GGUF that the example reads, and how a block of each becomes floats. A block holds `elements`
// weights in `bytes` bytes; d and m are scales stored as f16, q small integers.
//   q8_0  d, 32 x i8                            w = d q
//   q4_0  d, 32 x 4 bits                        w = d (q - 8)
//   q4_1  d, m, 32 x 4 bits                     w = d q + m
//   q4_k  d, m, 8 pairs (s, o) of 6 bits, 256 x 4 bits      w = (d s) q - (m o), a pair for 32 weights
//   q6_k  256 x (4 + 2) bits, 16 x i8 s, d      w = (d s) (q - 32), one s for 16 weights
// In 4-bit blocks of 32, byte j holds weight j below and weight j + 16 above. Products are rounded in the order of
// the formulas, as ggml does, so the results have the same bits. Source: ggml, ggml-quants.c dequantize_row_*.
#pragma once
#include "llmap/core/dtype.hpp"
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace gguf {

/// Numbers as written in the file.
enum class tensor_type : std::uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q8_0 = 8,
  q4_k = 12,
  q6_k = 14,
  bf16 = 30
};

struct block_format {
  tensor_type type;
  std::string_view name;
  std::uint64_t elements, bytes;
  llmap::dtype read_as;
};

inline constexpr std::array<block_format, 8> block_formats{{{tensor_type::f32, "F32", 1, 4, llmap::dtype::f32},
                                                            {tensor_type::f16, "F16", 1, 2, llmap::dtype::f16},
                                                            {tensor_type::q4_0, "Q4_0", 32, 18, llmap::dtype::f32},
                                                            {tensor_type::q4_1, "Q4_1", 32, 20, llmap::dtype::f32},
                                                            {tensor_type::q8_0, "Q8_0", 32, 34, llmap::dtype::f32},
                                                            {tensor_type::q4_k, "Q4_K", 256, 144, llmap::dtype::f32},
                                                            {tensor_type::q6_k, "Q6_K", 256, 210, llmap::dtype::f32},
                                                            {tensor_type::bf16, "BF16", 1, 2, llmap::dtype::bf16}}};

constexpr const block_format* format_of(std::uint32_t type) {
  for (const block_format& f : block_formats)
    if (static_cast<std::uint32_t>(f.type) == type) return &f;
  return nullptr;
}

namespace detail {

inline float half_at(const std::uint8_t* p) {
  llmap::f16 h;
  h.bits = static_cast<std::uint16_t>(p[0] | p[1] << 8);
  return h;
}
inline int signed_byte(std::uint8_t b) { return static_cast<std::int8_t>(b); }

inline void block_q8_0(const std::uint8_t* b, float* w) {
  const float d = half_at(b);
  for (int j = 0; j < 32; ++j) w[j] = d * static_cast<float>(signed_byte(b[2 + j]));
}
inline void block_q4_0(const std::uint8_t* b, float* w) {
  const float d = half_at(b);
  for (int j = 0; j < 16; ++j) {
    w[j] = d * static_cast<float>((b[2 + j] & 15) - 8);
    w[j + 16] = d * static_cast<float>((b[2 + j] >> 4) - 8);
  }
}
inline void block_q4_1(const std::uint8_t* b, float* w) {
  const float d = half_at(b), m = half_at(b + 2);
  for (int j = 0; j < 16; ++j) {
    w[j] = d * static_cast<float>(b[4 + j] & 15) + m;
    w[j + 16] = d * static_cast<float>(b[4 + j] >> 4) + m;
  }
}

/// Scale and offset g of eight: 6 bits each. The first four lie in the low 6 bits of bytes g and g + 4; of the others
/// 4 bits lie in byte g + 4 and the upper two in the top of the bytes of the first four.
struct scale_pair {
  int scale, offset;
};
inline scale_pair scale_pair_q4_k(const std::uint8_t* s, int g) {
  if (g < 4) return {s[g] & 63, s[g + 4] & 63};
  return {(s[g + 4] & 15) | (s[g - 4] >> 6) << 4, (s[g + 4] >> 4) | (s[g] >> 6) << 4};
}
inline void block_q4_k(const std::uint8_t* b, float* w) {
  const float d = half_at(b), m = half_at(b + 2);
  const std::uint8_t *scales = b + 4, *q = b + 16;
  for (int g = 0; g < 8; ++g) { // 32 bytes hold group g below and group g + 1 above
    const scale_pair pair = scale_pair_q4_k(scales, g);
    const float step = d * static_cast<float>(pair.scale), offset = m * static_cast<float>(pair.offset);
    for (int j = 0; j < 32; ++j) {
      const std::uint8_t byte = q[g / 2 * 32 + j];
      w[g * 32 + j] = step * static_cast<float>(g % 2 ? byte >> 4 : byte & 15) - offset;
    }
  }
}
inline void block_q6_k(const std::uint8_t* b, float* w) {
  const std::uint8_t *low = b, *high = b + 128, *scales = b + 192;
  const float d = half_at(b + 208);
  for (int half = 0; half < 2; ++half)
    for (int quarter = 0; quarter < 4;
         ++quarter) // 32 weights: low bits in one nibble of 32 bytes, high bits in two bits
      for (int j = 0; j < 32; ++j) {
        const std::uint8_t byte = low[half * 64 + quarter % 2 * 32 + j];
        const int bits = (quarter < 2 ? byte & 15 : byte >> 4) | (high[half * 32 + j] >> (2 * quarter) & 3) << 4;
        const int at = half * 128 + quarter * 32 + j;
        w[at] = d * static_cast<float>(signed_byte(scales[at / 16])) * static_cast<float>(bits - 32);
      }
}

} // namespace detail

/// Turns whole blocks of a quantized type into floats; `blocks` and `out` hold the same number of blocks.
inline void dequantize(const block_format& format, std::span<const std::byte> blocks, std::span<float> out) {
  LLMAP_EXPECTS(blocks.size() % format.bytes == 0 && blocks.size() / format.bytes * format.elements == out.size(),
                "dequantize: sizes");
  void (*block)(const std::uint8_t*, float*) = nullptr;
  switch (format.type) {
  case tensor_type::q8_0:
    block = detail::block_q8_0;
    break;
  case tensor_type::q4_0:
    block = detail::block_q4_0;
    break;
  case tensor_type::q4_1:
    block = detail::block_q4_1;
    break;
  case tensor_type::q4_k:
    block = detail::block_q4_k;
    break;
  case tensor_type::q6_k:
    block = detail::block_q6_k;
    break;
  default:
    llmap::fail("dequantize: expected a quantized type, got ", format.name);
  }
  const auto* from = reinterpret_cast<const std::uint8_t*>(blocks.data());
  for (std::size_t i = 0; i < out.size(); i += format.elements, from += format.bytes) block(from, out.data() + i);
}

} // namespace gguf
