// The mixers: what a branch of a layer does between its norms, on the rows of a slab.
//   mix(pass, plan, weights, x, y, mode)   y (S, C) = or += mixer(x), x (S, C)
// x is packed for linear, or a plain view if the mixer reads its rows itself (reads_plain_rows). The room_of beside
// each mixer gives the columns of the workspace's buffers that it takes. Ops and their contracts: forward/ops.hpp.
#pragma once
#include "llmap/forward/ops.hpp"
#include <algorithm>
#include <utility>

namespace llmap {

/// The slab that a layer works on, and everything that mixers share.
template <class Exec, class T> struct slab_pass {
  const Exec& exec;
  const ragged_batch& batch;
  slab rows;
  forward_workspace<Exec, T>& work;
  typename forward_workspace<Exec, T>::branch_memory& memory; // of this branch
  bool input_ready = false;                                   // work.input already holds the branch's input

  matrix_view<const T> angles(std::size_t rope) const {
    const auto& table = work.angles[rope];
    return matrix_view<const T>(table.view()).row_range(rows.first, rows.count);
  }
  /// y = or += x W^T + b
  template <class X>
  void product(const X& x, const typename Exec::template matrix<T>& w, matrix_view<T> y,
               store_mode mode = store_mode::overwrite) const {
    linear(exec, x, w, y, mode, work.scratch);
  }
};

/// Columns of the workspace's buffers that a mixer takes for each row of a slab.
struct mixer_room {
  std::int64_t wide = 0, mixed = 0, low = 0, gates = 0, activated = 0, gathered = 0;
};

/// Whether a mixer reads its input row by row. Such a mixer replaces y instead of adding to it.
template <class Plan> inline constexpr bool reads_plain_rows = false;
template <> inline constexpr bool reads_plain_rows<mixture_plan> = true;
template <> inline constexpr bool reads_plain_rows<rwkv_time_plan> = true;
template <> inline constexpr bool reads_plain_rows<rwkv_channel_plan> = true;
template <> inline constexpr bool reads_plain_rows<laurel_plan> = true;
inline bool packs_input(const mixer_plan& mixer) {
  return std::visit([]<class Plan>(const Plan&) { return !reads_plain_rows<Plan>; }, mixer);
}

// --- Attention: [q | k | v] = x; norm, rotate, attend, gate, project
// ------------------------------------------------------

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

// --- Mixture of experts: the experts one after another, each on the rows that chose it -------------------------------

/// Columns of `mixed`: what the router reads, what the experts read, their sum; those that differ from x and y.
struct mixture_columns {
  std::int64_t router = 0, narrow = 0, input = 0, sum = 0;

