// The fused head: log p(target) from hidden states without ever storing logits.
//   z_v = cap(scale * x . w_v + b_v),   log p_t = z_t - log sum_v exp(z_v)
//   x (M, E), w packed (V, E), targets (M) in [0, V), result (M) in nats, double.
// The same tiles as linear; each tile of logits is turned into terms of the sum while it is in registers
// (forward/cpu/online_softmax.hpp). Terms are summed by lane within a chunk of head_chunk columns in T, chunks are
// merged in double in the order of v, which depends on V only: same bits for any batch, order and thread count. Extra
// memory: the packed rows of x, and M x V / 1024 partial values. The error beyond that of the logits stays
// below 8 eps(T), without a bias of one sign. NaN hidden states give NaN.
#pragma once
#include "llmap/forward/cpu/online_softmax.hpp"
#include "llmap/forward/cpu/pack.hpp"
#include "llmap/forward/cpu/packed_product.hpp"
#include "llmap/forward/ops.hpp"
#include "llmap/likelihood/log_sum_exp.hpp"
#include <algorithm>
#include <span>

namespace llmap {

namespace detail {

inline constexpr std::size_t head_chunk = 1024; // columns per task, rounded down to whole panels

template <class T> struct sum_tile {
  const packed_matrix<T>* w;   // (V, E)
  const std::int32_t* targets; // (m)
  T scale, cap;
  bool plain;           // scale 1, no softcap, no bias: the product is the logit
  T* shift;             // (m)
  T* sums;              // (m, lanes of a vector)
  double* target_logit; // (m): written by the task that holds the target's column

  template <class Isa, int R>
  LLMAP_INLINE void operator()(std::size_t row, std::size_t panel, matrix_tile<Isa, T, R>& z) const {
    constexpr int V = simd::tile_vectors, W = simd::width<Isa, T>;
    constexpr std::size_t NR = simd::panel_columns<Isa, T>;
    const std::size_t column = panel * NR;
    if (!plain || column + NR > w->rows) adjust(z, column);
    move_shifts(
        z, shift + row, [&](std::size_t i, T factor) __attribute__((always_inline)) {
          scale_by<Isa>(sums + (row + i) * W, W, factor);
        });
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
      const std::size_t r = row + static_cast<std::size_t>(i);
      simd::vec<T, W> sum = simd::load<T, W>(sums + r * W);
#pragma GCC unroll 4
      for (int j = 0; j < V; ++j) sum += simd::exp_term<T, W>(z.c[i][j] - shift[r]);
      simd::store<T, W>(sums + r * W, sum);
      const auto target = static_cast<std::size_t>(targets[r]) - column; // wraps if it lies before
      if (target < NR) {
        T logits[NR];
#pragma GCC unroll 4
        for (int j = 0; j < V; ++j) simd::store<T, W>(logits + j * W, z.c[i][j]);
        target_logit[r] = static_cast<double>(logits[target]);
      }
    }
  }

  /// Applies scale, bias and soft cap, and sets the columns beyond V to -infinity; through memory, so that the tile
  /// stays in registers if there is nothing to do.
  template <class Isa, int R> LLMAP_INLINE void adjust(matrix_tile<Isa, T, R>& z, std::size_t column) const {
    constexpr int W = simd::width<Isa, T>;
    constexpr std::size_t NR = simd::panel_columns<Isa, T>;
    T logits[R * NR];
    z.store(logits, NR);
    for (T* row = logits; row < logits + R * NR; row += NR) {
      for (std::size_t j = 0; j < NR; j += W) {
        simd::vec<T, W> v = simd::load<T, W>(row + j) * scale + simd::load<T, W>(w->bias.data() + column + j);
        if (cap != T(0)) v = cap * simd::tanh<T, W>(v / cap);
        simd::store<T, W>(row + j, v);
      }
      for (std::size_t j = w->rows - column; j < NR; ++j) row[j] = -std::numeric_limits<T>::infinity();
    }
    z.load(logits, NR);
  }
};

} // namespace detail

