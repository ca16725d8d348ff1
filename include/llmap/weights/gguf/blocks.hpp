// The types of tensors in GGUF, and how a block of each becomes floats. A block holds `elements` weights in `bytes`
// bytes; d and m are scales stored as f16, q, s and o small integers.
//   q8_0  d, 32 x i8                                        w = d q
//   q4_0  d, 32 x 4 bits                                    w = d (q - 8)
//   q4_1  d, m, 32 x 4 bits                                 w = d q + m
//   q5_0  d, 32 x 1 bit, 32 x 4 bits                        w = d (q - 16)
//   q5_1  d, m, 32 x 1 bit, 32 x 4 bits                     w = d q + m
//   q2_k  16 pairs (s, o) of 4 bits, 256 x 2 bits, d, m     w = (d s) q - (m o), a pair for 16 weights
//   q3_k  256 x 1 bit, 256 x 2 bits, 16 x 6 bits s, d       w = (d (s - 32)) (q - 4), one s for 16 weights
//   q4_k  d, m, 8 pairs (s, o) of 6 bits, 256 x 4 bits      w = (d s) q - (m o), a pair for 32 weights
//   q5_k  as q4_k, with 256 x 1 bit before the 4 bits
//   q6_k  256 x (4 + 2) bits, 16 x i8 s, d                  w = (d s) (q - 32), one s for 16 weights
// In 4-bit blocks of 32, byte j holds weight j below and weight j + 16 above. Products are rounded in the order of
// the formulas, as ggml does, so the results have the same bits. Source: ggml, ggml-quants.c dequantize_row_*.
#pragma once
#include "llmap/core/dtype.hpp"
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace llmap::gguf {

/// Numbers as written in the file.
enum class tensor_type : std::uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q2_k = 10,
  q3_k = 11,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  bf16 = 30
};

