// Packs stored weights into panels. A panel is the transpose of NR stored rows, [K][NR]; if the stored matrix is itself
// transposed, its rows are copied side by side. A panel of a 2-byte type holds pairs, [(K + 1) / 2][NR]: elements 2 k
// and 2 k + 1 of a stored row form a word that is moved as one; an odd K ends with a zero. Elements are moved as bits,
// from any address, and each is checked to be finite while it is in a register.
#pragma once
#include "llmap/core/simd.hpp"
#include "llmap/weights/widen.hpp"
#include <cstring>

namespace llmap::detail {

template <class Stored>
using element_bits = std::conditional_t<sizeof(Stored) == 2, std::uint16_t,
                                        std::conditional_t<sizeof(Stored) == 4, std::uint32_t, std::uint64_t>>;

/// Takes the bits of stored elements, W at a time or one by one, and tells whether all were finite: one unit of the
/// exponent added to the magnitude carries into the sign bit exactly if the exponent is all ones.
template <class Stored, int W> class finite_check {
  using bits = element_bits<Stored>;
  static constexpr int fraction = std::is_same_v<Stored, bf16>  ? 7
                                  : std::is_same_v<Stored, f16> ? 10
                                  : sizeof(Stored) == 4         ? 23
                                                                : 52;
  static constexpr bits sign = static_cast<bits>(bits{1} << (8 * sizeof(bits) - 1)),
                        magnitude = static_cast<bits>(~sign), unit = static_cast<bits>(bits{1} << fraction);
  simd::vec<bits, W> seen_{};
  bits seen_alone_ = 0;

public:
  LLMAP_INLINE void see(const simd::vec<bits, W>& v) { seen_ |= (v & magnitude) + unit; }
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

/// The unit of moving: an element, or a pair of a 2-byte type.
template <class Stored> using packed_word = std::conditional_t<sizeof(Stored) == 8, std::uint64_t, std::uint32_t>;
template <class Stored> inline constexpr std::size_t elements_per_word = sizeof(packed_word<Stored>) / sizeof(Stored);

/// to[w][lane] (rows NR apart) = word w of row[lane], for some lanes of a panel.
template <class Stored> struct pack_panel_task {
  const std::byte* const* row; // (lanes)
  std::size_t lanes, K;
  Stored* to;
  std::size_t NR;
  bool* finite; // set to false if an element is not

  template <class Isa> LLMAP_INLINE void operator()() const {
    using word = packed_word<Stored>;
    using bits = element_bits<Stored>;
    constexpr std::size_t S = 4, per_word = elements_per_word<Stored>; // S x S words are transposed in registers
    constexpr std::size_t line = 64 / sizeof(word); // a row's words of one cache line are read together
    constexpr int elements = static_cast<int>(S * per_word);
    finite_check<Stored, elements> check;
    word* const out = reinterpret_cast<word*>(to);
    const std::size_t words = K / per_word, whole_lanes = lanes / S * S, whole_words = words / S * S;
    for (std::size_t first = 0; first < whole_words; first += line)
      for (std::size_t lane = 0; lane < whole_lanes; lane += S)
        for (std::size_t w = first; w < first + line && w < whole_words; w += S) {
          simd::vec<word, S> block[S];
#pragma GCC unroll 4
          for (std::size_t i = 0; i < S; ++i) {
            block[i] = load_unaligned<simd::vec<word, S>>(row[lane + i] + w * sizeof(word));
            check.see(reinterpret_cast<simd::vec<bits, elements>>(block[i]));
          }
          simd::transpose<word>(block);
#pragma GCC unroll 4
          for (std::size_t i = 0; i < S; ++i) simd::store<word, S>(out + (w + i) * NR + lane, block[i]);
        }
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const std::size_t done = lane < whole_lanes ? whole_words : 0;
      for (std::size_t k = done * per_word; k < K; ++k)
        check.see_one(load_unaligned<bits>(row[lane] + k * sizeof(bits)));
      for (std::size_t w = done; w < words; ++w)
        out[w * NR + lane] = load_unaligned<word>(row[lane] + w * sizeof(word));
      if (K % per_word) out[words * NR + lane] = load_unaligned<bits>(row[lane] + (K - 1) * sizeof(bits));
    }
    if (!check.all_finite()) *finite = false;
  }
};

/// Copies stored rows (rows, n), `from_stride` bytes apart, to rows of words, `to_stride` words apart. Two rows of a
/// 2-byte type become one row of pairs; an odd last row is paired with zeros.
template <class From, class Stored> struct copy_rows_task {
  const std::byte* from;
  std::size_t from_stride, rows, n;
  Stored* to;
  std::size_t to_stride;
  bool* finite;

  template <class Isa> LLMAP_INLINE void operator()() const {
    using bits = element_bits<Stored>;
    constexpr std::size_t per_word = elements_per_word<Stored>;
    static_assert(per_word == 1 || std::is_same_v<From, Stored>);
    constexpr int W = 16 / sizeof(bits);
    using vector = simd::vec<bits, W>;
    finite_check<Stored, W> check;
    for (std::size_t r = 0; r < rows; r += per_word) {
      const std::byte *in = from + r * from_stride,
                      *second = per_word == 2 && r + 1 < rows ? in + from_stride : nullptr;
      bits* out = reinterpret_cast<bits*>(to) + r * to_stride;
      std::size_t i = 0;
      if constexpr (std::is_same_v<From, Stored>)
        for (; i + W <= n; i += W) {
          const auto v = load_unaligned<vector>(in + i * sizeof(bits));
          check.see(v);
          if constexpr (per_word == 2) {
            const auto w = second ? load_unaligned<vector>(second + i * sizeof(bits)) : vector{};
            check.see(w);
            simd::store<bits, W>(out + 2 * i, simd::shuffle<0, 8, 1, 9, 2, 10, 3, 11>(v, w));
            simd::store<bits, W>(out + 2 * i + W, simd::shuffle<4, 12, 5, 13, 6, 14, 7, 15>(v, w));
          } else {
            simd::store<bits, W>(out + i, v);
          }
        }
      for (; i < n; ++i) {
        const auto v = std::bit_cast<bits>(convert_element<Stored>(load_unaligned<From>(in + i * sizeof(From))));
        check.see_one(v);
        out[per_word * i] = v;
        if constexpr (per_word == 2)
          check.see_one(out[2 * i + 1] = second ? load_unaligned<bits>(second + i * sizeof(bits)) : bits{0});
      }
    }
    if (!check.all_finite()) *finite = false;
  }
};

} // namespace llmap::detail
