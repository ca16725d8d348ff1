// cross_entropy: log p(target) from given logits.
//   log p_t = z_t - log sum_v exp(z_v),  z = cap(scale * logits),  in nats, double
//   logits (M, V) in double, float, bf16 or f16
// The logits are read once: a chunk of columns stays in the first-level cache while its largest value and its sum are
// taken; chunks are merged in double in the order of v. Terms are double if the logits are, else float.
// -infinity is probability 0; a NaN or +infinity among the logits of a row gives NaN.
#pragma once
#include "llmap/core/vector_math.hpp"
#include "llmap/forward/cpu/executor.hpp"
#include "llmap/forward/ops.hpp"
#include "llmap/likelihood/log_sum_exp.hpp"
#include <algorithm>
#include <cmath>
#include <span>

namespace llmap {

namespace detail {

inline constexpr std::size_t logit_chunk = 1024; // columns that are merged as one

/// log sum exp of n values of the working type.
template <class T> struct sum_chunk_task {
  const T* z; // (n), n <= logit_chunk
  std::size_t n;
  log_sum_exp<double>* to;

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, T>;
    constexpr T low = -std::numeric_limits<T>::infinity();
    simd::vec<T, W> most = simd::broadcast<T, W>(low);
    for (std::size_t i = 0; i < n; i += W)
      most =
          simd::maximum<T, W>(i + W <= n ? simd::load<T, W>(z + i) : simd::load_partial<T, W>(z + i, n - i, low), most);
    const T top = simd::maximum<T, W>(most); // a NaN among finite logits enters with the sum
    if (top == -low) return void(*to = {std::numeric_limits<double>::quiet_NaN(), 1});
    if (top == low) { // no term, or only NaN
      *to = {};
      for (std::size_t i = 0; i < n; ++i)
        if (z[i] != z[i]) to->push(static_cast<double>(z[i]));
      return;
    }
    simd::vec<T, W> sum{};
    for (std::size_t i = 0; i < n; i += W) {
      const auto v = i + W <= n ? simd::load<T, W>(z + i) : simd::load_partial<T, W>(z + i, n - i, low);
      sum += simd::exp<T, W>(v - top);
    }
    double total = 0;
    for (int i = 0; i < W; ++i) total += static_cast<double>(sum[i]);
    *to = {static_cast<double>(top), total};
  }
};

} // namespace detail

/// One result a row. Other sizes, or a target outside [0, V), are a contract_error.
template <class Stored>
void cross_entropy(const cpu_executor& exec, matrix_view<Stored> logits, std::span<const std::int32_t> targets,
                   const head_options& options, std::span<double> log_probability) {
  using element = std::remove_const_t<Stored>;
  using T = std::conditional_t<std::is_same_v<element, double>, double, float>;
  const std::size_t V = logits.cols;
  LLMAP_EXPECTS(targets.size() == logits.rows && log_probability.size() == logits.rows,
                "cross_entropy: one target per row");
  for (const std::int32_t t : targets)
    LLMAP_EXPECTS(t >= 0 && static_cast<std::size_t>(t) < V, "cross_entropy: targets in [0, V)");
  const T scale = static_cast<T>(options.scale), cap = static_cast<T>(options.softcap);
  const auto value = [&](element z) {
    const T x = static_cast<T>(z) * scale;
    return cap == T(0) ? x : cap * std::tanh(x / cap);
  };
  for_row_blocks(exec, logits.rows, 4, [&](std::size_t first, std::size_t count) {
    T chunk[detail::logit_chunk];
    for (std::size_t r = first; r < first + count; ++r) {
      log_sum_exp<double> all;
      for (std::size_t v = 0; v < V; v += detail::logit_chunk) {
        const std::size_t n = std::min(detail::logit_chunk, V - v);
        for (std::size_t i = 0; i < n; ++i) chunk[i] = value(logits(r, v + i));
        log_sum_exp<double> part;
        simd::run(detail::sum_chunk_task<T>{chunk, n, &part});
        all.merge(part);
      }
      log_probability[r] = static_cast<double>(value(logits(r, static_cast<std::size_t>(targets[r])))) - all.value();
    }
  });
}

} // namespace llmap
