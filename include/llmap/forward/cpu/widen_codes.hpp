// A block of a panel of codes, widened into scratch before rows are multiplied by it: the weights there have the bits
// of the decoded ones. It costs as much as the products of a few rows.
#pragma once
#include "llmap/forward/cpu/bf16_products.hpp"
#include "llmap/forward/cpu/coded_panels.hpp"
#include <algorithm>

namespace llmap {

namespace detail {

/// Widens columns [first, last) of a panel to rows of NR weights; to bf16_pair, from an even column on, to rows of
/// pairs. Weights of another type than F64 are rounded to float first.
template <class T> struct widen_codes_task {
  using element = std::conditional_t<std::is_same_v<T, bf16_pair>, float, T>;
  const coded_panels* from;
  std::size_t panel, first, last;
  bool exact; // in double: not rounded to float
  T* out;

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr std::size_t NR = simd::panel_columns<Isa, element>;
    alignas(64) double scale[NR], zero[NR], offset[NR];
    alignas(64) element even[NR], odd[NR];
    const auto group = static_cast<std::size_t>(from->how().group);
    T* to = out;
    for (std::size_t k = first; k < last;) {
      from->read_numbers(panel, k / group, 0, NR, scale, zero, offset);
      for (const std::size_t end = std::min(last, (k / group + 1) * group); k < end; ++k) {
        if constexpr (std::is_same_v<T, bf16_pair>) {
          widen_row<Isa>(k, scale, zero, offset, k % 2 ? odd : even);
          if (k % 2 == 0 && k + 1 < last) continue;
          if (k % 2 == 0) std::fill_n(odd, NR, 0.f); // beyond an odd depth
          for (std::size_t j = 0; j < NR; ++j) to[j] = {bf16(even[j]), bf16(odd[j])};
        } else {
          widen_row<Isa>(k, scale, zero, offset, to);
        }
        to += NR;
      }
    }
  }

private:
  template <class Isa>
  LLMAP_INLINE void widen_row(std::size_t k, const double* scale, const double* zero, const double* offset,
                              element* to) const {
    constexpr int W = simd::width<Isa, double>;
    constexpr std::size_t NR = simd::panel_columns<Isa, element>;
    const coding& how = from->how();
    const auto* words = reinterpret_cast<const std::int32_t*>(from->words(panel, k));
    const int shift = from->shift_of(k), mask = from->mask();
    const double* table = how.table.empty() ? nullptr : how.table.data();
    const double divisor = how.divisor;
    for (std::size_t j = 0; j < NR; j += W) {
      simd::vec<double, W> v{};
      if (table)
        for (int i = 0; i < W; ++i) v[i] = table[words[j + static_cast<std::size_t>(i)] >> shift & mask];
      else v = __builtin_convertvector((simd::load<std::int32_t, W>(words + j) >> shift) & mask, simd::vec<double, W>);
      v = (v - simd::load<double, W>(zero + j)) * simd::load<double, W>(scale + j);
      if (divisor != 1) v /= divisor;
      v += simd::load<double, W>(offset + j);
      if constexpr (std::is_same_v<element, double>) {
        if (!exact) v = __builtin_convertvector(__builtin_convertvector(v, simd::vec<float, W>), simd::vec<double, W>);
        simd::store<double, W>(to + j, v);
      } else {
        simd::store<float, W>(to + j, __builtin_convertvector(v, simd::vec<float, W>));
      }
    }
  }
};

} // namespace detail

} // namespace llmap
