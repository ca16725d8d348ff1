// The recurrences: causal convolution, token shift, and the scans of Mamba, Mamba-2, RWKV-4, Griffin and the delta
// rule. Contracts: forward/ops.hpp; formulas: the plans of the mixers.
//
// A text's state lives in registers or rows of `state` while its rows go by. Tasks take channels, never rows, so that
// the order of every sum is that of the text. The next slab goes on from what the last text of a slab leaves.
#pragma once
#include "llmap/core/vector_math.hpp"
#include "llmap/forward/cpu/packed_rows.hpp"
#include "llmap/forward/ops.hpp"
#include <algorithm>
#include <cmath>

namespace llmap {

namespace detail {

/// log(1 + exp(x))
inline double softplus(double x) { return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)); }

/// Calls body(first row in the slab, rows, whether the text begins here) for the texts of a slab.
template <class Body> void for_texts(const ragged_batch& batch, slab rows, const Body& body) {
  for_parts(batch, rows, [&](std::size_t text, std::size_t position, std::size_t count) {
    body(batch.offsets[text] + position - rows.first, count, position == 0);
  });
}

/// Calls body(first, count) for blocks of the n channels, in parallel.
template <class Body> void for_channels(const cpu_executor& exec, std::size_t n, const Body& body) {
  const std::size_t threads = static_cast<std::size_t>(std::max(exec.threads, 1));
  const std::size_t block = std::max<std::size_t>(16, (n + 4 * threads - 1) / (4 * threads));
  for_row_blocks(exec, n, block, body);
}

template <class T> struct selective_scan_task {
  matrix_view<const T> x, step, B, C;
  const T *a, *d; // (M, N) -exp(a_log), (M)
  matrix_view<T> y;
  T* state; // (M, N)
  std::size_t first_channel, channels, first_row, rows;

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, T>;
    const std::size_t N = B.cols;
    for (std::size_t t = first_row; t < first_row + rows; ++t) {
      const T *b = B.row(t), *c = C.row(t);
      for (std::size_t m = first_channel; m < first_channel + channels; ++m) {
        const T dt = step(t, m), dx = dt * x(t, m);
        const T* const decay = a + m * N;
        T* const s = state + m * N;
        simd::vec<T, W> sum{};
        std::size_t n = 0;
        for (; n + W <= N; n += W) {
          const auto next = simd::exp<T, W>(dt * simd::load<T, W>(decay + n)) * simd::load<T, W>(s + n) +
                            dx * simd::load<T, W>(b + n);
          simd::store<T, W>(s + n, next);
          sum += simd::load<T, W>(c + n) * next;
        }
        if (n < N) {
          const std::size_t rest = N - n;
          const auto next =
              simd::exp<T, W>(dt * simd::load_partial<T, W>(decay + n, rest)) * simd::load_partial<T, W>(s + n, rest) +
              dx * simd::load_partial<T, W>(b + n, rest);
          simd::store_partial<T, W>(s + n, rest, next);
          sum += simd::load_partial<T, W>(c + n, rest) * next;
        }
        y(t, m) = simd::sum<T, W>(sum) + d[m] * x(t, m);
      }
    }
  }
};

template <class T> struct head_scan_task {
  matrix_view<const T> x, B, C; // (S, M), (S, G N)
  const T *decay, *step;        // (rows) of this head
  T d;
  matrix_view<T> y;
  T* state; // (head_dim, N) of this head
  std::size_t first_channel, channels, first_state, N, first_row, rows;

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, T>;
    for (std::size_t t = first_row; t < first_row + rows; ++t) {
      const T *b = B.row(t) + first_state, *c = C.row(t) + first_state;
      const T keep = decay[t - first_row], dt = step[t - first_row];
      for (std::size_t p = 0; p < channels; ++p) {
        const T value = x(t, first_channel + p), dx = dt * value;
        T* const s = state + p * N;
        simd::vec<T, W> sum{};
        std::size_t n = 0;
        for (; n + W <= N; n += W) {
          const auto next = keep * simd::load<T, W>(s + n) + dx * simd::load<T, W>(b + n);
          simd::store<T, W>(s + n, next);
          sum += simd::load<T, W>(c + n) * next;
        }
        T total = simd::sum<T, W>(sum);
        for (; n < N; ++n) {
          s[n] = keep * s[n] + dx * b[n];
          total += c[n] * s[n];
        }
        y(t, first_channel + p) = total + d * value;
      }
    }
  }
};

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

