// A weight matrix (rows, cols) packed for matrix_tile: panels of NR rows, each [cols][NR], the last one padded with
// zeros, in the dtype of the file (F64 is narrowed where T is float). NR is the panel width of this machine for T.
// Packing reads the stored tensor once, in parallel, checks that every weight is finite, and gives its pages back.
#pragma once
#include "llmap/architectures/decoder_plan.hpp"
#include "llmap/core/parallel.hpp"
#include "llmap/core/simd.hpp"
#include "llmap/core/view.hpp"
#include "llmap/forward/bf16_products.hpp"
#include <atomic>
#include <cmath>
#include <functional>

namespace llmap {

template <class T> struct packed_matrix {
  dtype type = dtype_of<T>;
  arithmetic math = arithmetic::working; // bf16: panels are [(cols + 1) / 2][NR] of bf16_pair
  std::size_t rows = 0, cols = 0, panel = 0;
  aligned_buffer<std::byte> bytes;
  aligned_buffer<T> bias; // (panels * NR), zeros where there is none

  std::size_t panels() const { return (rows + panel - 1) / panel; }
  /// Elements of a column of a panel: cols, or pairs of them.
  std::size_t depth() const { return math == arithmetic::bf16 ? (cols + 1) / 2 : cols; }
  template <class Stored> const Stored* panel_data(std::size_t p) const {
    return reinterpret_cast<const Stored*>(bytes.data()) + p * depth() * panel;
  }
  std::size_t size_bytes() const { return bytes.size() + bias.size() * sizeof(T); }

  /// Calls body.template operator()<Stored>() with the type of the stored elements.
  template <class Body> decltype(auto) visit(Body&& body) const {
    if constexpr (std::is_same_v<T, double>)
      if (type == dtype::f64) return body.template operator()<double>();
    if (type == dtype::bf16) return body.template operator()<bf16>();
    if (type == dtype::f16) return body.template operator()<f16>();
    return body.template operator()<float>();
  }

  /// The same for what reads whole panels, in pairs or not.
  template <class Body> decltype(auto) visit_panels(Body&& body) const {
    if constexpr (std::is_same_v<T, float>)
      if (math == arithmetic::bf16) return body.template operator()<bf16_pair>();
    return visit(body);
  }

  /// Row r widened to T: how a tied head serves as the embedding table.
  void read_row(std::size_t r, T* out) const {
    visit_panels([&]<class Stored>() {
      const Stored* p = panel_data<Stored>(r / panel) + r % panel;
      if constexpr (std::is_same_v<Stored, bf16_pair>)
        for (std::size_t k = 0; k < cols; ++k) out[k] = k % 2 ? p[k / 2 * panel].second : p[k / 2 * panel].first;
      else
        for (std::size_t k = 0; k < cols; ++k) out[k] = static_cast<T>(p[k * panel]);
    });
  }
};

namespace detail {

template <class Stored> Stored load_element(const std::byte* bytes, std::size_t index) {
  Stored value;
  std::memcpy(&value, bytes + index * sizeof(Stored), sizeof(Stored));
  return value;
}
template <class To, class From> To convert_element(From value) {
  if constexpr (std::is_same_v<To, From>) return value;
  else if constexpr (std::is_same_v<From, double>) return To(static_cast<float>(value));
  else return static_cast<To>(static_cast<float>(value));
}
[[noreturn]] inline void not_finite(const std::string& name, std::size_t index) {
  fail("tensor ", name, ": expected finite weights, got NaN or infinity at element ", index);
}

/// Stored row of output row r of a part.
inline std::size_t stored_row(const matrix_part& part, std::size_t r) {
  return static_cast<std::size_t>(part.first) + r / part.group * part.stride + r % part.group;
}

} // namespace detail

/// The whole of a tensor as T, each value finite.
template <class T> aligned_buffer<T> widen_tensor(const tensor_data& data, const std::string& name) {
  aligned_buffer<T> out(static_cast<std::size_t>(data.info.elements()));
  visit_weight_dtype(data.info.type, [&]<class Stored>() {
    for (std::size_t i = 0; i < out.size(); ++i) {
      if constexpr (std::is_same_v<Stored, double>) out[i] = static_cast<T>(detail::load_element<double>(data.bytes.data(), i));
      else out[i] = static_cast<T>(static_cast<float>(detail::load_element<Stored>(data.bytes.data(), i)));
      if (!std::isfinite(out[i])) detail::not_finite(name, i);
    }
  });
  return out;
}

/// Packs the parts of a linear below one another. `name_in_source` maps a plan's tensor name to the source's.
template <class T, tensor_source Source>
packed_matrix<T> pack_matrix(const Source& source, const linear_plan& plan, const std::function<std::string(const std::string&)>& name_in_source,
                             int threads) {
  packed_matrix<T> packed;
  packed.rows = static_cast<std::size_t>(plan.rows());
  packed.cols = static_cast<std::size_t>(plan.cols);
  packed.panel = simd::panel_width<T>();

  // One dtype for the whole matrix: that of the parts if they agree, else the working type's widest.
  std::optional<dtype> common;
  for (const matrix_part& part : plan.parts) {
    const dtype type = source.find(name_in_source(part.weight))->type;
    common = !common || *common == type ? type : (type == dtype::f64 || *common == dtype::f64) ? dtype::f64 : dtype::f32;
  }
  packed.type = *common == dtype::f64 && std::is_same_v<T, float> ? dtype::f32 : *common;
  const std::size_t padded = packed.panels() * packed.panel;
  packed.bias.resize(padded);
  std::fill(packed.bias.data(), packed.bias.data() + padded, T(0));

  packed.visit([&]<class Stored>() {
    packed.bytes.resize(padded * packed.cols * sizeof(Stored));
    auto* out = reinterpret_cast<Stored*>(packed.bytes.data());
    const std::size_t NR = packed.panel, K = packed.cols;
    std::size_t first_row = 0;
    tensor_data data;
    std::string loaded;
    for (const matrix_part& part : plan.parts) {
      const std::string name = name_in_source(part.weight);
      if (name != loaded) data = source.read(name), loaded = name;
      const std::size_t rows = static_cast<std::size_t>(part.rows);
      visit_weight_dtype(data.info.type, [&]<class From>() {
        // Blocks of panels, so that two tasks never write one panel of this part.
        const std::size_t p0 = first_row / NR, p1 = rows ? (first_row + rows - 1) / NR + 1 : p0;
        std::atomic<std::size_t> bad{static_cast<std::size_t>(-1)};
        parallel_for(threads, p1 - p0, [&](std::size_t b) {
          const std::size_t begin = std::max((p0 + b) * NR, first_row), end = std::min((p0 + b + 1) * NR, first_row + rows);
          for (std::size_t row = begin; row < end; ++row) {
            const std::size_t stored = detail::stored_row(part, row - first_row);
            Stored* to = out + row / NR * K * NR + row % NR;
            for (std::size_t k = 0; k < K; ++k) {
              const std::size_t index = part.transposed ? k * static_cast<std::size_t>(part.stored_rows) + stored : stored * K + k;
              const From value = detail::load_element<From>(data.bytes.data(), index);
              if (!std::isfinite(static_cast<double>(value))) bad = index;
              to[k * NR] = detail::convert_element<Stored>(value);
            }
          }
        });
        if (bad != static_cast<std::size_t>(-1)) detail::not_finite(name, bad);
      });
      if (!part.bias.empty()) {
        const std::string bias_name = name_in_source(part.bias);
        const aligned_buffer<T> bias = widen_tensor<T>(source.read(bias_name), bias_name);
        for (std::size_t r = 0; r < rows; ++r) packed.bias[first_row + r] = bias[detail::stored_row(part, r)];
      }
      first_row += rows;
    }
    for (std::size_t row = packed.rows; row < padded; ++row)
      for (std::size_t k = 0; k < K; ++k) out[row / NR * K * NR + k * NR + row % NR] = Stored{};
  });
  return packed;
}

/// The same matrix for bf16 products: weights rounded to bf16 (exact where they are stored so) and laid in pairs.
inline packed_matrix<float> in_bf16_pairs(packed_matrix<float> w, int threads) {
  LLMAP_EXPECTS(w.math == arithmetic::working, "in_bf16_pairs: not yet in pairs");
  packed_matrix<float> out;
  out.type = dtype::bf16;
  out.math = arithmetic::bf16;
  out.rows = w.rows, out.cols = w.cols, out.panel = w.panel;
  out.bias = std::move(w.bias);
  out.bytes.resize(out.panels() * out.depth() * out.panel * sizeof(bf16_pair));
  auto* pairs = reinterpret_cast<bf16_pair*>(out.bytes.data());
  w.visit([&]<class Stored>() {
    parallel_for(threads, w.panels(), [&](std::size_t p) {
      const Stored* from = w.panel_data<Stored>(p);
      bf16_pair* to = pairs + p * out.depth() * out.panel;
      for (std::size_t k = 0; k < w.cols; k += 2)
        for (std::size_t j = 0; j < w.panel; ++j) {
          const auto rounded = [&](std::size_t row) {
            if constexpr (std::is_same_v<Stored, bf16>) return from[row * w.panel + j];
            else return bf16(static_cast<float>(from[row * w.panel + j]));
          };
          to[k / 2 * w.panel + j] = {rounded(k), k + 1 < w.cols ? rounded(k + 1) : bf16{}};
        }
    });
  });
  return out;
}

} // namespace llmap
