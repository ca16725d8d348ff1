// The dense MLP, and the two small maps beside it: a token's own input of a layer, and laurel.
#pragma once
#include "llmap/forward/mixers/slab_pass.hpp"

namespace llmap {

// --- MLP ------------------------------------------------------------------------------------------------------------

inline mixer_room room_of(const mlp_plan& p) { return {.wide = p.in.rows(), .activated = p.out.cols}; }

template <class Exec, class T, class X>
void mix(const slab_pass<Exec, T>& at, const mlp_plan& p, const mixer_weights<Exec, T, mlp_plan>& w, const X& x,
         matrix_view<T> y, store_mode mode) {
  matrix_view<T> inner = at.work.wide.reshape(x.rows, w.in.rows);
  at.product(x, w.in, inner);
  if (p.cut) cut_below(at.exec, *p.cut, inner.column_range(0, inner.cols / 2));
  if (p.gate_scale != 1) scale(at.exec, static_cast<T>(p.gate_scale), inner.column_range(0, inner.cols / 2));
  if (p.act == activation::xielu) xielu(at.exec, w.parameters, inner, at.work.activated, at.work.scratch);
  else if (!w.out_norm) activate(at.exec, p.act, p.gated, inner, at.work.activated, at.work.scratch);
  else {
    const matrix_view<T> activated = inner.column_range(0, w.out.cols);
    activate(at.exec, p.act, p.gated, inner, activated);
    norm(at.exec, activated, *w.out_norm, at.work.activated, at.work.scratch);
  }
  at.product(at.work.activated, w.out, y, mode);
}

// --- A token's own input of a layer ---------------------------------------------------------------------------------

inline mixer_room room_of(const layer_input_plan& p) { return {.wide = 2 * p.gate.rows(), .activated = p.gate.rows()}; }

template <class Exec, class T, class X>
void mix(const slab_pass<Exec, T>& at, const layer_input_plan& p, const mixer_weights<Exec, T, layer_input_plan>& w,
         const X& x, matrix_view<T> y, store_mode mode) {
  const std::size_t n = w.gate.rows;
  matrix_view<T> wide = at.work.wide.reshape(x.rows, 2 * n); // [gate | input]
  at.product(x, w.gate, wide.column_range(0, n));
  const auto own = matrix_view<const T>(at.work.inputs.view()).row_range(at.rows.first, at.rows.count);
  add_scaled(at.exec, own.column_range(static_cast<std::size_t>(p.first), n), T(1), wide.column_range(n, n),
             store_mode::overwrite);
  activate(at.exec, p.act, true, wide, at.work.activated, at.work.scratch);
  at.product(at.work.activated, w.out, y, mode);
}

// --- Laurel ---------------------------------------------------------------------------------------------------------

template <> inline constexpr bool reads_plain_rows<laurel_plan> = true; ///< it is added to x

inline mixer_room room_of(const laurel_plan& p) { return {.low = p.down.rows()}; }

template <class Exec, class T>
void mix(const slab_pass<Exec, T>& at, const laurel_plan&, const mixer_weights<Exec, T, laurel_plan>& w,
         matrix_view<const T> x, matrix_view<T> y, store_mode) {
  matrix_view<T> low = at.work.low.reshape(x.rows, w.down.rows);
  at.product(x, w.down, low);
  at.product(low, w.up, y);
  norm(at.exec, y, w.after, y);
  add_scaled(at.exec, x, T(1), y, store_mode::add);
}

} // namespace llmap