/// One value head of the delta rule. The columns of its matrix do not depend on one another: a vector of them at a time
/// goes through the rows.
template <class T> struct delta_scan_task {
  matrix_view<const T> v;        // (S, Dv) of this head
  const T *q, *k, *decay, *beta; // (S, Dk) each, normed; (S) each
  std::size_t key_dim;
  matrix_view<T> y;
  T* state; // (Dk, Dv)
  std::size_t first_row, rows;

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, T>;
    const std::size_t Dv = v.cols;
    for (std::size_t j = 0; j < Dv; j += W) {
      const std::size_t n = std::min<std::size_t>(W, Dv - j);
      for (std::size_t t = first_row; t < first_row + rows; ++t) {
        const T *query = q + t * key_dim, *key = k + t * key_dim;
        simd::vec<T, W> held{}, out{};
        for (std::size_t i = 0; i < key_dim; ++i) {
          const auto s = decay[t] * simd::load_partial<T, W>(state + i * Dv + j, n);
          simd::store_partial<T, W>(state + i * Dv + j, n, s);
          held += key[i] * s;
        }
        const auto change = beta[t] * (simd::load_partial<T, W>(v.row(t) + j, n) - held);
        for (std::size_t i = 0; i < key_dim; ++i) {
          const auto s = simd::load_partial<T, W>(state + i * Dv + j, n) + key[i] * change;
          simd::store_partial<T, W>(state + i * Dv + j, n, s);
          out += query[i] * s;
        }
        simd::store_partial<T, W>(y.row(t) + j, n, out);
      }
    }
  }
};

} // namespace detail

template <class T>
void causal_convolution(const cpu_executor& exec, const ragged_batch& batch, slab rows,
                        std::type_identity_t<matrix_view<const T>> x, const aligned_buffer<T>& weight,
                        const aligned_buffer<T>& bias, std::type_identity_t<matrix_view<T>> y,
                        std::type_identity_t<matrix_view<T>> carry) {
  const std::size_t taps = carry.rows + 1;
  LLMAP_EXPECTS(weight.size() == taps * x.cols && carry.cols == x.cols, "causal_convolution: taps of every channel");
  detail::for_channels(exec, x.cols, [&](std::size_t first, std::size_t channels) {
    detail::for_texts(batch, rows, [&](std::size_t row, std::size_t count, bool begins) {
      for (std::size_t t = 0; t < count; ++t)
        for (std::size_t c = first; c < first + channels; ++c) {
          T sum = bias.size() ? bias[c] : T(0);
          for (std::size_t j = 0; j < taps; ++j) {
            const std::size_t back = taps - 1 - j; // rows before this one
            if (t >= back) sum += weight[c * taps + j] * x(row + t - back, c);
            else if (!begins) sum += weight[c * taps + j] * carry(carry.rows + t - back, c);
          }
          y(row + t, c) = sum;
        }
      if (row + count < x.rows) return;
      // The last rows of the slab's last text, older ones moved up.
      for (std::size_t j = 0; j < carry.rows; ++j) {
        const std::size_t back = carry.rows - 1 - j;
        for (std::size_t c = first; c < first + channels; ++c)
          carry(j, c) = back < count ? x(row + count - 1 - back, c) : begins ? T(0) : carry(j + count, c);
      }
    });
  });
}

template <class T>
void token_shift(const cpu_executor& exec, const ragged_batch& batch, slab rows,
                 std::type_identity_t<matrix_view<const T>> x, std::type_identity_t<matrix_view<const T>> last,
                 const aligned_buffer<T>& mix, packed_rows<T>& y, cpu_scratch<T>& scratch) {
  LLMAP_EXPECTS(mix.size() == x.cols && last.cols == x.cols && x.rows == rows.count,
                "token_shift: one weight per channel");
  y.fill(exec, x.rows, x.cols, scratch.threads, [&](std::size_t first, std::size_t count, matrix_view<T> out) {
    detail::for_texts(batch, {rows.first + first, count}, [&](std::size_t row, std::size_t n, bool begins) {
      for (std::size_t t = row; t < row + n; ++t) {
        const T *now = x.row(first + t),
                *before = t > row || !begins ? (first + t ? x.row(first + t - 1) : last.row(0)) : nullptr;
        for (std::size_t c = 0; c < x.cols; ++c)
          out(t, c) = now[c] * mix[c] + (before ? before[c] * (T(1) - mix[c]) : T(0));
      }
    });
  });
}

template <class T>
void keep_last_row(const cpu_executor&, std::type_identity_t<matrix_view<const T>> x, matrix_view<T> last) {
  if (x.rows) std::copy_n(x.row(x.rows - 1), x.cols, last.row(0));
}

template <class T>
void selective_scan(const cpu_executor& exec, const ragged_batch& batch, slab rows,
                    std::type_identity_t<matrix_view<const T>> x, matrix_view<T> step,
                    std::type_identity_t<matrix_view<const T>> B, std::type_identity_t<matrix_view<const T>> C,
                    const aligned_buffer<T>& a_log, const aligned_buffer<T>& d, std::type_identity_t<matrix_view<T>> y,
                    std::type_identity_t<matrix_view<T>> state) {
  const std::size_t N = state.cols;
  LLMAP_EXPECTS(a_log.size() == state.rows * N && d.size() == x.cols && B.cols == N && C.cols == N &&
                    state.rows == x.cols,
                "selective_scan: shapes");
  detail::for_channels(exec, x.cols, [&](std::size_t first, std::size_t channels) {
    std::vector<T> a(channels * N);
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = -std::exp(a_log[first * N + i]);
    for (std::size_t t = 0; t < step.rows; ++t)
      for (std::size_t m = first; m < first + channels; ++m)
        step(t, m) = static_cast<T>(detail::softplus(static_cast<double>(step(t, m))));
    detail::for_texts(batch, rows, [&](std::size_t row, std::size_t count, bool begins) {
      if (begins) std::fill_n(state.row(first), channels * N, T(0));
      simd::run(detail::selective_scan_task<T>{x.column_range(first, channels), step.column_range(first, channels), B,
                                               C, a.data(), d.data() + first, y.column_range(first, channels),
                                               state.row(first), 0, channels, row, count});
    });
  });
}

