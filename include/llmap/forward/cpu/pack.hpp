// Packs a weight matrix. The stored tensor is read once, in parallel, every weight is checked to be finite, and pages
// are returned block by block: a load takes the memory of the packed weights and a few MiB. A matrix that is stored in
// codes stays in them (pack_codes.hpp) where that saves half of the memory.
#pragma once
#include "llmap/forward/cpu/executor.hpp"
#include "llmap/forward/cpu/pack_codes.hpp"
#include "llmap/forward/cpu/packed_matrix.hpp"
#include "llmap/forward/stored_matrix.hpp"
#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

namespace llmap {

namespace detail {

/// Packs one part of a matrix, from output row first_row on. Returns whether all its weights are finite.
template <class From, class Stored> class part_packer {
  const matrix_part& part;
  const tensor_data& data;
  const std::size_t first_row, NR, K, padded_K;
  Stored* const out;
  std::atomic<bool> finite{true};

  // Stored bytes of a task: enough to be worth a call that returns pages, few compared with the memory of a machine.
  static constexpr std::size_t task_bytes = 512 << 10;
  static constexpr std::size_t stage_columns = 64; // columns converted at a time
  static constexpr std::size_t widest_panel = simd::panel_columns<simd::avx512, float>;

  std::size_t stored_bytes(std::size_t elements) const { return elements * sizeof(From); }
  Stored* lane_of(std::size_t row) const {
    return out + row / NR * padded_K * NR + row % NR * elements_per_word<Stored>;
  }

public:
  template <class T>
  part_packer(const matrix_part& part, const tensor_data& data, std::size_t first_row, const packed_matrix<T>& to)
      : part(part), data(data), first_row(first_row), NR(to.panel), K(to.cols),
        padded_K(to.template padded_cols<Stored>()), out(reinterpret_cast<Stored*>(to.bytes.data())) {}

  bool run(int threads) {
    if (part.rows == 0 || K == 0) return true;
    // Tasks take whole panels, or whole stored rows if the stored matrix is transposed: no two write to the same place.
    // They run in order, so that little of the stored matrix is in memory.
    if (part.transposed) {
      const std::size_t width = static_cast<std::size_t>(part.stored_rows),
                        step = std::max<std::size_t>(2, task_bytes / stored_bytes(width) / 2 * 2);
      parallel_in_order(threads, (K + step - 1) / step, [&](std::size_t task) {
        const std::size_t k = task * step, n = std::min(step, K - k);
        copy_columns(k, n, width);
        data.release(stored_bytes(k * width), stored_bytes(n * width));
      });
    } else {
      const std::size_t end = first_row + static_cast<std::size_t>(part.rows),
                        step = std::max<std::size_t>(1, task_bytes / stored_bytes(NR * K)) * NR;
      const std::size_t start = first_row / step * step;
      parallel_in_order(threads, (end - start + step - 1) / step, [&](std::size_t task) {
        const std::size_t a = std::max(start + task * step, first_row), b = std::min(start + (task + 1) * step, end);
        for (std::size_t row = a; row < b; row = std::min(b, (row / NR + 1) * NR))
          pack_panel(row, std::min(b, (row / NR + 1) * NR));
        for_stored_runs(part, a - first_row, b - first_row, [&](std::size_t, std::size_t stored, std::size_t n) {
          data.release(stored_bytes(stored * K), stored_bytes(n * K));
        });
      });
    }
    return finite;
  }

private:
  /// Output rows [begin, end) of one panel.
  void pack_panel(std::size_t begin, std::size_t end) {
    bool good = true;
    const std::byte* row[widest_panel];
    for (std::size_t r = begin; r < end; ++r)
      row[r - begin] = data.bytes.data() + stored_bytes(stored_row(part, r - first_row) * K);
    if constexpr (std::is_same_v<From, Stored>) {
      simd::run(pack_panel_task<Stored>{row, end - begin, K, lane_of(begin), NR, &good});
    } else {
      Stored converted[stage_columns * widest_panel];
      for (std::size_t k = 0; k < K; k += stage_columns) {
        const std::size_t n = std::min(stage_columns, K - k);
        const std::byte* stage[widest_panel];
        for (std::size_t i = 0; i < end - begin; ++i) {
          Stored* const to = converted + i * stage_columns;
          simd::run(copy_rows_task<From, Stored>{row[i] + stored_bytes(k), 0, 1, n, to, 0, &good});
          stage[i] = reinterpret_cast<const std::byte*>(to);
        }
        simd::run(pack_panel_task<Stored>{stage, end - begin, n, lane_of(begin) + k * NR, NR, &good});
      }
    }
    if (!good) finite = false;
  }

  /// Stored rows k, k + 1, ... of a transposed matrix: n columns of every panel.
  void copy_columns(std::size_t k, std::size_t n, std::size_t width) {
    bool good = true;
    for_stored_runs(
        part, 0, static_cast<std::size_t>(part.rows), [&](std::size_t r, std::size_t stored, std::size_t count) {
          for (std::size_t i = 0; i < count;) {
            const std::size_t row = first_row + r + i, lanes = std::min(count - i, NR - row % NR);
            simd::run(copy_rows_task<From, Stored>{data.bytes.data() + stored_bytes(k * width + stored + i),
                                                   stored_bytes(width), n, lanes, lane_of(row) + k * NR, NR, &good});
            i += lanes;
          }
        });
    if (!good) finite = false;
  }
};

} // namespace detail

/// Bytes that a packed matrix takes, padding and bias included.
template <class T, tensor_source Source>
std::uint64_t packed_bytes(const cpu_executor&, const Source& source, const linear_plan& plan,
                           const tensor_naming& names) {
  const std::uint64_t NR = simd::panel_width<T>(),
                      padded = (static_cast<std::uint64_t>(plan.rows()) + NR - 1) / NR * NR;
  std::uint64_t bytes = 0;
  for (const coded_panels& c : detail::panels_in_codes<T>(source, plan, names)) bytes += c.size_bytes();
  if (bytes == 0) bytes = detail::bytes_of_elements<T>(source, plan, names);
  return bytes + padded * sizeof(T);
}

namespace detail {

/// Packs the parts of a linear below one another, in the dtype they are stored in, into `room`.
template <class T, tensor_source Source>
packed_matrix<T> pack_stored(const cpu_executor& exec, const Source& source, const linear_plan& plan,
                             const tensor_naming& names, arena& room) {
  packed_matrix<T> packed = without_weights<T>(source, plan, names);
  const std::size_t padded = packed.panels() * packed.panel;
  packed.visit([&]<class Stored>() {
    packed.bytes = room.take(padded * packed.template padded_cols<Stored>() * sizeof(Stored));
    std::size_t first_row = 0;
    tensor_data data;
    const matrix_part* loaded = nullptr;
    for (const matrix_part& part : plan.parts) {
      const std::string name = names(part.weight);
      if (!loaded || loaded->weight != part.weight || loaded->slice != part.slice)
        data = read_matrix(source, name, part, part.stored_rows * plan.cols);
      loaded = &part;
      visit_weight_dtype(data.info.type, [&]<class From>() {
        if constexpr (sizeof(Stored) != 2 || std::is_same_v<From, Stored>)
          if (!part_packer<From, Stored>(part, data, first_row, packed).run(exec.threads))
            name_not_finite<From, Stored>(data, name);
      });
      first_row += static_cast<std::size_t>(part.rows);
    }
    auto* out = reinterpret_cast<Stored*>(packed.bytes.data());
    for (std::size_t row = packed.rows; row < padded; ++row)
      for (std::size_t k = 0; k < packed.template padded_cols<Stored>(); ++k)
        out[packed.template index<Stored>(row, k)] = Stored{};
  });
  return packed;
}

} // namespace detail

/// The same matrix for bf16 products: weights rounded to bf16. Two-byte weights stay in place; wider ones move to
/// `room`, and both copies exist meanwhile.
inline packed_matrix<float> in_bf16(packed_matrix<float> w, int threads, arena& room) {
  LLMAP_EXPECTS(w.compute == compute_type::working, "in_bf16: not yet for bf16 products");
  w.compute = compute_type::bf16;
  if (w.type == dtype::bf16) return w;
  const std::size_t padded_cols = w.padded_cols<bf16>();
  const shared_bytes bytes =
      w.type == dtype::f16 ? w.bytes : room.take(w.panels() * w.panel * padded_cols * sizeof(bf16));
  auto* to = reinterpret_cast<bf16*>(bytes.data());
  w.visit([&]<class Stored>() {
    const Stored* from = w.panel_data<Stored>(0);
    parallel_for(threads, w.panels(), [&](std::size_t p) {
      for (std::size_t row = p * w.panel; row < (p + 1) * w.panel; ++row)
        for (std::size_t k = 0; k < padded_cols; ++k)
          to[w.index<bf16>(row, k)] =
              k < w.padded_cols<Stored>() ? bf16(static_cast<float>(from[w.index<Stored>(row, k)])) : bf16{};
    });
  });
  w.bytes = bytes;
  w.type = dtype::bf16;
  return w;
}

/// The matrix of a linear_plan. For bf16 products it is rounded to bf16; see docs/numerics.md.
template <class T, tensor_source Source>
packed_matrix<T> pack(const cpu_executor& exec, const Source& source, const linear_plan& plan,
                      const tensor_naming& names, compute_type compute, arena& room) {
  if (auto panels = detail::panels_in_codes<T>(source, plan, names); !panels.empty())
    return detail::pack_codes<T>(exec, source, plan, names, compute, std::move(panels), room);
  if constexpr (std::is_same_v<T, float>)
    if (compute == compute_type::bf16) {
      arena own; // for weights of more than two bytes
      const bool narrow = bits_of(packed_dtype<T>(source, plan, names)) == 16;
      return in_bf16(detail::pack_stored<T>(exec, source, plan, names, narrow ? room : own), exec.threads, room);
    }
  LLMAP_EXPECTS(compute == compute_type::working, "pack: bf16 products have sums in float");
  return detail::pack_stored<T>(exec, source, plan, names, room);
}

/// The same in its own memory, from a source with the names of the plan.
template <class T, tensor_source Source>
packed_matrix<T> pack(const cpu_executor& exec, const Source& source, const linear_plan& plan,
                      compute_type compute = compute_type::working) {
  arena own;
  return pack<T>(exec, source, plan, {}, compute, own);
}

/// A matrix in memory, w (N, K) of double, float, bf16 or f16, with a bias (N) or none.
template <class T, class Stored>
packed_matrix<T> pack(const cpu_executor& exec, matrix_view<Stored> w, std::span<const T> bias = {},
                      compute_type compute = compute_type::working) {
  using element = std::remove_const_t<Stored>;
  LLMAP_EXPECTS(bias.empty() || bias.size() == w.rows, "pack: a bias for every row");
  std::vector<element> copy; // if rows are apart
  if (w.stride != w.cols)
    for (std::size_t r = 0; r < w.rows; ++r) copy.insert(copy.end(), w.row(r), w.row(r) + w.cols);
  struct one_matrix {
    tensor_data data;
    std::vector<std::string> names() const { return {"w"}; }
    std::optional<tensor_info> find(const std::string&) const { return data.info; }
    tensor_data read(const std::string&) const { return data; }
  };
  const auto N = static_cast<std::int64_t>(w.rows), K = static_cast<std::int64_t>(w.cols);
  const one_matrix source{{{dtype_of<element>, {N, K}},
                           std::as_bytes(std::span(copy.empty() ? w.data : copy.data(), w.rows * w.cols)),
                           nullptr}};
  packed_matrix<T> packed = pack<T>(exec, source, linear_plan{K, {{"w", "", N, N, 0, N, N}}}, compute);
  std::copy(bias.begin(), bias.end(), packed.bias.data());
  return packed;
}

/// Fails unless products of this kind can be computed here.
template <class T>
void check_support(const cpu_executor&, const decoder_plan&, compute_type compute, const std::string& where) {
  if (compute == compute_type::bf16 && !(std::is_same_v<T, float> && simd::has_bf16_products()))
    fail(where, ": bf16 arithmetic: expected a processor with AVX512_BF16 and float sums; this one runs ",
         name_of(simd::active_isa()), " without it (float32 reads bf16 weights as well)");
}

} // namespace llmap