/// Buffers kept between calls.
template <class T> struct cpu_head_room {
  packed_rows<T> rows;                         ///< for the caller to fill
  aligned_buffer<log_sum_exp<double>> partial; ///< (M, chunks)
  aligned_buffer<double> target_logit;         ///< (M)
};

/// Bytes of these buffers per row, without the packed rows.
template <class T> std::size_t head_bytes(const cpu_executor&, std::int64_t vocab) {
  return (static_cast<std::size_t>(vocab) / detail::head_chunk + 2) * sizeof(log_sum_exp<double>);
}

/// Writes log_probability (M). Other shapes, or a target outside [0, V), are a contract_error.
template <class T>
void linear_cross_entropy(const cpu_executor& exec, const packed_rows<T>& x, const packed_matrix<T>& w,
                          std::span<const std::int32_t> targets, const head_options& options,
                          std::span<double> log_probability, cpu_head_room<T>& room, cpu_scratch<T>& scratch) {
  LLMAP_EXPECTS(x.cols == w.cols && x.compute == w.compute && targets.size() == x.rows &&
                    log_probability.size() == x.rows,
                "linear_cross_entropy: shapes");
  for (std::int32_t t : targets)
    LLMAP_EXPECTS(t >= 0 && static_cast<std::size_t>(t) < w.rows, "linear_cross_entropy: targets in [0, V)");
  const std::size_t M = x.rows, chunk = detail::head_chunk / w.panel,
                    chunks = (w.panels() + chunk - 1) / chunk; // chunk: panels
  const std::size_t lanes = w.panel / simd::tile_vectors;
  const bool no_bias = std::all_of(w.bias.data(), w.bias.data() + w.bias.size(), [](T b) { return b == T(0); });
  room.partial.resize(chunks * M);
  room.target_logit.resize(M);
  scratch.threads.prepare(exec.threads);
  w.visit_panels([&]<class Stored>() {
    parallel_in_order(exec.threads, x.blocks() * chunks, [&](std::size_t task, std::size_t thread) {
      const std::size_t block = task % x.blocks(), number = task / x.blocks(), panel = number * chunk;
      const std::size_t row = block * x.block, m = std::min(x.block, M - row);
      const std::size_t product = detail::product_scratch<T>(m, x.depth());
      T* const own = scratch.threads.of(thread, product + m * (lanes + 1));
      T *const sums = own + product, *const shift = sums + m * lanes;
      std::fill_n(sums, m * lanes, T(0));
      std::fill_n(shift, m, detail::no_shift<T>);
      detail::multiply_panels<T, Stored>(x.data(block), m, w, panel, std::min(chunk, w.panels() - panel), own,
                                         detail::sum_tile<T>{&w, targets.data() + row, static_cast<T>(options.scale),
                                                             static_cast<T>(options.softcap),
                                                             options.scale == 1 && options.softcap == 0 && no_bias,
                                                             shift, sums, room.target_logit.data() + row});
      for (std::size_t r = 0; r < m; ++r) {
        double total = 0;
        for (std::size_t lane = 0; lane < lanes; ++lane) total += static_cast<double>(sums[r * lanes + lane]);
        room.partial[number * M + row + r] = {static_cast<double>(shift[r]), total};
      }
    });
  });
  for (std::size_t r = 0; r < M; ++r) {
    log_sum_exp<double> all;
    for (std::size_t c = 0; c < chunks; ++c) all.merge(room.partial[c * M + r]);
    log_probability[r] = room.target_logit[r] - all.value();
  }
}

/// The same for hidden states x (M, E) that are not packed, with its own buffers.
template <class T>
void linear_cross_entropy(const cpu_executor& exec, std::type_identity_t<matrix_view<const T>> x,
                          const packed_matrix<T>& w, std::span<const std::int32_t> targets, const head_options& options,
                          std::span<double> log_probability) {
  cpu_head_room<T> room;
  cpu_scratch<T> scratch;
  room.rows.compute = w.compute;
  room.rows.fill(exec, x, scratch.threads);
  linear_cross_entropy(exec, room.rows, w, targets, options, log_probability, room, scratch);
}

} // namespace llmap
