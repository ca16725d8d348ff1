// Alternating updates: what is done to the streams of a model before and after the branches of a layer see one of them.
// Formulas: stream_layer_plan and streams_plan. A row holds its streams one after another, (S, n C).
#pragma once
#include "llmap/forward/memory_plan.hpp"
#include "llmap/forward/ops.hpp"

namespace llmap {

namespace detail {
/// m (S, n) = tanh(router(norm(x)))
template <class Exec, class T>
void stream_router(const Exec& exec, const stream_layer_weights<Exec, T>& w,
                   std::type_identity_t<matrix_view<const T>> x, matrix_view<T> m, forward_workspace<Exec, T>& work) {
  matrix_view<T> normed = work.plain.reshape(x.rows, x.cols);
  norm(exec, x, w.norm, normed);
  linear(exec, normed, w.router, m, store_mode::overwrite, work.scratch);
  activate(exec, activation::tanh, false, m, m);
}
} // namespace detail

/// The guess of every stream in the workspace, and a copy (S, C) of the active one, for the branches to work on.
template <class Exec, class T>
matrix_view<T> guess_streams(const Exec& exec, const stream_layer_plan& p, const stream_layer_weights<Exec, T>& w,
                             matrix_view<T> h, forward_workspace<Exec, T>& work) {
  const std::size_t n = w.router.rows, C = w.router.cols, first = static_cast<std::size_t>(p.active) * C;
  matrix_view<T> gates = work.stream_gates.reshape(h.rows, n + n * n), guess = work.guess.reshape(h.rows, n * C),
                 active = work.active.reshape(h.rows, C);
  matrix_view<T> m = gates.column_range(0, n), c = gates.column_range(n, n * n);
  detail::stream_router(exec, w, h.column_range(first, C), m, work);
  linear(exec, m, w.prediction, c, store_mode::overwrite, work.scratch);
  mix_streams(exec, c, h, guess);
  add_scaled(exec, guess.column_range(first, C), T(1), active, store_mode::overwrite);
  return active;
}

/// h from the guesses and what the branches made of the active one; `active` becomes what the layer's input reads.
template <class Exec, class T>
void correct_guesses(const Exec& exec, const stream_layer_plan& p, const stream_layer_weights<Exec, T>& w,
                     matrix_view<T> active, matrix_view<T> h, forward_workspace<Exec, T>& work) {
  const std::size_t n = w.router.rows, C = w.router.cols;
  matrix_view<T> gates = work.stream_gates.view(), m = gates.column_range(0, n), c = gates.column_range(n, n);
  detail::stream_router(exec, w, active, m, work);
  linear(exec, m, w.correction, c, store_mode::overwrite, work.scratch);
  correct_streams(exec, c, static_cast<std::size_t>(p.active), active, work.guess.view(), h);
  add_scaled(exec, h.column_range(static_cast<std::size_t>(p.active) * C, C), T(1), active, store_mode::overwrite);
  if (p.input_scale.present()) scale_columns(exec, w.input_scale, active);
}

/// Streams 1, 2, ... of h (T, n C) from the first.
template <class Exec, class T>
void begin_streams(const Exec& exec, const decoder<Exec, T>& model, matrix_view<T> h,
                   forward_workspace<Exec, T>& work) {
  const auto C = static_cast<std::size_t>(model.plan.width);
  for (std::size_t i = 0; i < model.streams_in.size(); ++i) {
    matrix_view<T> stream = h.column_range((i + 1) * C, C);
    linear(exec, h.column_range(0, C), model.streams_in[i], stream, store_mode::overwrite, work.scratch);
    match_size(exec, h.column_range(0, C), stream);
  }
}

/// Their mean (T, C), in the place of the first.
template <class Exec, class T>
matrix_view<T> end_streams(const Exec& exec, const decoder<Exec, T>& model, matrix_view<T> h,
                           forward_workspace<Exec, T>& work) {
  const auto C = static_cast<std::size_t>(model.plan.width);
  const std::size_t n = model.streams_out.size() + 1;
  work.for_slabs(exec, model.plan, h.rows, [&](slab rows) {
    const matrix_view<T> own = h.row_range(rows.first, rows.count), first = own.column_range(0, C);
    for (std::size_t i = 1; i < n; ++i) { // in their own places: sizes are those of the first as it was
      matrix_view<T> out = work.active.reshape(rows.count, C);
      linear(exec, own.column_range(i * C, C), model.streams_out[i - 1], out, store_mode::overwrite, work.scratch);
      match_size(exec, first, out);
      add_scaled(exec, out, T(1), own.column_range(i * C, C), store_mode::overwrite);
    }
    for (std::size_t i = 1; i < n; ++i) add_scaled(exec, own.column_range(i * C, C), T(1), first, store_mode::add);
    scale(exec, T(1) / static_cast<T>(n), first);
  });
  return h.column_range(0, C);
}

} // namespace llmap