template <class T>
void head_scan(const cpu_executor& exec, const head_scan_shape& shape, const ragged_batch& batch, slab rows,
               std::type_identity_t<matrix_view<const T>> x, std::type_identity_t<matrix_view<const T>> B,
               std::type_identity_t<matrix_view<const T>> C, std::type_identity_t<matrix_view<const T>> dt,
               const aligned_buffer<T>& dt_bias, const aligned_buffer<T>& a_log, const aligned_buffer<T>& d,
               std::type_identity_t<matrix_view<T>> y, std::type_identity_t<matrix_view<T>> state) {
  const std::size_t P = shape.head_dim, N = shape.states;
  LLMAP_EXPECTS(x.cols == shape.heads * P && B.cols == shape.groups * N && state.rows == x.cols && state.cols == N &&
                    dt.cols == shape.heads,
                "head_scan: shapes");
  parallel_for(exec.threads, shape.heads, [&](std::size_t h) {
    std::vector<T> step(x.rows), decay(x.rows);
    const double a = -std::exp(static_cast<double>(a_log[h]));
    for (std::size_t t = 0; t < x.rows; ++t) {
      const double s = std::clamp(detail::softplus(static_cast<double>(dt(t, h)) + static_cast<double>(dt_bias[h])),
                                  shape.least_step, shape.most_step);
      step[t] = static_cast<T>(s), decay[t] = static_cast<T>(std::exp(s * a));
    }
    detail::for_texts(batch, rows, [&](std::size_t row, std::size_t count, bool begins) {
      if (begins) std::fill_n(state.row(h * P), P * N, T(0));
      simd::run(detail::head_scan_task<T>{x, B, C, decay.data() + row, step.data() + row, d[h], y, state.row(h * P),
                                          h * P, P, h / (shape.heads / shape.groups) * N, N, row, count});
    });
  });
}

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

template <class T>
void delta_scan(const cpu_executor& exec, const delta_shape& shape, const ragged_batch& batch, slab rows,
                std::type_identity_t<matrix_view<const T>> q, std::type_identity_t<matrix_view<const T>> k,
                std::type_identity_t<matrix_view<const T>> v, std::type_identity_t<matrix_view<const T>> b,
                std::type_identity_t<matrix_view<const T>> a, const aligned_buffer<T>& dt_bias,
                const aligned_buffer<T>& a_log, std::type_identity_t<matrix_view<T>> y,
                std::type_identity_t<matrix_view<T>> state) {
  const std::size_t H = shape.value_heads, Dk = shape.key_dim, Dv = shape.value_dim, S = v.rows;
  LLMAP_EXPECTS(q.cols == shape.key_heads * Dk && k.cols == q.cols && v.cols == H * Dv && b.cols == H && a.cols == H &&
                    dt_bias.size() == H && a_log.size() == H && state.rows == H * Dk && state.cols == Dv,
                "delta_scan: shapes");
  parallel_for(exec.threads, H, [&](std::size_t h) {
    const std::size_t g = h / (H / shape.key_heads);
    std::vector<T> queries(S * Dk), keys(S * Dk), decay(S), beta(S);
    const double rate = -std::exp(static_cast<double>(a_log[h]));
    for (std::size_t t = 0; t < S; ++t) {
      const auto unit = [&](const T* from, double length, T* to) {
        double square = 1e-6;
        for (std::size_t i = 0; i < Dk; ++i) square += static_cast<double>(from[i]) * static_cast<double>(from[i]);
        const T factor = static_cast<T>(length / std::sqrt(square));
        for (std::size_t i = 0; i < Dk; ++i) to[i] = from[i] * factor;
      };
      unit(q.row(t) + g * Dk, 1 / std::sqrt(static_cast<double>(Dk)), queries.data() + t * Dk);
      unit(k.row(t) + g * Dk, 1, keys.data() + t * Dk);
      const double step = detail::softplus(static_cast<double>(a(t, h)) + static_cast<double>(dt_bias[h]));
      decay[t] = static_cast<T>(std::exp(rate * step));
      beta[t] = static_cast<T>(shape.beta_scale / (1 + std::exp(-static_cast<double>(b(t, h)))));
    }
    detail::for_texts(batch, rows, [&](std::size_t row, std::size_t count, bool begins) {
      if (begins) std::fill_n(state.row(h * Dk), Dk * Dv, T(0));
      simd::run(detail::delta_scan_task<T>{v.column_range(h * Dv, Dv), queries.data(), keys.data(), decay.data(),
                                           beta.data(), Dk, y.column_range(h * Dv, Dv), state.row(h * Dk), row, count});
    });
  });
}

} // namespace llmap