  explicit mixture_columns(const mixture_plan& p) {
    const std::int64_t C = p.router.logits.cols;
    if (p.router_before) router = C;
    if (p.experts_before) input = C;
    if (p.narrow.present()) narrow = sum = p.narrow.rows();
    else if (p.experts_after) sum = C;
  }
  std::int64_t all() const { return router + narrow + input + sum; }
};

inline mixer_room room_of(const mixture_plan& p) {
  const std::int64_t N = p.narrow.present() ? p.narrow.rows() : p.router.logits.cols; // width of an expert's rows
  mixer_room room{.mixed = mixture_columns(p).all(),
                  .low = std::max(N, p.experts_after ? p.router.logits.cols : 0),
                  .gates = p.router.logits.rows() + 1,
                  .gathered = N};
  const auto include = [&](const mlp_plan& mlp) {
    room.wide = std::max(room.wide, mlp.in.rows());
    room.activated = std::max(room.activated, mlp.out.cols);
  };
  for (const mlp_plan& expert : p.experts) include(expert);
  if (p.shared) include(*p.shared);
  return room;
}

template <class Exec, class T>
void mix(const slab_pass<Exec, T>& at, const mixture_plan& p, const mixer_weights<Exec, T, mixture_plan>& w,
         matrix_view<const T> x, matrix_view<T> y, store_mode) {
  const std::size_t E = p.experts.size();
  const mixture_columns columns(p);
  matrix_view<T> gates = at.work.gates.reshape(x.rows, E + 1), logits = gates.column_range(0, E),
                 gate = gates.column_range(E, 1);
  matrix_view<T> mixed = at.work.mixed.reshape(x.rows, static_cast<std::size_t>(columns.all()));
  std::size_t taken = 0;
  const auto take = [&](std::int64_t n) {
    return mixed.column_range(std::exchange(taken, taken + static_cast<std::size_t>(n)), static_cast<std::size_t>(n));
  };
  const auto normed = [&](const std::optional<norm_weights<Exec, T>>& before, std::int64_t room) {
    if (!before) return x;
    matrix_view<T> to = take(room);
    norm(at.exec, x, *before, to);
    return matrix_view<const T>(to);
  };
  // 1. Who goes where
  at.product(normed(w.router_before, columns.router), w.logits, logits);
  route(at.exec, p.router, logits, w.correction, w.expert_scale, at.work.routing);
  // 2. The shared expert
  if (!w.shared) clear(at.exec, y);
  else if (!w.shared_before) mix(at, *p.shared, *w.shared, x, y, store_mode::overwrite);
  else {
    norm(at.exec, x, *w.shared_before, at.work.input, at.work.scratch);
    mix(at, *p.shared, *w.shared, at.work.input, y, store_mode::overwrite);
  }
  if (p.shared_gate.present()) {
    at.product(x, w.shared_gate, gate);
    scale_rows_by_sigmoid(at.exec, gate, y);
  }
  if (w.shared_after) norm(at.exec, y, *w.shared_after, y);
  // 3. The experts
  matrix_view<const T> input = normed(w.experts_before, columns.input);
  if (p.narrow.present()) {
    matrix_view<T> narrow = take(columns.narrow);
    at.product(input, w.narrow, narrow);
    input = narrow;
  }
  matrix_view<T> sum = columns.sum ? take(columns.sum) : y;
  if (columns.sum) clear(at.exec, sum);
  for (std::size_t e = 0; e < E; ++e) { // in this order, so that a row's sum does not depend on the batch
    const std::size_t chosen = at.work.routing.count(e);
    if (chosen == 0) continue;
    const auto rows = at.work.routing.rows(e);
    const auto weights = at.work.routing.weights(e);
    matrix_view<T> out = at.work.low.reshape(chosen, sum.cols);
    if (p.weighs_input) gather_weighted_rows(at.exec, input, rows, weights, at.work.gathered, at.work.scratch);
    else gather_rows(at.exec, input, rows, at.work.gathered, at.work.scratch);
    mix(at, p.experts[e], w.experts[e], at.work.gathered, out, store_mode::overwrite);
    add_weighted_rows(at.exec, out, rows, p.weighs_input ? weights.first(0) : weights, sum);
  }
  if (!columns.sum) return;
  if (p.narrow.present() && !w.experts_after) return at.product(sum, w.wide, y, store_mode::add);
  if (p.narrow.present()) {
    matrix_view<T> wide = at.work.low.reshape(y.rows, y.cols);
    at.product(sum, w.wide, wide);
    sum = wide;
  }
  norm(at.exec, sum, *w.experts_after, sum);
  add_scaled(at.exec, sum, T(1), y, store_mode::add);
}

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

// --- RWKV-4 ---------------------------------------------------------------------------------------------------------

inline mixer_room room_of(const rwkv_time_plan& p) {
  return {.wide = 4 * p.channels, .activated = p.channels, .gathered = p.key.cols};
}

template <class Exec, class T>
void mix(const slab_pass<Exec, T>& at, const rwkv_time_plan& p, const mixer_weights<Exec, T, rwkv_time_plan>& w,
         matrix_view<const T> x, matrix_view<T> y, store_mode) {
  const auto A = static_cast<std::size_t>(p.channels);
  // wide: [k | v | r | mixed]
  matrix_view<T> wide = at.work.wide.reshape(x.rows, 4 * A), last = at.memory.carry.reshape(1, x.cols);
  const auto shifted = [&](const auto& mix_weight, const auto& matrix, matrix_view<T> to) {
    token_shift(at.exec, at.batch, at.rows, x, last, mix_weight, at.work.gathered, at.work.scratch);
    at.product(at.work.gathered, matrix, to);
  };
  shifted(w.mix_key, w.key, wide.column_range(0, A));
  shifted(w.mix_value, w.value, wide.column_range(A, A));
  shifted(w.mix_receptance, w.receptance, wide.column_range(2 * A, A));
  keep_last_row(at.exec, x, last);
  wkv_scan(at.exec, at.batch, at.rows, wide.column_range(0, A), wide.column_range(A, A), w.decay, w.first,
           wide.column_range(3 * A, A), at.memory.state.reshape(3, A));
  activate(at.exec, activation::sigmoid, true, wide.column_range(2 * A, 2 * A), at.work.activated, at.work.scratch);
  at.product(at.work.activated, w.out, y);
}

inline mixer_room room_of(const rwkv_channel_plan& p) {
  return {.wide = 2 * p.value.rows(), .low = p.key.rows(), .activated = p.key.rows(), .gathered = p.key.cols};
}

template <class Exec, class T>
void mix(const slab_pass<Exec, T>& at, const rwkv_channel_plan&, const mixer_weights<Exec, T, rwkv_channel_plan>& w,
         matrix_view<const T> x, matrix_view<T> y, store_mode) {
  const std::size_t C = y.cols;
  // wide: [r | value]
  matrix_view<T> wide = at.work.wide.reshape(x.rows, 2 * C), keys = at.work.low.reshape(x.rows, w.key.rows);
  matrix_view<T> last = at.memory.carry.reshape(1, x.cols);
  token_shift(at.exec, at.batch, at.rows, x, last, w.mix_key, at.work.gathered, at.work.scratch);
  at.product(at.work.gathered, w.key, keys);
  activate(at.exec, activation::relu_squared, false, keys, at.work.activated, at.work.scratch);
  at.product(at.work.activated, w.value, wide.column_range(C, C));
  token_shift(at.exec, at.batch, at.rows, x, last, w.mix_receptance, at.work.gathered, at.work.scratch);
  at.product(at.work.gathered, w.receptance, wide.column_range(0, C));
  keep_last_row(at.exec, x, last);
  activate(at.exec, activation::sigmoid, true, wide, y);
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