namespace detail {

inline float half_at(const std::uint8_t* p) {
  f16 h;
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

/// The fifth bits of a block of 32: bit j of four bytes belongs to weight j.
inline int fifth_bit(const std::uint8_t* high, int j) { return (high[j / 8] >> (j % 8) & 1) << 4; }
inline void block_q5_0(const std::uint8_t* b, float* w) {
  const float d = half_at(b);
  for (int j = 0; j < 16; ++j) {
    w[j] = d * static_cast<float>(((b[6 + j] & 15) | fifth_bit(b + 2, j)) - 16);
    w[j + 16] = d * static_cast<float>(((b[6 + j] >> 4) | fifth_bit(b + 2, j + 16)) - 16);
  }
}
inline void block_q5_1(const std::uint8_t* b, float* w) {
  const float d = half_at(b), m = half_at(b + 2);
  for (int j = 0; j < 16; ++j) {
    w[j] = d * static_cast<float>((b[8 + j] & 15) | fifth_bit(b + 4, j)) + m;
    w[j + 16] = d * static_cast<float>((b[8 + j] >> 4) | fifth_bit(b + 4, j + 16)) + m;
  }
}

/// Where the 2 bits of weight j of 256 lie: 32 bytes hold 128 weights, four layers of 32.
inline int two_bits(const std::uint8_t* q, int j) { return q[j / 128 * 32 + j % 32] >> (j % 128 / 32 * 2) & 3; }
inline void block_q2_k(const std::uint8_t* b, float* w) {
  const float d = half_at(b + 80), m = half_at(b + 82);
  for (int j = 0; j < 256; ++j) {
    const std::uint8_t pair = b[j / 16];
    const float step = d * static_cast<float>(pair & 15), offset = m * static_cast<float>(pair >> 4);
    w[j] = step * static_cast<float>(two_bits(b + 16, j)) - offset;
  }
}
/// Scale g of sixteen, 6 bits each: the low 4 of scales 0 to 7 are the low nibbles of eight bytes, those of 8 to 15 the
/// high nibbles; the upper 2 lie in four bytes behind, scale g in byte g % 4.
inline int scale_q3_k(const std::uint8_t* s, int g) {
  const int low = g < 8 ? s[g] & 15 : s[g - 8] >> 4;
  return (low | (s[8 + g % 4] >> (g / 4 * 2) & 3) << 4) - 32;
}
inline void block_q3_k(const std::uint8_t* b, float* w) {
  const float d = half_at(b + 108);
  for (int j = 0; j < 256; ++j) {
    const int high = b[j % 32] >> (j / 32) & 1; // bit 2 of q
    const float step = d * static_cast<float>(scale_q3_k(b + 96, j / 16));
    w[j] = step * static_cast<float>((two_bits(b + 32, j) | high << 2) - 4);
  }
}
inline void block_q5_k(const std::uint8_t* b, float* w) {
  const float d = half_at(b), m = half_at(b + 2);
  const std::uint8_t *scales = b + 4, *high = b + 16, *q = b + 48;
  for (int g = 0; g < 8; ++g) {
    const scale_pair pair = scale_pair_q4_k(scales, g);
    const float step = d * static_cast<float>(pair.scale), offset = m * static_cast<float>(pair.offset);
    for (int j = 0; j < 32; ++j) {
      const std::uint8_t byte = q[g / 2 * 32 + j];
      const int bits = (g % 2 ? byte >> 4 : byte & 15) | (high[j] >> g & 1) << 4;
      w[g * 32 + j] = step * static_cast<float>(bits) - offset;
    }
  }
}

} // namespace detail

/// A type of tensors that is read: how large its blocks are, and how one becomes floats.
struct block_format {
  tensor_type type;
  std::string_view name;
  std::uint64_t elements, bytes;                                ///< of a block
  dtype read_as;                                                ///< the type that a reader sees
  void (*block)(const std::uint8_t* from, float* to) = nullptr; ///< null: stored as read
};

/// All types that are read.
inline constexpr block_format block_formats[] = {{tensor_type::f32, "F32", 1, 4, dtype::f32},
                                                 {tensor_type::f16, "F16", 1, 2, dtype::f16},
                                                 {tensor_type::bf16, "BF16", 1, 2, dtype::bf16},
                                                 {tensor_type::q8_0, "Q8_0", 32, 34, dtype::f32, detail::block_q8_0},
                                                 {tensor_type::q4_0, "Q4_0", 32, 18, dtype::f32, detail::block_q4_0},
                                                 {tensor_type::q4_1, "Q4_1", 32, 20, dtype::f32, detail::block_q4_1},
                                                 {tensor_type::q5_0, "Q5_0", 32, 22, dtype::f32, detail::block_q5_0},
                                                 {tensor_type::q5_1, "Q5_1", 32, 24, dtype::f32, detail::block_q5_1},
                                                 {tensor_type::q2_k, "Q2_K", 256, 84, dtype::f32, detail::block_q2_k},
                                                 {tensor_type::q3_k, "Q3_K", 256, 110, dtype::f32, detail::block_q3_k},
                                                 {tensor_type::q4_k, "Q4_K", 256, 144, dtype::f32, detail::block_q4_k},
                                                 {tensor_type::q5_k, "Q5_K", 256, 176, dtype::f32, detail::block_q5_k},
                                                 {tensor_type::q6_k, "Q6_K", 256, 210, dtype::f32, detail::block_q6_k}};

/// The name that ggml gives a type that is not read here, or "".
constexpr std::string_view unread_type(std::uint32_t type) {
  constexpr std::pair<std::uint32_t, std::string_view> names[] = {
      {9, "Q8_1"},   {15, "Q8_K"},  {16, "IQ2_XXS"}, {17, "IQ2_XS"}, {18, "IQ3_XXS"}, {19, "IQ1_S"}, {20, "IQ4_NL"},
      {21, "IQ3_S"}, {22, "IQ2_S"}, {23, "IQ4_XS"},  {24, "I8"},     {25, "I16"},     {26, "I32"},   {27, "I64"},
      {28, "F64"},   {29, "IQ1_M"}, {34, "TQ1_0"},   {35, "TQ2_0"},  {39, "MXFP4"}};
  for (const auto& [number, name] : names)
    if (number == type) return name;
  return "";
}

/// The format of a type as the file numbers it; nullptr if it is not read.
constexpr const block_format* format_of(std::uint32_t type) {
  for (const block_format& f : block_formats)
    if (static_cast<std::uint32_t>(f.type) == type) return &f;
  return nullptr;
}

/// Turns whole blocks of a quantized type into floats; `blocks` and `out` hold the same number of blocks.
inline void dequantize(const block_format& format, std::span<const std::byte> blocks, std::span<float> out) {
  LLMAP_EXPECTS(blocks.size() % format.bytes == 0 && blocks.size() / format.bytes * format.elements == out.size(),
                "dequantize: sizes");
  if (!format.block) fail("dequantize: expected a quantized type, got ", format.name);
  const auto* from = reinterpret_cast<const std::uint8_t*>(blocks.data());
  for (std::size_t i = 0; i < out.size(); i += format.elements, from += format.bytes)
    format.block(from, out.data() + i);
}

} // namespace llmap::gguf
