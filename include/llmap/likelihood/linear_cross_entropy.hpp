// The fused head: log p(target) from hidden states without ever storing logits.
//   z_v = cap(scale * x . w_v + b_v),   log p_t = z_t - log sum_v exp(z_v)
//   x (M, E), w packed (V, E), targets (M) in [0, V), result (M) in nats, double.
// Logits live a few hundred columns at a time in the cache; their log-sum-exp is merged in the order of v, which
// depends on V only: same bits for any batch, order and thread count. Extra memory: M x V / 1024 partial values.
// The largest term is factored out exactly, sums of a chunk are made in T and merged in double: the error beyond
// that of the logits stays below 8 eps(T), without a bias of one sign. NaN hidden states give NaN.
#pragma once
#include "llmap/core/vector_math.hpp"
#include "llmap/forward/linear.hpp"
#include "llmap/likelihood/log_sum_exp.hpp"
#include <span>

namespace llmap {

struct head_options {
  double scale = 1, softcap = 0; // softcap 0: none
};

namespace detail {

inline constexpr std::size_t head_rows = 96, head_strip = 128, head_chunk = 1024; // rows, columns at once, columns a task

template <class T, class Stored> struct head_task {
  matrix_view<const T> x;          // (m, E)
  const packed_matrix<T>* w;       // (V, E)
  const std::int32_t* targets;     // (m)
  std::size_t first_column, columns;
  T scale, cap;
  log_sum_exp<double>* partial;    // (m): over these columns
  double* target_logit;            // (m): written by the task that holds the target's column

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, T>;
    constexpr std::size_t NR = panel_columns<Isa, T>;
    constexpr T infinity = std::numeric_limits<T>::infinity();
    alignas(64) T logits[head_rows * head_strip];
    alignas(64) T scratch[std::is_same_v<T, Stored> ? 1 : depth_block<Isa, T> * NR];
    for (std::size_t strip = 0; strip < columns; strip += head_strip) {
      const std::size_t column = first_column + strip, count = std::min(head_strip, columns - strip);
      const std::size_t padded = (count + NR - 1) / NR * NR;
      for (std::size_t j = 0; j < padded; j += NR)
        stored_panel<Isa, T>(x.rows, x.cols, x.data, x.stride, w->template panel_data<Stored>((column + j) / NR), scratch, logits + j,
                             head_strip);
      const T* bias = w->bias.data() + column;
      for (std::size_t r = 0; r < x.rows; ++r) {
        T* z = logits + r * head_strip;
        simd::vec<T, W> most = simd::broadcast<T, W>(-infinity);
        for (std::size_t j = 0; j < padded; j += W) {
          simd::vec<T, W> v = simd::load<T, W>(z + j) * scale + simd::load<T, W>(bias + j);
          if (cap != T(0)) v = cap * simd::tanh<T, W>(v / cap);
          simd::store<T, W>(z + j, v);
        }
        std::fill(z + count, z + padded, -infinity);
        for (std::size_t j = 0; j < padded; j += W) most = simd::maximum<T, W>(most, simd::load<T, W>(z + j));
        const T m = simd::maximum<T, W>(most);
        simd::vec<T, W> sum{};
        for (std::size_t j = 0; j < padded; j += W) sum += simd::exp<T, W>(simd::load<T, W>(z + j) - m);
        double total = 0;
        for (int lane = 0; lane < W; ++lane) total += static_cast<double>(sum[lane]);
        partial[r].merge({static_cast<double>(m), total});
        const auto target = static_cast<std::size_t>(targets[r]);
        if (target >= column && target < column + count) target_logit[r] = static_cast<double>(z[target - column]);
      }
    }
  }
};

} // namespace detail

/// Buffers kept between calls.
struct head_workspace {
  aligned_buffer<log_sum_exp<double>> partial;
  aligned_buffer<double> target_logit;
};

template <class T>
void linear_cross_entropy(const cpu_executor& exec, std::type_identity_t<matrix_view<const T>> x, const packed_matrix<T>& w,
                          std::span<const std::int32_t> targets, const head_options& options, std::span<double> log_probability,
                          head_workspace& work) {
  LLMAP_EXPECTS(x.cols == w.cols && targets.size() == x.rows && log_probability.size() == x.rows, "linear_cross_entropy: shapes");
  for (std::int32_t t : targets)
    LLMAP_EXPECTS(t >= 0 && static_cast<std::size_t>(t) < w.rows, "linear_cross_entropy: targets in [0, V)");
  const std::size_t M = x.rows, chunks = (w.rows + detail::head_chunk - 1) / detail::head_chunk;
  const std::size_t row_blocks = (M + detail::head_rows - 1) / detail::head_rows;
  work.partial.resize(chunks * M);
  work.target_logit.resize(M);
  std::fill_n(work.partial.data(), chunks * M, log_sum_exp<double>{});
  w.visit([&]<class Stored>() {
    parallel_for(exec.threads, row_blocks * chunks, [&](std::size_t task) {
      const std::size_t row = task % row_blocks * detail::head_rows, chunk = task / row_blocks, column = chunk * detail::head_chunk;
      const std::size_t m = std::min(detail::head_rows, M - row);
      simd::run(detail::head_task<T, Stored>{x.row_range(row, m), &w, targets.data() + row, column,
                                             std::min(detail::head_chunk, w.rows - column), static_cast<T>(options.scale),
                                             static_cast<T>(options.softcap), work.partial.data() + chunk * M + row,
                                             work.target_logit.data() + row});
    });
  });
  for (std::size_t r = 0; r < M; ++r) {
    log_sum_exp<double> all;
    for (std::size_t chunk = 0; chunk < chunks; ++chunk) all.merge(work.partial[chunk * M + r]);
    log_probability[r] = work.target_logit[r] - all.value();
  }
}

} // namespace llmap
