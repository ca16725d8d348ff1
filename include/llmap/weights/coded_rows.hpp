// Matrices stored in codes of at most 8 bits. Consecutive inputs of a row form groups, consecutive groups form spans. A
// weight is
//   w = (value - zero) * scale / divisor + offset
// where value is the table's entry of the code, or the code itself; a span may scale what its groups say:
//   scale = scale of the group * outer.scale / outer.divisor + outer.shift,   offset = that of the group * outer.offset
// All is evaluated in double in this order, and rounded once to the type of the tensor. Numbers that a scheme lacks
// have the values below, which change no bit: -0 is what can be added to any number.
#pragma once
#include "llmap/core/dtype.hpp"
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <tuple>
#include <vector>

namespace llmap {

/// What the inputs of a group share.
struct group_numbers {
  double scale = 1, zero = 0, offset = -0.0; ///< as `decoded` takes them
  bool operator==(const group_numbers&) const = default;
};
/// What the groups of a span share.
struct outer_numbers {
  double scale = 1, divisor = 1, shift = -0.0, offset = 1; ///< as `joined` takes them
};
/// The numbers of a group as weights are decoded with them.
inline group_numbers joined(const group_numbers& g, const outer_numbers& o) {
  return {g.scale * o.scale / o.divisor + o.shift, g.zero, g.offset * o.offset};
}

/// The weight of a value.
inline double decoded(double value, const group_numbers& n, double divisor) {
  const double x = (value - n.zero) * n.scale;
  return (divisor == 1 ? x : x / divisor) + n.offset;
}

/// How a matrix is coded: known before a weight is read. A type is one that holds each such number exactly: U8, I8,
/// F16, BF16, F32 or F64; without a type all groups have the number of `same`, and all spans that of outer_numbers.
struct coding {
  int bits = 8;                                                                       ///< that hold a code: 4 or 8
  std::int64_t group = 1;                                                             ///< inputs
  std::optional<dtype> scale{}, zero{}, offset{};                                     ///< types of group_numbers
  std::int64_t span = 1;                                                              ///< groups
  std::optional<dtype> outer_scale{}, outer_divisor{}, outer_shift{}, outer_offset{}; ///< types of outer_numbers
  std::vector<double> table{}; ///< 2^bits values by code, or none
  double divisor = 1;          ///< of every weight
  group_numbers same{};        ///< of all groups, where no type is

  /// Bit by bit: a table may hold NaN.
  bool operator==(const coding& o) const {
    const auto numbers = [](const coding& c) {
      return std::tuple(c.bits, c.group, c.scale, c.zero, c.offset, c.span, c.outer_scale, c.outer_divisor,
                        c.outer_shift, c.outer_offset, c.table.size(), c.divisor, c.same.scale, c.same.zero,
                        c.same.offset);
    };
    return numbers(*this) == numbers(o) && // a table may hold NaN
           (table.empty() || std::memcmp(table.data(), o.table.data(), table.size() * sizeof(double)) == 0);
  }
};

/// An opened matrix in codes; the rows of a stack's matrices follow one another. Functions may be called by many
/// threads.
struct coded_rows {
  coding how;            ///< of all rows
  std::int64_t cols = 0; ///< weights of a row
  /// The codes of rows [first, first + count), one a byte: (count, cols).
  std::function<void(std::int64_t first, std::int64_t count, std::uint8_t* codes)> codes;
  std::function<group_numbers(std::int64_t row, std::int64_t group)> numbers; ///< of one group of one row
  std::function<outer_numbers(std::int64_t row, std::int64_t span)> outer{};  ///< none: those of no scheme
};

/// The weights of a row (cols) from its codes.
inline void decode_row(const coded_rows& m, std::int64_t row, const std::uint8_t* codes, double* w) {
  const double* table = m.how.table.empty() ? nullptr : m.how.table.data();
  outer_numbers outer;
  for (std::int64_t i = 0, g = 0; i < m.cols; ++g) {
    if (m.outer && g % m.how.span == 0) outer = m.outer(row, g / m.how.span);
    const group_numbers n = joined(m.numbers(row, g), outer);
    const std::int64_t end = std::min(m.cols, i + m.how.group);
    for (; i < end; ++i) w[i] = decoded(table ? table[codes[i]] : codes[i], n, m.how.divisor);
  }
}

} // namespace llmap
