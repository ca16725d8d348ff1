// Stored weights to panels. A panel is the transpose of NR stored rows, [K][NR]; where the stored matrix is itself
// transposed, rows of it are copied side by side. Elements are moved as bits, from any address, and each is checked to be
// finite while it is in a register.
#pragma once
#include "llmap/core/simd.hpp"
#include <cstring>

namespace llmap::detail {

template <class Stored>
using element_bits = std::conditional_t<sizeof(Stored) == 2, std::uint16_t, std::conditional_t<sizeof(Stored) == 4, std::uint32_t, std::uint64_t>>;

/// Sees the bits of stored elements, W at a time or one by one, and knows whether all were finite: one unit of the
/// exponent added to the magnitude carries into the sign bit exactly where the exponent is all ones.
template <class Stored, int W> class finite_check {
  using bits = element_bits<Stored>;
  static constexpr int fraction = std::is_same_v<Stored, bf16> ? 7 : std::is_same_v<Stored, f16> ? 10 : sizeof(Stored) == 4 ? 23 : 52;
  static constexpr bits sign = static_cast<bits>(bits{1} << (8 * sizeof(bits) - 1)), magnitude = static_cast<bits>(~sign),
                        unit = static_cast<bits>(bits{1} << fraction);
  simd::vec<bits, W> seen_{};
  bits seen_alone_ = 0;

public:
  LLMAP_INLINE void see(simd::vec<bits, W> v) { seen_ |= (v & magnitude) + unit; }
  LLMAP_INLINE void see_one(bits v) { seen_alone_ |= static_cast<bits>((v & magnitude) + unit); }
  LLMAP_INLINE bool all_finite() const {
    bits all = seen_alone_;
    for (int i = 0; i < W; ++i) all |= seen_[i];
    return (all & sign) == 0;
  }
};

template <class V> LLMAP_INLINE V load_unaligned(const std::byte* from) {
  V v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

/// Side of the blocks that are transposed in registers.
template <class Bits> inline constexpr int block_side = sizeof(Bits) == 2 ? 8 : 4;

template <class Bits> LLMAP_INLINE void transpose_block(simd::vec<Bits, block_side<Bits>> (&row)[block_side<Bits>]) {
  if constexpr (sizeof(Bits) == 2) {
    // Rows 2 j and 2 j + 1 become words of two: the elements of even columns, and those of odd columns.
    using words = simd::vec<std::uint32_t, 4>;
    words even[4], odd[4];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const auto a = reinterpret_cast<words>(row[2 * j]), b = reinterpret_cast<words>(row[2 * j + 1]);
      even[j] = (a & 0xffffu) | (b << 16);
      odd[j] = (a >> 16) | (b & 0xffff0000u);
    }
    simd::transpose<std::uint32_t>(even);
    simd::transpose<std::uint32_t>(odd);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      row[2 * j] = reinterpret_cast<simd::vec<Bits, 8>>(even[j]);
      row[2 * j + 1] = reinterpret_cast<simd::vec<Bits, 8>>(odd[j]);
    }
  } else {
    simd::transpose<Bits>(row);
  }
}

/// to[k][lane] (rows NR apart) = row[lane][k] for some lanes of a panel.
template <class Stored> struct pack_panel_task {
  const std::byte* const* row; // (lanes)
  std::size_t lanes, K;
  Stored* to;
  std::size_t NR;
  bool* finite; // set to false where an element is not

  template <class Isa> LLMAP_INLINE void operator()() const {
    using bits = element_bits<Stored>;
    constexpr int side = block_side<bits>;
    constexpr std::size_t S = side, line = 64 / sizeof(bits); // a row's columns of one cache line are read together
    finite_check<Stored, side> check;
    bits* const out = reinterpret_cast<bits*>(to);
    const std::size_t whole_lanes = lanes / S * S, whole_K = K / S * S;
    for (std::size_t first = 0; first < whole_K; first += line)
      for (std::size_t lane = 0; lane < whole_lanes; lane += S)
        for (std::size_t k = first; k < first + line && k < whole_K; k += S) {
          simd::vec<bits, side> block[side];
#pragma GCC unroll 8
          for (std::size_t i = 0; i < S; ++i) {
            block[i] = load_unaligned<simd::vec<bits, side>>(row[lane + i] + k * sizeof(bits));
            check.see(block[i]);
          }
          transpose_block<bits>(block);
#pragma GCC unroll 8
          for (std::size_t i = 0; i < S; ++i) simd::store<bits, side>(out + (k + i) * NR + lane, block[i]);
        }
    for (std::size_t lane = 0; lane < lanes; ++lane)
      for (std::size_t k = lane < whole_lanes ? whole_K : 0; k < K; ++k) {
        const auto v = load_unaligned<bits>(row[lane] + k * sizeof(bits));
        check.see_one(v);
        out[k * NR + lane] = v;
      }
    if (!check.all_finite()) *finite = false;
  }
};

template <class To, class From> LLMAP_INLINE To convert_element(From value) {
  if constexpr (std::is_same_v<To, From>) return value;
  else if constexpr (std::is_same_v<From, double>) return To(static_cast<float>(value));
  else return static_cast<To>(static_cast<float>(value));
}

/// to (rows, n) = from (rows, n), rows `from_stride` bytes and `to_stride` elements apart.
template <class From, class Stored> struct copy_rows_task {
  const std::byte* from;
  std::size_t from_stride, rows, n;
  Stored* to;
  std::size_t to_stride;
  bool* finite;

  template <class Isa> LLMAP_INLINE void operator()() const {
    using bits = element_bits<Stored>;
    constexpr int W = 16 / sizeof(bits);
    finite_check<Stored, W> check;
    for (std::size_t r = 0; r < rows; ++r) {
      const std::byte* in = from + r * from_stride;
      bits* out = reinterpret_cast<bits*>(to + r * to_stride);
      std::size_t i = 0;
      if constexpr (std::is_same_v<From, Stored>)
        for (; i + W <= n; i += W) {
          const auto v = load_unaligned<simd::vec<bits, W>>(in + i * sizeof(bits));
          check.see(v);
          simd::store<bits, W>(out + i, v);
        }
      for (; i < n; ++i) {
        const auto v = std::bit_cast<bits>(convert_element<Stored>(load_unaligned<From>(in + i * sizeof(From))));
        check.see_one(v);
        out[i] = v;
      }
    }
    if (!check.all_finite()) *finite = false;
  }
};

} // namespace llmap::detail
