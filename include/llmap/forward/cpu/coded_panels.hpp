// Panels of codes (weights/coded_rows.hpp): a panel is [words][NR], a word of 32 bits with the codes of 4 or 8
// consecutive columns of a row, the first lowest: vectors of words are widened by shifts and masks. The numbers of its
// groups, [groups][NR], and of its spans, [spans][NR], lie behind all codes, each in the type that holds it exactly.
#pragma once
#include "llmap/core/arena.hpp"
#include "llmap/core/simd.hpp"
#include "llmap/weights/coded_rows.hpp"
#include <array>

namespace llmap {

namespace detail {

/// Reads n numbers.
inline void read_numbers(dtype type, const std::byte* from, std::size_t n, double* to) {
  visit_number_dtype(type, [&]<class Stored>() {
    const auto* stored = reinterpret_cast<const Stored*>(from);
    for (std::size_t i = 0; i < n; ++i) {
      if constexpr (sizeof(Stored) == 2) to[i] = static_cast<double>(static_cast<float>(stored[i]));
      else to[i] = static_cast<double>(stored[i]);
    }
  });
}
/// Writes a number; one that its type does not hold is a contract_error.
inline void write_number(dtype type, double number, std::byte* to) {
  visit_number_dtype(type, [&]<class Stored>() {
    using source = std::conditional_t<sizeof(Stored) == 2, float, double>; // bf16 and f16 are made from a float
    const auto stored = static_cast<Stored>(static_cast<source>(number));
    std::memcpy(to, &stored, sizeof stored);
  });
  double held = 0;
  read_numbers(type, to, 1, &held);
  LLMAP_EXPECTS(held == number, "coded_panels: a type that holds each number");
}

} // namespace detail

/// Panels with one coding, in one block of bytes.
class coded_panels {
  static constexpr std::size_t kinds = 7; // scale, zero, offset; outer scale, divisor, shift, offset
  struct plane {
    std::optional<dtype> type;
    bool outer = false;
    std::size_t first = 0; // byte
  };
  coding how_;
  std::size_t cols_ = 0, NR_ = 0, panels_ = 0, groups_ = 0, spans_ = 0, size_ = 0;
  std::array<plane, kinds> planes_;
  shared_bytes bytes_;

  std::size_t numbers_of(const plane& p) const { return p.outer ? spans_ : groups_; }
  std::byte* place(const plane& p, std::size_t panel, std::size_t number) const {
    return bytes_.data() + p.first +
           (panel * numbers_of(p) + number) * NR_ * static_cast<std::size_t>(bits_of(*p.type) / 8);
  }
  void write(std::size_t kind, std::size_t panel, std::size_t number, std::size_t lane, double value) const {
    const plane& p = planes_[kind];
    if (!p.type) return;
    detail::write_number(*p.type, value,
                         place(p, panel, number) + lane * static_cast<std::size_t>(bits_of(*p.type) / 8));
  }

public:
  coded_panels() = default;
  /// Of `cols` columns; without memory.
  coded_panels(coding how, std::size_t cols, std::size_t NR, std::size_t panels)
      : how_(std::move(how)), cols_(cols), NR_(NR), panels_(panels) {
    const auto group = static_cast<std::size_t>(how_.group), span = static_cast<std::size_t>(how_.span);
    groups_ = (cols + group - 1) / group, spans_ = (groups_ + span - 1) / span;
    const std::optional<dtype> types[kinds] = {how_.scale,         how_.zero,        how_.offset,      how_.outer_scale,
                                               how_.outer_divisor, how_.outer_shift, how_.outer_offset};
    size_ = panels * panel_words() * sizeof(std::uint32_t);
    for (std::size_t i = 0; i < kinds; ++i) {
      planes_[i] = {types[i], i >= 3, size_ = (size_ + 63) / 64 * 64};
      if (types[i]) size_ += panels * numbers_of(planes_[i]) * NR * static_cast<std::size_t>(bits_of(*types[i]) / 8);
    }
  }
  /// Takes size_bytes() from `room`.
  void take_memory(arena& room) { bytes_ = room.take(size_); }

