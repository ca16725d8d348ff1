// linear: Y (M, N) = X (M, K) W^T + b, or Y += X W^T + b; W packed (N, K).
// Same bits for any M, any order of rows and any thread count: each element is one chain of multiply-adds over K.
// Error: |y - exact| <= K eps sum_k |x_k w_k| (the bound of a sequential sum), eps of T.
#pragma once
#include "llmap/forward/cpu_executor.hpp"
#include "llmap/forward/matrix_tile.hpp"
#include "llmap/forward/packed_matrix.hpp"

namespace llmap {

enum class store_mode { overwrite, add };

namespace detail {

/// Rows x columns of one task: the rows' slice of X stays in the second-level cache while panels stream by.
inline constexpr std::size_t linear_rows = 144, linear_panels = 8;

template <class T, class Stored> struct linear_task {
  matrix_view<const T> x; // (m, K)
  const packed_matrix<T>* w;
  std::size_t first_panel, panels;
  matrix_view<T> y; // (m, N)
  store_mode mode;

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr std::size_t NR = panel_columns<Isa, T>;
    alignas(64) T tile[linear_rows * NR];
    alignas(64) T scratch[std::is_same_v<T, Stored> ? 1 : depth_block<Isa, T> * NR];
    for (std::size_t p = first_panel; p < first_panel + panels; ++p) {
      stored_panel<Isa, T>(x.rows, x.cols, x.data, x.stride, w->template panel_data<Stored>(p), scratch, tile, NR);
      const std::size_t column = p * NR, count = y.cols - column < NR ? y.cols - column : NR;
      const T* bias = w->bias.data() + column;
      for (std::size_t r = 0; r < x.rows; ++r) {
        T* out = y.row(r) + column;
        const T* in = tile + r * NR;
        if (mode == store_mode::add)
          for (std::size_t j = 0; j < count; ++j) out[j] += in[j] + bias[j];
        else
          for (std::size_t j = 0; j < count; ++j) out[j] = in[j] + bias[j];
      }
    }
  }
};

} // namespace detail

template <class T>
void linear(const cpu_executor& exec, std::type_identity_t<matrix_view<const T>> x, const packed_matrix<T>& w,
            std::type_identity_t<matrix_view<T>> y, store_mode mode = store_mode::overwrite) {
  LLMAP_EXPECTS(x.cols == w.cols && y.cols == w.rows && x.rows == y.rows, "linear: shapes of x, w and y");
  LLMAP_EXPECTS(w.panel == simd::panel_width<T>(), "linear: w is packed for this machine");
  const std::size_t row_blocks = (x.rows + detail::linear_rows - 1) / detail::linear_rows;
  const std::size_t groups = (w.panels() + detail::linear_panels - 1) / detail::linear_panels;
  w.visit([&]<class Stored>() {
    parallel_for(exec.threads, row_blocks * groups, [&](std::size_t task) {
      const std::size_t row = task % row_blocks * detail::linear_rows, panel = task / row_blocks * detail::linear_panels;
      const std::size_t m = std::min(detail::linear_rows, x.rows - row);
      simd::run(detail::linear_task<T, Stored>{x.row_range(row, m), &w, panel, std::min(detail::linear_panels, w.panels() - panel),
                                               y.row_range(row, m), mode});
    });
  });
}

} // namespace llmap
