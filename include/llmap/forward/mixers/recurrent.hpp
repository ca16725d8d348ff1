// Mixers that carry a state along a text: Mamba, Mamba-2, the gated delta net, short convolutions, Griffin.
#pragma once
#include "llmap/forward/mixers/slab_pass.hpp"
#include <type_traits>

namespace llmap {

/// y (S, channels) = the causal convolution of x, with the last rows of the slab before.
template <class Exec, class T>
void convolve(const slab_pass<Exec, T>& at, const convolution_plan& p, const convolution_weights<Exec, T>& w,
              std::type_identity_t<matrix_view<const T>> x, matrix_view<T> y) {
  causal_convolution(
      at.exec, at.batch, at.rows, x, w.weight, w.bias, y,
      at.memory.carry.reshape(static_cast<std::size_t>(p.taps - 1), static_cast<std::size_t>(p.channels)));
}

// --- Mamba ----------------------------------------------------------------------------------------------------------

inline mixer_room room_of(const mamba_plan& p) {
  return {.wide = 3 * p.inner, .mixed = p.inner, .low = p.rank + 2 * p.states, .gates = p.inner, .activated = p.inner};
}

template <class Exec, class T, class X>
void mix(const slab_pass<Exec, T>& at, const mamba_plan& p, const mixer_weights<Exec, T, mamba_plan>& w, const X& x,
         matrix_view<T> y, store_mode mode) {
  const auto M = static_cast<std::size_t>(p.inner), N = static_cast<std::size_t>(p.states),
             R = static_cast<std::size_t>(p.rank);
  const std::size_t S = x.rows;
  matrix_view<T> wide = at.work.wide.reshape(S, 3 * M); // [x | z | scan]
  matrix_view<T> u = at.work.mixed.reshape(S, M), selected = at.work.low.reshape(S, R + 2 * N),
                 step = at.work.gates.reshape(S, M);
  at.product(x, w.in, wide.column_range(0, 2 * M));
  convolve(at, p.convolution, w.convolution, wide.column_range(0, M), u);
  activate(at.exec, p.act, false, u, u);
  at.product(u, w.select, selected);
  if (w.step_norm) norm(at.exec, selected.column_range(0, R), *w.step_norm, selected.column_range(0, R));
  if (w.b_norm) norm(at.exec, selected.column_range(R, N), *w.b_norm, selected.column_range(R, N));
  if (w.c_norm) norm(at.exec, selected.column_range(R + N, N), *w.c_norm, selected.column_range(R + N, N));
  at.product(selected.column_range(0, R), w.step, step);
  selective_scan(at.exec, at.batch, at.rows, u, step, selected.column_range(R, N), selected.column_range(R + N, N),
                 w.a_log, w.d, wide.column_range(2 * M, M), at.memory.state.reshape(M, N));
  activate(at.exec, p.act, true, wide.column_range(M, 2 * M), at.work.activated, at.work.scratch);
  at.product(at.work.activated, w.out, y, mode);
}

// --- Mamba-2 --------------------------------------------------------------------------------------------------------

inline mixer_room room_of(const mamba2_plan& p) {
  const std::int64_t M = p.heads * p.head_dim, conv = p.convolution.channels;
  return {.wide = conv + p.heads + 2 * M, .mixed = conv, .low = p.norm && !p.norm_first ? M : 0, .activated = M};
}

template <class Exec, class T, class X>
void mix(const slab_pass<Exec, T>& at, const mamba2_plan& p, const mixer_weights<Exec, T, mamba2_plan>& w, const X& x,
         matrix_view<T> y, store_mode mode) {
  const auto H = static_cast<std::size_t>(p.heads), M = H * static_cast<std::size_t>(p.head_dim),
             conv = static_cast<std::size_t>(p.convolution.channels);
  const std::size_t states = static_cast<std::size_t>(p.groups * p.states), S = x.rows;
  matrix_view<T> wide = at.work.wide.reshape(S, conv + H + 2 * M); // [x B C | dt | z | scan]
  matrix_view<T> u = at.work.mixed.reshape(S, conv), zy = wide.column_range(conv + H, 2 * M);
  at.product(x, w.in, wide.column_range(0, conv + H + M));
  const auto scaled = [&](double by, std::size_t first, std::size_t columns) {
    if (by != 1) scale(at.exec, static_cast<T>(by), wide.column_range(first, columns));
  };
  scaled(p.x_scale, 0, M), scaled(p.b_scale, M, states), scaled(p.c_scale, M + states, states);
  scaled(p.dt_scale, conv, H), scaled(p.z_scale, conv + H, M);
  convolve(at, p.convolution, w.convolution, wide.column_range(0, conv), u);
  activate(at.exec, p.act, false, u, u);
  const head_scan_shape shape{H,
                              static_cast<std::size_t>(p.head_dim),
                              static_cast<std::size_t>(p.groups),
                              static_cast<std::size_t>(p.states),
                              p.least_step,
                              p.most_step};
  head_scan(at.exec, shape, at.batch, at.rows, u.column_range(0, M), u.column_range(M, states),
            u.column_range(M + states, states), wide.column_range(conv, H), w.dt_bias, w.a_log, w.d,
            zy.column_range(M, M), at.memory.state.reshape(M, static_cast<std::size_t>(p.states)));
  if (w.norm && p.norm_first) norm(at.exec, zy.column_range(M, M), *w.norm, zy.column_range(M, M));
  if (w.norm && !p.norm_first) {
    matrix_view<T> gated = at.work.low.reshape(S, M);
    activate(at.exec, p.act, true, zy, gated);
    norm(at.exec, gated, *w.norm, at.work.activated, at.work.scratch);
  } else {
    activate(at.exec, p.act, true, zy, at.work.activated, at.work.scratch);
  }
  at.product(at.work.activated, w.out, y, mode);
}

// --- Gated delta net -------------------------------------------------------------------------------------------------

inline mixer_room room_of(const delta_plan& p) {
  const std::int64_t M = p.value_heads * p.value_dim, conv = p.convolution.channels;
  return {.wide = conv + 2 * p.value_heads + 2 * M, .mixed = conv, .activated = M};
}

template <class Exec, class T, class X>
void mix(const slab_pass<Exec, T>& at, const delta_plan& p, const mixer_weights<Exec, T, delta_plan>& w, const X& x,
         matrix_view<T> y, store_mode mode) {
  const auto H = static_cast<std::size_t>(p.value_heads), Dk = static_cast<std::size_t>(p.key_dim),
             Dv = static_cast<std::size_t>(p.value_dim), keys = static_cast<std::size_t>(p.key_heads) * Dk;
  const std::size_t M = H * Dv, conv = 2 * keys + M, S = x.rows;
  matrix_view<T> wide = at.work.wide.reshape(S, conv + 2 * H + 2 * M); // [q k v | b | a | z | scan]
  matrix_view<T> u = at.work.mixed.reshape(S, conv), zy = wide.column_range(conv + 2 * H, 2 * M),
                 scan = zy.column_range(M, M);
  at.product(x, w.in, wide.column_range(0, conv + 2 * H + M));
  convolve(at, p.convolution, w.convolution, wide.column_range(0, conv), u);
  activate(at.exec, p.act, false, u, u);
  const delta_shape shape{static_cast<std::size_t>(p.key_heads), H, Dk, Dv, p.beta_scale};
  delta_scan(at.exec, shape, at.batch, at.rows, u.column_range(0, keys), u.column_range(keys, keys),
             u.column_range(2 * keys, M), wide.column_range(conv, H), wide.column_range(conv + H, H), w.dt_bias,
             w.a_log, scan, at.memory.state.reshape(H * Dk, Dv));
  norm(at.exec, scan, w.norm, scan);
  activate(at.exec, activation::silu, true, zy, at.work.activated, at.work.scratch);
  at.product(at.work.activated, w.out, y, mode);
}

// --- Gated short convolution ----------------------------------------------------------------------------------------

inline mixer_room room_of(const short_convolution_plan& p) {
  const std::int64_t M = p.convolution.channels;
  return {.wide = 4 * M, .mixed = M, .activated = M};
}

template <class Exec, class T, class X>
void mix(const slab_pass<Exec, T>& at, const short_convolution_plan& p,
         const mixer_weights<Exec, T, short_convolution_plan>& w, const X& x, matrix_view<T> y, store_mode mode) {
  const auto M = static_cast<std::size_t>(p.convolution.channels);
  matrix_view<T> wide = at.work.wide.reshape(x.rows, 4 * M); // [B | u | C | convolved]
  matrix_view<T> u = at.work.mixed.reshape(x.rows, M);
  at.product(x, w.in, wide.column_range(0, 3 * M));
  activate(at.exec, activation::identity, true, wide.column_range(0, 2 * M), u);
  convolve(at, p.convolution, w.convolution, u, wide.column_range(3 * M, M));
  activate(at.exec, activation::identity, true, wide.column_range(2 * M, 2 * M), at.work.activated, at.work.scratch);
  at.product(at.work.activated, w.out, y, mode);
}

// --- Griffin's recurrent block --------------------------------------------------------------------------------------

inline mixer_room room_of(const rg_lru_plan& p) {
  return {
      .wide = 2 * p.channels, .mixed = p.channels, .low = p.channels, .gates = 2 * p.channels, .activated = p.channels};
}

template <class Exec, class T, class X>
void mix(const slab_pass<Exec, T>& at, const rg_lru_plan& p, const mixer_weights<Exec, T, rg_lru_plan>& w, const X& x,
         matrix_view<T> y, store_mode mode) {
  const auto L = static_cast<std::size_t>(p.channels);
  const std::size_t S = x.rows, blocks = w.input_gate.size(), block = L / blocks;
  // wide: [gate | recurrence]
  matrix_view<T> wide = at.work.wide.reshape(S, 2 * L), low = at.work.low.reshape(S, L);
  matrix_view<T> u = at.work.mixed.reshape(S, L), gates = at.work.gates.reshape(S, 2 * L);
  at.product(x, w.gate, wide.column_range(0, L));
  at.product(x, w.in, low);
  convolve(at, p.convolution, w.convolution, low, u);
  for (std::size_t b = 0; b < blocks; ++b) {
    at.product(u.column_range(b * block, block), w.input_gate[b], gates.column_range(b * block, block));
    at.product(u.column_range(b * block, block), w.recurrent_gate[b], gates.column_range(L + b * block, block));
  }
  gated_scan(at.exec, at.batch, at.rows, u, gates.column_range(0, L), gates.column_range(L, L), w.decay,
             wide.column_range(L, L), at.memory.state.reshape(1, L));
  activate(at.exec, p.act, true, wide, at.work.activated, at.work.scratch);
  at.product(at.work.activated, w.out, y, mode);
}

} // namespace llmap
