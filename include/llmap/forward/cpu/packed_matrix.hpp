// A weight matrix (rows, cols) packed for matrix_tile: panels of NR rows, each [cols][NR], the last one padded with
// zeros, in the dtype of the file (F64 narrowed if T is float). Panels of BF16 and F16 are pairs, [(cols + 1) / 2][NR]:
// the halves of a word widen with one operation, and bf16 products read the same bytes. NR is the panel width of this
// machine for T. A matrix that is stored in codes may stay in them: its panels are those of coded_panels.hpp. pack.hpp
// makes one.
#pragma once
#include "llmap/core/arena.hpp"
#include "llmap/core/simd.hpp"
#include "llmap/forward/cpu/bf16_products.hpp"
#include "llmap/forward/cpu/coded_panels.hpp"
#include "llmap/forward/cpu/panel_packing.hpp"
#include "llmap/forward/executor.hpp"
#include "llmap/weights/input_rounding.hpp"
#include <utility>
#include <vector>

namespace llmap {

/// Stands for the stored type of panels of codes, which are widened to T, or to bf16_pair for bf16 products.
template <class T> struct codes_as {};

/// The weights of a linear, of working type T, for this machine only.
template <class T> struct packed_matrix {
  dtype type = dtype_of<T>;                     ///< of the stored elements
  compute_type compute = compute_type::working; // bf16: type is bf16, and pairs are multiplied as they are
  std::size_t rows = 0, cols = 0, panel = 0;    ///< of the weights; panel: NR
  shared_bytes bytes;                           ///< the panels, one after another
  std::vector<coded_panels> in_codes;           ///< or these, `type` being that of the decoded weights
  aligned_buffer<T> bias;                       // (panels * NR), zeros if there is none
  std::vector<rounded_rows> inputs;             // all rows, in their order; empty: no input is rounded

  std::size_t panels() const { return (rows + panel - 1) / panel; } ///< of `panel` rows, the last one filled up
  /// Factors of a dot product: cols, or pairs of them.
  std::size_t depth() const { return compute == compute_type::bf16 ? (cols + 1) / 2 : cols; }
  /// Elements of a column of a panel.
  template <class Stored> std::size_t padded_cols() const {
    return std::is_same_v<Stored, bf16_pair> ? depth() : sizeof(Stored) == 2 ? (cols + 1) / 2 * 2 : cols;
  }
  /// Panel p, of elements of the type that `visit` gives.
  template <class Stored> const Stored* panel_data(std::size_t p) const {
    return reinterpret_cast<const Stored*>(bytes.data()) + p * padded_cols<Stored>() * panel;
  }
  /// Element (row, k), counted in elements of a type that is not bf16_pair.
  template <class Stored> std::size_t index(std::size_t row, std::size_t k) const {
    constexpr std::size_t group = detail::elements_per_word<Stored>;
    return (row / panel * padded_cols<Stored>() + k / group * group) * panel + row % panel * group + k % group;
  }
  /// Of weights and bias.
  std::size_t size_bytes() const {
    std::size_t size = bytes.size() + bias.size() * sizeof(T);
    for (const coded_panels& c : in_codes) size += c.size_bytes();
    return size;
  }
  /// Panel p, of codes, and its number among those of its coding.
  std::pair<const coded_panels*, std::size_t> panel_in_codes(std::size_t p) const {
    const coded_panels* of = in_codes.data();
    for (; p >= of->panels(); ++of) p -= of->panels();
    return {of, p};
  }

  /// Calls body.template operator()<Stored>() with the type of the stored elements, which are no codes.
  template <class Body> decltype(auto) visit(Body&& body) const {
    if constexpr (std::is_same_v<T, double>)
      if (type == dtype::f64) return body.template operator()<double>();
    if (type == dtype::bf16) return body.template operator()<bf16>();
    if (type == dtype::f16) return body.template operator()<f16>();
    return body.template operator()<float>();
  }

  /// The same for code that reads whole panels, in pairs or not; codes are codes_as<T>, or codes_as<bf16_pair>.
  template <class Body> decltype(auto) visit_panels(Body&& body) const {
    if constexpr (std::is_same_v<T, float>)
      if (compute == compute_type::bf16)
        return in_codes.empty() ? body.template operator()<bf16_pair>()
                                : body.template operator()<codes_as<bf16_pair>>();
    return in_codes.empty() ? visit(body) : body.template operator()<codes_as<T>>();
  }

  /// Row r widened to T; this lets a tied head serve as the embedding table.
  void read_row(std::size_t r, T* out) const {
    if (!in_codes.empty()) {
      std::vector<double> wide(cols);
      const auto [of, p] = panel_in_codes(r / panel);
      of->read_lane(p, r % panel, wide.data());
      for (std::size_t k = 0; k < cols; ++k) {
        const float rounded = static_cast<float>(wide[k]);
        out[k] = compute == compute_type::bf16                     ? static_cast<T>(static_cast<float>(bf16(rounded)))
                 : std::is_same_v<T, double> && type == dtype::f64 ? static_cast<T>(wide[k])
                                                                   : static_cast<T>(rounded);
      }
      return;
    }
    visit([&]<class Stored>() {
      for (std::size_t k = 0; k < cols; ++k) out[k] = static_cast<T>(panel_data<Stored>(0)[index<Stored>(r, k)]);
    });
  }
};

} // namespace llmap
