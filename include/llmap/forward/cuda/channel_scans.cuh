// Recurrences whose channels do not depend on one another: wkv_scan (RWKV-4) and gated_scan (Griffin). A thread takes a
// channel along a text, so that the order of every sum is that of the text. Contracts:
// forward/ops.hpp; formulas: rwkv_time_plan, rg_lru_plan.
#pragma once
#include "llmap/core/cuda/each_element.cuh"
#include "llmap/core/cuda/numbers.cuh"
#include "llmap/forward/cuda/positions.cuh"
#include "llmap/forward/cuda/storage.cuh"
#include "llmap/forward/ops.hpp"
#include <cmath>

namespace llmap {

namespace gpu {

template <class T> struct wkv_channel {
  matrix_view<const T> k, v;
  const T *decay, *first;
  text_parts texts;
  matrix_view<T> y, state; // (S, A), (3, A): sums of weighted values, of weights, largest exponent
  __device__ void operator()(std::size_t taker, std::size_t a) const {
    const T u = first[a], w = -exp(decay[a]);
    texts.each(taker, [&](std::size_t t, std::size_t end, bool from_state, bool leaves_state) {
      T num = 0, den = 0, most = T(-1e38);
      if (from_state) num = state(0, a), den = state(1, a), most = state(2, a);
      const T *keys = &k(t, a), *values = &v(t, a);
      T* out = &y(t, a);
      for (T* const last = &y(end, a); out != last; keys += k.stride, values += v.stride, out += y.stride) {
        const T key = *keys, value = *values;
        T shift = most > key + u ? most : key + u;
        T old = exp(most - shift), now = exp(key + u - shift);
        *out = (old * num + now * value) / (old * den + now);
        shift = most + w > key ? most + w : key;
        old = exp(most + w - shift), now = exp(key - shift);
        num = old * num + now * value;
        den = old * den + now;
        most = shift;
      }
      if (leaves_state) state(0, a) = num, state(1, a) = den, state(2, a) = most;
    });
  }
};

template <class T> struct gated_channel {
  matrix_view<const T> x, input_gate, recurrent_gate;
  const T* decay;
  text_parts texts;
  matrix_view<T> y, state; // (S, L), (1, L)
  __device__ void operator()(std::size_t taker, std::size_t c) const {
    const T rate = static_cast<T>(-8 * softplus(static_cast<double>(decay[c])));
    texts.each(taker, [&](std::size_t t, std::size_t end, bool from_state, bool leaves_state) {
      T s = from_state ? state(0, c) : T(0);
      for (bool begins = !from_state; t < end; ++t, begins = false) {
        const T log_a = rate * sigmoid(recurrent_gate(t, c));
        T in = x(t, c) * sigmoid(input_gate(t, c));
        if (!begins) in *= sqrt(T(1) - exp(log_a + log_a)); // the first token enters unscaled
        s = begins ? in : exp(log_a) * s + in;
        y(t, c) = s;
      }
      if (leaves_state) state(0, c) = s;
    });
  }
};

} // namespace gpu

template <class T>
void wkv_scan(const cuda_executor& exec, const ragged_batch& batch, slab rows,
              std::type_identity_t<matrix_view<const T>> k, std::type_identity_t<matrix_view<const T>> v,
              const cuda_buffer<T>& decay, const cuda_buffer<T>& first, std::type_identity_t<matrix_view<T>> y,
              std::type_identity_t<matrix_view<T>> state) {
  LLMAP_EXPECTS(decay.size() == k.cols && first.size() == k.cols && v.cols == k.cols && state.rows == 3 &&
                    state.cols == k.cols && k.rows == rows.count,
                "wkv_scan: shapes");
  if (k.rows == 0) return;
  const gpu::texts_of_slab texts(exec, batch, rows);
  const gpu::text_parts parts = texts.parts();
  gpu::each_element(exec, parts.takers(), k.cols,
                    gpu::wkv_channel<T>{k, v, decay.data(), first.data(), parts, y, state});
}

template <class T>
void gated_scan(const cuda_executor& exec, const ragged_batch& batch, slab rows,
                std::type_identity_t<matrix_view<const T>> x, std::type_identity_t<matrix_view<const T>> input_gate,
                std::type_identity_t<matrix_view<const T>> recurrent_gate, const cuda_buffer<T>& decay,
                std::type_identity_t<matrix_view<T>> y, std::type_identity_t<matrix_view<T>> state) {
  LLMAP_EXPECTS(decay.size() == x.cols && input_gate.cols == x.cols && recurrent_gate.cols == x.cols &&
                    state.cols == x.cols && x.rows == rows.count,
                "gated_scan: shapes");
  if (x.rows == 0) return;
  const gpu::texts_of_slab texts(exec, batch, rows);
  const gpu::text_parts parts = texts.parts();
  gpu::each_element(exec, parts.takers(), x.cols,
                    gpu::gated_channel<T>{x, input_gate, recurrent_gate, decay.data(), parts, y, state});
}

} // namespace llmap
