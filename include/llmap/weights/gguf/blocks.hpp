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
// In 4-bit blocks of 32, byte j holds weight j below and weight j + 16 above. A block is read as codes and the numbers
// of its groups (weights/coded_rows.hpp). All products and sums are exact in double, so that one rounding to float
// gives the bits that ggml has. Source: ggml, ggml-quants.c dequantize_row_*.
#pragma once
#include "llmap/weights/coded_rows.hpp"
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
inline double signed_byte(std::uint8_t b) { return static_cast<std::int8_t>(b); }

/// 32 codes of 4 bits.
inline void nibbles(const std::uint8_t* from, std::uint8_t* codes) {
  for (int j = 0; j < 16; ++j) codes[j] = from[j] & 15, codes[j + 16] = from[j] >> 4;
}
/// Their fifth bits: bit j of four bytes belongs to weight j.
inline void fifth_bits(const std::uint8_t* high, std::uint8_t* codes) {
  for (int j = 0; j < 32; ++j) codes[j] |= static_cast<std::uint8_t>((high[j / 8] >> (j % 8) & 1) << 4);
}
/// 256 codes of 4 bits: 32 bytes hold group g of 32 below and group g + 1 above.
inline void nibbles_of_pairs(const std::uint8_t* from, std::uint8_t* codes) {
  for (int j = 0; j < 256; ++j)
    codes[j] = j / 32 % 2 ? from[j / 64 * 32 + j % 32] >> 4 : from[j / 64 * 32 + j % 32] & 15;
}
/// 256 codes of 2 bits: 32 bytes hold 128 weights, four layers of 32.
inline void layers_of_two_bits(const std::uint8_t* from, std::uint8_t* codes) {
  for (int j = 0; j < 256; ++j) codes[j] = from[j / 128 * 32 + j % 32] >> (j % 128 / 32 * 2) & 3;
}

inline void codes_q8_0(const std::uint8_t* b, std::uint8_t* codes) {
  for (int j = 0; j < 32; ++j) codes[j] = b[2 + j] ^ 128;
}
inline void codes_q4_0(const std::uint8_t* b, std::uint8_t* codes) { nibbles(b + 2, codes); }
inline void codes_q4_1(const std::uint8_t* b, std::uint8_t* codes) { nibbles(b + 4, codes); }
inline void codes_q5_0(const std::uint8_t* b, std::uint8_t* codes) { nibbles(b + 6, codes), fifth_bits(b + 2, codes); }
inline void codes_q5_1(const std::uint8_t* b, std::uint8_t* codes) { nibbles(b + 8, codes), fifth_bits(b + 4, codes); }
inline void codes_q2_k(const std::uint8_t* b, std::uint8_t* codes) { layers_of_two_bits(b + 16, codes); }
inline void codes_q3_k(const std::uint8_t* b, std::uint8_t* codes) {
  layers_of_two_bits(b + 32, codes);
  for (int j = 0; j < 256; ++j) codes[j] |= static_cast<std::uint8_t>((b[j % 32] >> (j / 32) & 1) << 2);
}
inline void codes_q4_k(const std::uint8_t* b, std::uint8_t* codes) { nibbles_of_pairs(b + 16, codes); }
inline void codes_q5_k(const std::uint8_t* b, std::uint8_t* codes) {
  nibbles_of_pairs(b + 48, codes);
  for (int j = 0; j < 256; ++j) codes[j] |= static_cast<std::uint8_t>((b[16 + j % 32] >> (j / 32) & 1) << 4);
}
inline void codes_q6_k(const std::uint8_t* b, std::uint8_t* codes) {
  const std::uint8_t *low = b, *high = b + 128;
  for (int j = 0; j < 256; ++j) { // 32 weights: low bits in one nibble of 32 bytes, high bits in two bits
    const int half = j / 128, quarter = j % 128 / 32;
    const std::uint8_t byte = low[half * 64 + quarter % 2 * 32 + j % 32];
    codes[j] = static_cast<std::uint8_t>((quarter < 2 ? byte & 15 : byte >> 4) |
                                         (high[half * 32 + j % 32] >> (2 * quarter) & 3) << 4);
  }
}

inline group_numbers numbers_d(const std::uint8_t* b, int) { return {.scale = half_at(b)}; }
inline group_numbers numbers_d_m(const std::uint8_t* b, int) { return {.scale = half_at(b), .offset = half_at(b + 2)}; }
inline group_numbers numbers_q2_k(const std::uint8_t* b, int g) {
  return {.scale = static_cast<double>(b[g] & 15), .offset = static_cast<double>(b[g] >> 4)};
}
/// Scale g of sixteen, 6 bits each: the low 4 of scales 0 to 7 are the low nibbles of eight bytes, those of 8 to 15 the
/// high nibbles; the upper 2 lie in four bytes behind, scale g in byte g % 4.
inline group_numbers numbers_q3_k(const std::uint8_t* b, int g) {
  const std::uint8_t* s = b + 96;
  const int low = g < 8 ? s[g] & 15 : s[g - 8] >> 4;
  return {.scale = static_cast<double>((low | (s[8 + g % 4] >> (g / 4 * 2) & 3) << 4) - 32)};
}
/// Scale and offset g of eight: 6 bits each. The first four lie in the low 6 bits of bytes g and g + 4; of the others
/// 4 bits lie in byte g + 4 and the upper two in the top of the bytes of the first four.
inline group_numbers numbers_q4_k(const std::uint8_t* b, int g) {
  const std::uint8_t* s = b + 4;
  const int scale = g < 4 ? s[g] & 63 : (s[g + 4] & 15) | (s[g - 4] >> 6) << 4,
            offset = g < 4 ? s[g + 4] & 63 : (s[g + 4] >> 4) | (s[g] >> 6) << 4;
  return {.scale = static_cast<double>(scale), .offset = static_cast<double>(offset)};
}
inline group_numbers numbers_q6_k(const std::uint8_t* b, int g) { return {.scale = signed_byte(b[192 + g])}; }

