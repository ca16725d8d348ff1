// Packs a matrix that is stored in codes into panels of codes: every weight is decoded once, to be checked, and kept as
// its code.
#pragma once
#include "llmap/forward/cpu/executor.hpp"
#include "llmap/forward/cpu/packed_matrix.hpp"
#include "llmap/forward/stored_matrix.hpp"
#include <algorithm>
#include <cmath>
#include <vector>

namespace llmap::detail {

/// Bytes of the panels of a matrix whose elements are stored as such.
template <class T, tensor_source Source>
std::uint64_t bytes_of_elements(const Source& source, const linear_plan& plan, const tensor_naming& names) {
  const std::uint64_t NR = simd::panel_width<T>(),
                      padded = (static_cast<std::uint64_t>(plan.rows()) + NR - 1) / NR * NR;
  const auto element = static_cast<std::uint64_t>(bits_of(packed_dtype<T>(source, plan, names)) / 8);
  const std::uint64_t cols = static_cast<std::uint64_t>(plan.cols);
  return padded * (element == 2 ? (cols + 1) / 2 * 2 : cols) * element;
}

/// The panels of a matrix that stays in codes, still without memory. None if it is not stored in codes, or if they and
/// the numbers of small groups take more than half of what elements take.
template <class T, tensor_source Source>
std::vector<coded_panels> panels_in_codes(const Source& source, const linear_plan& plan, const tensor_naming& names) {
  const std::size_t NR = simd::panel_width<T>();
  std::vector<coded_panels> panels;
  std::uint64_t bytes = 0;
  for (const coded_part& part : coded_parts(source, plan, names, NR)) {
    panels.emplace_back(part.how, static_cast<std::size_t>(plan.cols), NR, (part.rows + NR - 1) / NR);
    bytes += panels.back().size_bytes();
  }
  if (2 * bytes > bytes_of_elements<T>(source, plan, names)) panels.clear();
  return panels;
}

/// A matrix with its shape and bias.
template <class T, tensor_source Source>
packed_matrix<T> without_weights(const Source& source, const linear_plan& plan, const tensor_naming& names) {
  packed_matrix<T> packed;
  packed.type = packed_dtype<T>(source, plan, names);
  packed.rows = static_cast<std::size_t>(plan.rows());
  packed.cols = static_cast<std::size_t>(plan.cols);
  packed.panel = simd::panel_width<T>();
  packed.bias.resize(packed.panels() * packed.panel);
  std::fill(packed.bias.data(), packed.bias.data() + packed.bias.size(), T(0));
  std::size_t first_row = 0;
  for (const matrix_part& part : plan.parts) {
    if (!part.bias.empty()) {
      std::vector<T> bias;
      append_widened(read_matrix(source, names(part.bias), part, part.stored_rows), names(part.bias), bias);
      for (std::size_t r = 0; r < static_cast<std::size_t>(part.rows); ++r)
        packed.bias[first_row + r] = bias[stored_row(part, r)];
    }
    first_row += static_cast<std::size_t>(part.rows);
  }
  return packed;
}

/// Packs output row `row` from row `stored` of a matrix, or of a stack's slice that begins with row `above`.
template <class T>
void pack_row_of_codes(packed_matrix<T>& to, std::size_t row, const coded_rows& from, std::int64_t above,
                       std::int64_t stored, const std::uint8_t* codes, std::span<double> weights,
                       const std::string& name) {
  decode_row(from, above + stored, codes, weights.data());
  const bool exact = std::is_same_v<T, double> && to.type == dtype::f64;
  for (std::size_t k = 0; k < to.cols; ++k)
    if (!std::isfinite(exact ? weights[k] : static_cast<double>(static_cast<float>(weights[k]))))
      not_finite(name, static_cast<std::size_t>(stored) * to.cols + k);
  const auto [panels, p] = to.panel_in_codes(row / to.panel);
  const std::size_t lane = row % to.panel;
  panels->write_codes(p, lane, codes);
  for (std::size_t g = 0; g < panels->groups(); ++g)
    panels->write_numbers(p, lane, g, from.numbers(above + stored, static_cast<std::int64_t>(g)));
  if (from.outer)
    for (std::size_t s = 0; s < panels->spans(); ++s)
      panels->write_outer(p, lane, s, from.outer(above + stored, static_cast<std::int64_t>(s)));
}

/// Packs the parts of a linear below one another into `panels`, which get their memory from `room`.
template <class T, tensor_source Source>
packed_matrix<T> pack_codes(const cpu_executor& exec, const Source& source, const linear_plan& plan,
                            const tensor_naming& names, compute_type compute, std::vector<coded_panels> panels,
                            arena& room) {
  packed_matrix<T> packed = without_weights<T>(source, plan, names);
  packed.compute = compute;
  for (coded_panels& p : panels) p.take_memory(room);
  packed.in_codes = std::move(panels);
  const std::size_t NR = packed.panel, K = packed.cols;
  std::size_t first_row = 0;
  coded_rows rows;
  std::string opened;
  for (const matrix_part& part : plan.parts) {
    const std::string name = names(part.weight);
    if (name != opened) rows = read_coded(source, name), opened = name;
    const std::int64_t above = part.slices ? part.slice * part.stored_rows : 0;
    const std::size_t end = first_row + static_cast<std::size_t>(part.rows), start = first_row / NR;
    parallel_in_order(exec.threads, (end + NR - 1) / NR - start, [&](std::size_t task) { // a panel
      const std::size_t a = std::max((start + task) * NR, first_row), b = std::min((start + task + 1) * NR, end);
      std::vector<std::uint8_t> codes(NR * K);
      std::vector<double> weights(K);
      for_stored_runs(part, a - first_row, b - first_row, [&](std::size_t r, std::size_t stored, std::size_t n) {
        const auto first = static_cast<std::int64_t>(stored);
        rows.codes(above + first, static_cast<std::int64_t>(n), codes.data());
        for (std::size_t i = 0; i < n; ++i)
          pack_row_of_codes(packed, first_row + r + i, rows, above, first + static_cast<std::int64_t>(i),
                            codes.data() + i * K, weights, name);
      });
    });
    first_row = end;
  }
  const std::vector<std::uint8_t> none(K);
  for (std::size_t row = packed.rows; row < packed.panels() * NR; ++row) {
    const auto [last, p] = packed.panel_in_codes(row / NR);
    last->write_codes(p, row % NR, none.data());
    for (std::size_t g = 0; g < last->groups(); ++g) last->write_numbers(p, row % NR, g, {.scale = 0});
    for (std::size_t s = 0; s < last->spans(); ++s) last->write_outer(p, row % NR, s, {});
  }
  return packed;
}

} // namespace llmap::detail
