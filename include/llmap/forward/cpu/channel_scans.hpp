// Recurrences whose channels do not depend on one another: wkv_scan (RWKV-4) and gated_scan (Griffin). Contracts:
// forward/ops.hpp; formulas: rwkv_time_plan, rg_lru_plan.
#pragma once
#include "llmap/core/vector_math.hpp"
#include "llmap/forward/cpu/slab_texts.hpp"
#include "llmap/forward/ops.hpp"
#include <algorithm>
#include <cmath>

namespace llmap {

namespace detail {

template <class T> struct wkv_task {
  matrix_view<const T> k, v;
  const T *decay, *first;  // (A)
  matrix_view<T> y, state; // (S, A), (3, A): sums of weighted values, of weights, largest exponent
  std::size_t first_channel, channels, first_row, rows;

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, T>;
    for (std::size_t a = first_channel; a < first_channel + channels; a += W) {
      const std::size_t n = std::min<std::size_t>(W, first_channel + channels - a);
      const auto load = [n](const T* p) __attribute__((always_inline)) { return simd::load_partial<T, W>(p, n); };
      const auto u = load(first + a), w = -simd::exp<T, W>(load(decay + a));
      auto num = load(state.row(0) + a), den = load(state.row(1) + a), most = load(state.row(2) + a);
      for (std::size_t t = first_row; t < first_row + rows; ++t) {
        const auto key = load(k.row(t) + a), value = load(v.row(t) + a);
        auto shift = simd::maximum<T, W>(most, key + u);
        auto old = simd::exp<T, W>(most - shift), now = simd::exp<T, W>(key + u - shift);
        simd::store_partial<T, W>(y.row(t) + a, n, (old * num + now * value) / (old * den + now));
        shift = simd::maximum<T, W>(most + w, key);
        old = simd::exp<T, W>(most + w - shift), now = simd::exp<T, W>(key - shift);
        num = old * num + now * value;
        den = old * den + now;
        most = shift;
      }
      simd::store_partial<T, W>(state.row(0) + a, n, num);
      simd::store_partial<T, W>(state.row(1) + a, n, den);
      simd::store_partial<T, W>(state.row(2) + a, n, most);
    }
  }
};

template <class T> struct gated_scan_task {
  matrix_view<const T> x, input_gate, recurrent_gate;
  const T* decay; // (L)
  matrix_view<T> y;
  T* state; // (L)
  std::size_t first_channel, channels, first_row, rows;
  bool begins;

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, T>;
    for (std::size_t c = first_channel; c < first_channel + channels; c += W) {
      const std::size_t n = std::min<std::size_t>(W, first_channel + channels - c);
      simd::vec<T, W> rate{}; // -8 softplus(decay)
      for (std::size_t i = 0; i < n; ++i)
        rate[static_cast<int>(i)] = static_cast<T>(-8 * softplus(static_cast<double>(decay[c + i])));
      auto s = begins ? simd::vec<T, W>{} : simd::load_partial<T, W>(state + c, n);
      for (std::size_t t = first_row; t < first_row + rows; ++t) {
        const auto log_a = rate * simd::sigmoid<T, W>(simd::load_partial<T, W>(recurrent_gate.row(t) + c, n));
        auto in = simd::load_partial<T, W>(x.row(t) + c, n) *
                  simd::sigmoid<T, W>(simd::load_partial<T, W>(input_gate.row(t) + c, n));
        if (!(begins && t == first_row)) { // the first token enters unscaled
          auto share = T(1) - simd::exp<T, W>(log_a + log_a);
          for (int i = 0; i < W; ++i) share[i] = std::sqrt(share[i]);
          in *= share;
        }
        s = simd::exp<T, W>(log_a) * s + in;
        simd::store_partial<T, W>(y.row(t) + c, n, s);
      }
      simd::store_partial<T, W>(state + c, n, s);
    }
  }
};

} // namespace detail

template <class T>
void wkv_scan(const cpu_executor& exec, const ragged_batch& batch, slab rows,
              std::type_identity_t<matrix_view<const T>> k, std::type_identity_t<matrix_view<const T>> v,
              const aligned_buffer<T>& decay, const aligned_buffer<T>& first, std::type_identity_t<matrix_view<T>> y,
              std::type_identity_t<matrix_view<T>> state) {
  LLMAP_EXPECTS(decay.size() == k.cols && first.size() == k.cols && v.cols == k.cols && state.rows == 3 &&
                    state.cols == k.cols,
                "wkv_scan: shapes");
  detail::for_channels(exec, k.cols, [&](std::size_t channel, std::size_t channels) {
    detail::for_texts(batch, rows, [&](std::size_t row, std::size_t count, bool begins) {
      if (begins) {
        std::fill_n(state.row(0) + channel, channels, T(0));
        std::fill_n(state.row(1) + channel, channels, T(0));
        std::fill_n(state.row(2) + channel, channels, T(-1e38));
      }
      simd::run(detail::wkv_task<T>{k, v, decay.data(), first.data(), y, state, channel, channels, row, count});
    });
  });
}

template <class T>
void gated_scan(const cpu_executor& exec, const ragged_batch& batch, slab rows,
                std::type_identity_t<matrix_view<const T>> x, std::type_identity_t<matrix_view<const T>> input_gate,
                std::type_identity_t<matrix_view<const T>> recurrent_gate, const aligned_buffer<T>& decay,
                std::type_identity_t<matrix_view<T>> y, std::type_identity_t<matrix_view<T>> state) {
  LLMAP_EXPECTS(decay.size() == x.cols && input_gate.cols == x.cols && recurrent_gate.cols == x.cols &&
                    state.cols == x.cols,
                "gated_scan: shapes");
  detail::for_channels(exec, x.cols, [&](std::size_t first, std::size_t channels) {
    detail::for_texts(batch, rows, [&](std::size_t row, std::size_t count, bool begins) {
      simd::run(detail::gated_scan_task<T>{x, input_gate, recurrent_gate, decay.data(), y, state.row(0), first,
                                           channels, row, count, begins});
    });
  });
}

} // namespace llmap
