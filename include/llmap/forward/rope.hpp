// rope: rotary position embedding of q and k, half-split pairs (i, i + r/2) of the first r dims of each head:
//   x_i' = x_i cos - x_j sin,  x_j' = x_j cos + x_i sin,  angle = position * frequency_i.
// Frequencies and angles are computed in double and rounded once. Sources: transformers modeling_rope_utils.py;
// Peng et al., "YaRN" (2023); the scaling kinds are those of rope_plan.
#pragma once
#include "llmap/architectures/decoder_plan.hpp"
#include "llmap/core/simd.hpp"
#include "llmap/forward/batch.hpp"
#include "llmap/forward/cpu_executor.hpp"
#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace llmap {

/// The r / 2 frequencies for a text of `tokens` tokens, radians a position.
inline std::vector<double> rope_frequencies(const rope_plan& plan, std::size_t tokens) {
  using kind = rope_plan::scaling;
  const double r = static_cast<double>(plan.dims), s = plan.factor, n0 = plan.original_positions;
  double theta = plan.theta;
  if (plan.kind == kind::dynamic) {
    const double n = std::max(static_cast<double>(tokens), n0);
    theta *= std::pow(s * n / n0 - (s - 1), r / (r - 2));
  }
  const auto correction = [&](double beta) { return r * std::log(n0 / (2 * std::numbers::pi * beta)) / (2 * std::log(theta)); };
  double low = 0, high = 0;
  if (plan.kind == kind::yarn) {
    low = correction(plan.beta_fast), high = correction(plan.beta_slow);
    if (plan.truncate) low = std::floor(low), high = std::ceil(high);
    low = std::max(low, 0.0), high = std::min(high, r - 1);
    if (low == high) high += 0.001;
  }
  std::vector<double> frequency(static_cast<std::size_t>(plan.dims / 2));
  for (std::size_t i = 0; i < frequency.size(); ++i) {
    const double f = std::pow(theta, -2 * static_cast<double>(i) / r);
    switch (plan.kind) {
    case kind::none: case kind::dynamic: frequency[i] = f; break;
    case kind::linear: frequency[i] = f / s; break;
    case kind::llama3: {
      const double wavelength = 2 * std::numbers::pi / f, lo = plan.low_frequency_factor, hi = plan.high_frequency_factor;
      const double t = std::clamp((n0 / wavelength - lo) / (hi - lo), 0.0, 1.0); // 0: stretched, 1: as trained
      frequency[i] = (1 - t) * f / s + t * f;
      break;
    }
    case kind::yarn: {
      const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
      frequency[i] = f * (1 - ramp) + f / s * ramp;
      break;
    }
    case kind::longrope:
      frequency[i] = f / (static_cast<double>(tokens) > n0 ? plan.long_factor : plan.short_factor)[i];
      break;
    }
  }
  return frequency;
}

/// cos (T, r/2) beside sin (T, r/2) for every row of a batch.
template <class T> struct rope_table {
  matrix_buffer<T> storage;
  matrix_view<T> angles; // (T, r): cosines, then sines

  void fill(const cpu_executor& exec, const rope_plan& plan, const ragged_batch& batch) {
    const auto half = static_cast<std::size_t>(plan.dims / 2);
    angles = storage.reshape(batch.rows(), 2 * half);
    const bool by_length = plan.kind == rope_plan::scaling::dynamic || plan.kind == rope_plan::scaling::longrope;
    const std::vector<double> fixed = rope_frequencies(plan, 0);
    for_row_blocks(exec, batch.rows(), 64, [&](std::size_t first, std::size_t count) {
      for_parts(batch, {first, count}, [&](std::size_t text, std::size_t position, std::size_t n) {
        const std::vector<double> own = by_length ? rope_frequencies(plan, batch.length(text)) : fixed;
        for (const std::size_t end = position + n; position < end; ++position) {
          T* row = angles.row(batch.offsets[text] + position);
          for (std::size_t i = 0; i < half; ++i) {
            const double angle = static_cast<double>(position) * own[i];
            row[i] = static_cast<T>(std::cos(angle) * plan.attention_factor);
            row[half + i] = static_cast<T>(std::sin(angle) * plan.attention_factor);
          }
        }
      });
    });
  }
};

namespace detail {
template <class T> struct rope_task {
  matrix_view<T> x;
  std::size_t heads, head_dim;
  matrix_view<const T> angles;
  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, T>;
    const std::size_t half = angles.cols / 2;
    for (std::size_t r = 0; r < x.rows; ++r) {
      const T *cosine = angles.row(r), *sine = cosine + half;
      for (std::size_t h = 0; h < heads; ++h) {
        T *a = x.row(r) + h * head_dim, *b = a + half;
        std::size_t i = 0;
        for (; i + W <= half; i += W) {
          const auto u = simd::load<T, W>(a + i), v = simd::load<T, W>(b + i), c = simd::load<T, W>(cosine + i), s = simd::load<T, W>(sine + i);
          simd::store<T, W>(a + i, u * c - v * s);
          simd::store<T, W>(b + i, v * c + u * s);
        }
        for (; i < half; ++i) {
          const T u = a[i], v = b[i];
          a[i] = u * cosine[i] - v * sine[i];
          b[i] = v * cosine[i] + u * sine[i];
        }
      }
    }
  }
};
} // namespace detail

/// Rotates `heads` heads of width `head_dim` in the leading columns of x (T, ...), in place; angles (T, r) of its rows.
template <class T>
void rope(const cpu_executor& exec, std::type_identity_t<matrix_view<T>> x, std::size_t heads, std::size_t head_dim,
          std::type_identity_t<matrix_view<const T>> angles) {
  LLMAP_EXPECTS(x.rows == angles.rows, "rope: angles of every row of x");
  for_row_blocks(exec, x.rows, 32, [&](std::size_t first, std::size_t count) {
    simd::run(detail::rope_task<T>{x.row_range(first, count), heads, head_dim, angles.row_range(first, count)});
  });
}

} // namespace llmap