inline outer_numbers outer_q2_k(const std::uint8_t* b) {
  return {.scale = half_at(b + 80), .offset = -half_at(b + 82)};
}
inline outer_numbers outer_q3_k(const std::uint8_t* b) { return {.scale = half_at(b + 108)}; }
inline outer_numbers outer_q4_k(const std::uint8_t* b) { return {.scale = half_at(b), .offset = -half_at(b + 2)}; }
inline outer_numbers outer_q6_k(const std::uint8_t* b) { return {.scale = half_at(b + 208)}; }

} // namespace detail

/// A type of tensors that is read: how large its blocks are, and how one becomes codes and numbers.
struct block_format {
  tensor_type type;                                                         ///< number in the file
  std::string_view name;                                                    ///< as ggml has it
  std::uint64_t elements, bytes;                                            ///< of a block
  dtype read_as;                                                            ///< the type that a reader sees
  int bits = 0, zero = 0;                                                   ///< of a coding; 0 bits: stored as read
  std::int64_t group = 0;                                                   ///< weights that share numbers
  bool offset = false;                                                      ///< whether groups have one
  void (*codes)(const std::uint8_t* block, std::uint8_t* codes) = nullptr;  ///< of a block
  group_numbers (*numbers)(const std::uint8_t* block, int group) = nullptr; ///< of a group
  outer_numbers (*outer)(const std::uint8_t* block) = nullptr; ///< of the block, if its groups are scaled once more

  /// nullopt: stored as read.
  std::optional<coding> coded() const {
    if (bits == 0) return std::nullopt;
    coding how{.bits = bits,
               .group = group,
               .scale = outer ? dtype::i8 : dtype::f16,
               .span = static_cast<std::int64_t>(elements) / group};
    if (offset) how.offset = how.scale;
    if (outer) how.outer_scale = dtype::f16;
    if (outer && offset) how.outer_offset = dtype::f16;
    how.same.zero = zero;
    return how;
  }
};

/// All types that are read.
inline constexpr block_format block_formats[] = {
    {tensor_type::f32, "F32", 1, 4, dtype::f32},
    {tensor_type::f16, "F16", 1, 2, dtype::f16},
    {tensor_type::bf16, "BF16", 1, 2, dtype::bf16},
    {tensor_type::q8_0, "Q8_0", 32, 34, dtype::f32, 8, 128, 32, false, detail::codes_q8_0, detail::numbers_d},
    {tensor_type::q4_0, "Q4_0", 32, 18, dtype::f32, 4, 8, 32, false, detail::codes_q4_0, detail::numbers_d},
    {tensor_type::q4_1, "Q4_1", 32, 20, dtype::f32, 4, 0, 32, true, detail::codes_q4_1, detail::numbers_d_m},
    {tensor_type::q5_0, "Q5_0", 32, 22, dtype::f32, 8, 16, 32, false, detail::codes_q5_0, detail::numbers_d},
    {tensor_type::q5_1, "Q5_1", 32, 24, dtype::f32, 8, 0, 32, true, detail::codes_q5_1, detail::numbers_d_m},
    {tensor_type::q2_k, "Q2_K", 256, 84, dtype::f32, 4, 0, 16, true, detail::codes_q2_k, detail::numbers_q2_k,
     detail::outer_q2_k},
    {tensor_type::q3_k, "Q3_K", 256, 110, dtype::f32, 4, 4, 16, false, detail::codes_q3_k, detail::numbers_q3_k,
     detail::outer_q3_k},
    {tensor_type::q4_k, "Q4_K", 256, 144, dtype::f32, 4, 0, 32, true, detail::codes_q4_k, detail::numbers_q4_k,
     detail::outer_q4_k},
    {tensor_type::q5_k, "Q5_K", 256, 176, dtype::f32, 8, 0, 32, true, detail::codes_q5_k, detail::numbers_q4_k,
     detail::outer_q4_k},
    {tensor_type::q6_k, "Q6_K", 256, 210, dtype::f32, 8, 32, 16, false, detail::codes_q6_k, detail::numbers_q6_k,
     detail::outer_q6_k}};

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
  const auto how = format.coded();
  if (!how) fail("dequantize: expected a quantized type, got ", format.name);
  const auto* from = reinterpret_cast<const std::uint8_t*>(blocks.data());
  std::uint8_t codes[256];
  for (float* w = out.data(); w < out.data() + out.size(); from += format.bytes) {
    format.codes(from, codes);
    const outer_numbers outer = format.outer ? format.outer(from) : outer_numbers{};
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(format.elements); i += format.group) {
      group_numbers own = format.numbers(from, static_cast<int>(i / format.group));
      own.zero = format.zero;
      const group_numbers n = joined(own, outer);
      for (std::int64_t j = i; j < i + format.group; ++j) *w++ = static_cast<float>(decoded(codes[j], n, 1));
    }
  }
}

} // namespace llmap::gguf
