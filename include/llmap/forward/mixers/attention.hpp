// Attention over heads of its own keys and values, and over a latent row.
#pragma once
#include "llmap/forward/mixers/slab_pass.hpp"
#include <algorithm>

namespace llmap {

// --- Attention: [q | k | v] = x; norm, rotate, attend, gate, project ------------------------------------------------

inline mixer_room room_of(const attention_plan& p) {
  if (!p.gate.present()) return {.wide = p.qkv.rows(), .mixed = p.out.cols, .activated = p.out_norm ? p.out.cols : 0};
  return {.wide = p.qkv.rows(), .mixed = 2 * p.out.cols, .activated = p.out.cols};
}

template <class Exec, class T, class X>
void mix(const slab_pass<Exec, T>& at, const attention_plan& p, const mixer_weights<Exec, T, attention_plan>& w,
         const X& x, matrix_view<T> y, store_mode mode) {
  const auto H = static_cast<std::size_t>(p.heads), G = static_cast<std::size_t>(p.kv_heads),
             D = static_cast<std::size_t>(p.head_dim);
  const std::size_t rotated = p.reuses ? H : H + G;      // heads
  const std::size_t gate = p.gate.present() ? H * D : 0; // columns before what attention gives
  matrix_view<T> qkv = at.work.wide.reshape(x.rows, w.qkv.rows), mixed = at.work.mixed.reshape(x.rows, gate + H * D),
                 attended = mixed.column_range(gate, H * D);
  at.product(x, w.qkv, qkv);
  const auto norms = [&] {
    if (w.q_norm) norm(at.exec, qkv.column_range(0, H * D), *w.q_norm, qkv.column_range(0, H * D));
    if (w.k_norm) norm(at.exec, qkv.column_range(H * D, G * D), *w.k_norm, qkv.column_range(H * D, G * D));
  };
  if (w.v_norm) norm(at.exec, qkv.column_range((H + G) * D, G * D), *w.v_norm, qkv.column_range((H + G) * D, G * D));
  if (!p.norm_after_rotation) norms();
  if (p.clip != 0) clamp(at.exec, static_cast<T>(p.clip), qkv);
  if (w.rope)
    rope(at.exec, qkv.column_range(0, rotated * D), rotated_heads{rotated, D, 0, p.rope->interleaved},
         at.angles(*w.rope));
  if (p.norm_after_rotation) norms();
  if (p.growth) grow(at.exec, *p.growth, at.batch, at.rows, qkv.column_range(0, H * D));
  const attention_shape shape{H,
                              G,
                              D,
                              D,
                              p.scale,
                              p.softcap,
                              static_cast<std::size_t>(p.window),
                              p.rounded_alibi,
                              static_cast<std::size_t>(p.chunk)};
  auto& kept = p.kept_as ? at.work.kept[static_cast<std::size_t>(p.kept_as - 1)] : at.memory.keys_values;
  attention(at.exec, shape, w.alibi, w.sinks, at.batch, at.rows, qkv, attended, kept, at.work.scratch);
  if (w.out_norm) {
    norm(at.exec, mixed, *w.out_norm, at.work.activated, at.work.scratch);
    return at.product(at.work.activated, w.out, y, mode);
  }
  if (gate == 0) return at.product(mixed, w.out, y, mode);
  at.product(x, w.gate, mixed.column_range(0, gate));
  activate(at.exec, activation::sigmoid, true, mixed, at.work.activated, at.work.scratch);
  at.product(at.work.activated, w.out, y, mode);
}

// --- Latent attention: q, k and v come from low-rank rows; one rotated key part serves all heads ---------------------

inline mixer_room room_of(const latent_attention_plan& p) {
  const std::int64_t H = p.heads, D = p.nope_dim + p.rope.dims;
  return {.wide = 2 * H * D + H * p.value_dim,
          .mixed = H * p.value_dim,
          .low = std::max(p.q_down.rows(), H * p.nope_dim),
          .gates = p.kv_down.rows()};
}

template <class Exec, class T, class X>
void mix(const slab_pass<Exec, T>& at, const latent_attention_plan& p,
         const mixer_weights<Exec, T, latent_attention_plan>& w, const X& x, matrix_view<T> y, store_mode mode) {
  const auto H = static_cast<std::size_t>(p.heads), N = static_cast<std::size_t>(p.nope_dim),
             R = static_cast<std::size_t>(p.rope.dims);
  const std::size_t D = N + R, V = static_cast<std::size_t>(p.value_dim), S = x.rows, latent = w.kv_down.rows - R;
  matrix_view<T> qkv = at.work.wide.reshape(S, H * (2 * D + V)), mixed = at.work.mixed.reshape(S, H * V);
  matrix_view<T> q = qkv.column_range(0, H * D), k = qkv.column_range(H * D, H * D),
                 v = qkv.column_range(2 * H * D, H * V);
  // 1. Queries, per head [nope | rope]
  if (p.q_down.present()) {
    matrix_view<T> low = at.work.low.reshape(S, w.q_down.rows);
    at.product(x, w.q_down, low);
    if (w.q_norm) norm(at.exec, low, *w.q_norm, low);
    at.product(low, w.q_up, q);
  } else {
    at.product(x, w.q_up, q);
  }
  // 2. Keys and values from the latent row; the rotated part of the key follows it
  matrix_view<T> down = at.work.gates.reshape(S, latent + R), low = at.work.low.reshape(S, H * N);
  at.product(x, w.kv_down, down);
  norm(at.exec, down.column_range(0, latent), w.kv_norm, down.column_range(0, latent));
  at.product(down.column_range(0, latent), w.k_up, low);
  at.product(down.column_range(0, latent), w.v_up, v);
  // 3. Rotation, and the keys of all heads
  rope(at.exec, q, rotated_heads{H, D, N, p.rope.interleaved}, at.angles(*w.rope));
  rope(at.exec, down.column_range(latent, R), rotated_heads{1, R, 0, p.rope.interleaved}, at.angles(*w.rope));
  place_heads(at.exec, low, H, k, H, 0);
  place_heads(at.exec, down.column_range(latent, R), 1, k, H, N);
  const attention_shape shape{H, H, D, V, p.scale, 0, 0};
  attention(at.exec, shape, {}, {}, at.batch, at.rows, qkv, mixed, at.memory.keys_values, at.work.scratch);
  at.product(mixed, w.out, y, mode);
}

} // namespace llmap