  const coding& how() const { return how_; }       ///< of all panels
  std::size_t panels() const { return panels_; }   ///< how many there are
  std::size_t size_bytes() const { return size_; } ///< of codes and numbers
  /// Words of codes in a panel.
  std::size_t panel_words() const { return (cols_ + columns_per_word() - 1) / columns_per_word() * NR_; }
  std::size_t groups() const { return groups_; } ///< in a row
  std::size_t spans() const { return spans_; }   ///< in a row

  /// Columns of a word, and the word of a column and those after it.
  std::size_t columns_per_word() const { return 32 / static_cast<std::size_t>(how_.bits); }
  /// The words of the NR lanes that hold a column.
  std::uint32_t* words(std::size_t panel, std::size_t column) const {
    return reinterpret_cast<std::uint32_t*>(bytes_.data()) + panel * panel_words() + column / columns_per_word() * NR_;
  }
  /// Bits below the code of a column in its word.
  int shift_of(std::size_t column) const { return how_.bits * static_cast<int>(column % columns_per_word()); }
  int mask() const { return (1 << how_.bits) - 1; } ///< the bits of a code

  /// Writes the codes (cols) of one lane.
  void write_codes(std::size_t panel, std::size_t lane, const std::uint8_t* from) const {
    for (std::size_t k = 0; k < cols_; k += columns_per_word()) {
      std::uint32_t word = 0;
      for (std::size_t i = k; i < std::min(cols_, k + columns_per_word()); ++i)
        word |= std::uint32_t{from[i]} << shift_of(i);
      words(panel, k)[lane] = word;
    }
  }
  /// Writes what a group of one lane shares.
  void write_numbers(std::size_t panel, std::size_t lane, std::size_t group, const group_numbers& n) const {
    write(0, panel, group, lane, n.scale);
    write(1, panel, group, lane, n.zero);
    write(2, panel, group, lane, n.offset);
  }
  /// Writes what a span of one lane shares.
  void write_outer(std::size_t panel, std::size_t lane, std::size_t span, const outer_numbers& n) const {
    write(3, panel, span, lane, n.scale);
    write(4, panel, span, lane, n.divisor);
    write(5, panel, span, lane, n.shift);
    write(6, panel, span, lane, n.offset);
  }
  /// The joined numbers of a group in lanes [first, first + n), n <= 64: those of one lane are n apart.
  void read_numbers(std::size_t panel, std::size_t group, std::size_t first, std::size_t n, double* scale, double* zero,
                    double* offset) const {
    const auto read = [&](std::size_t kind, double absent, double* to) {
      const plane& p = planes_[kind];
      if (!p.type) return void(std::fill_n(to, n, absent));
      const std::size_t number = p.outer ? group / static_cast<std::size_t>(how_.span) : group;
      detail::read_numbers(*p.type, place(p, panel, number) + first * static_cast<std::size_t>(bits_of(*p.type) / 8), n,
                           to);
    };
    read(0, how_.same.scale, scale), read(1, how_.same.zero, zero), read(2, how_.same.offset, offset);
    if (std::none_of(planes_.begin() + 3, planes_.end(), [](const plane& p) { return p.type.has_value(); })) return;
    double outer[4][64];
    read(3, 1, outer[0]), read(4, 1, outer[1]), read(5, -0.0, outer[2]), read(6, 1, outer[3]);
    for (std::size_t j = 0; j < n; ++j) {
      const group_numbers all =
          joined({scale[j], zero[j], offset[j]}, {outer[0][j], outer[1][j], outer[2][j], outer[3][j]});
      scale[j] = all.scale, offset[j] = all.offset;
    }
  }
  /// The weights (cols) of one lane.
  void read_lane(std::size_t panel, std::size_t lane, double* w) const {
    const double* table = how_.table.empty() ? nullptr : how_.table.data();
    const auto group = static_cast<std::size_t>(how_.group);
    for (std::size_t k = 0; k < cols_;) {
      double scale = 0, zero = 0, offset = 0;
      read_numbers(panel, k / group, lane, 1, &scale, &zero, &offset);
      for (const std::size_t end = std::min(cols_, k + group); k < end; ++k) {
        const auto code = static_cast<int>(words(panel, k)[lane] >> shift_of(k)) & mask();
        w[k] = decoded(table ? table[code] : code, {scale, zero, offset}, how_.divisor);
      }
    }
  }
};

} // namespace llmap
