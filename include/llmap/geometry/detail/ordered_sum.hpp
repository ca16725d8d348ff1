// Sums with one fixed order of additions (eight interleaved partial sums, joined pairwise): the bits depend on the
// values alone, not on alignment, threads or the compiler, and the loops still use SIMD.
#pragma once
#include <cstddef>

namespace llmap::detail {

/// Sum over s < n of term(s), where term returns double.
template <class Term> double ordered_sum(std::size_t n, const Term& term) {
  double part[8] = {};
  std::size_t s = 0;
  for (; s + 8 <= n; s += 8)
    for (std::size_t k = 0; k < 8; ++k) part[k] += term(s + k);
  for (std::size_t k = 0; s < n; ++s, ++k) part[k] += term(s);
  return ((part[0] + part[4]) + (part[2] + part[6])) + ((part[1] + part[5]) + (part[3] + part[7]));
}

} // namespace llmap::detail
