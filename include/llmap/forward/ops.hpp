// The ops of a forward pass: what each computes, once, for every executor. They are free functions whose first argument
// is the executor, found by argument-dependent lookup; forward/cpu/ has them for threads and SIMD. The concept
// forward_ops at the end lists their signatures and is checked for every executor.
//
// Shapes are (rows, columns). Views may have any row stride. Where an op may work in place, it says so. Every op gives
// a row the same bits whatever the other rows of the batch are, and whatever slabs the batch is cut into.
#pragma once
#include "llmap/forward/decoder.hpp"
#include "llmap/forward/head_options.hpp"
#include "llmap/forward/workspace.hpp"
#include "llmap/weights/tensor_table.hpp"
#include <string>

namespace llmap {

/// Heads that are rotated: head h is columns [h * width, (h + 1) * width), its rotated dims begin at `first`.
struct rotated_heads {
  std::size_t heads = 0, width = 0, first = 0;
  bool interleaved = false;
};

struct attention_shape {
  std::size_t heads = 0, kv_heads = 0, key_dim = 0, value_dim = 0;
  double scale = 1, softcap = 0; // softcap 0: none
  std::size_t window = 0;        // keys visible to a query, itself included; 0: all before it
};

struct head_scan_shape {
  std::size_t heads = 0, head_dim = 0, groups = 1, states = 0;
  double least_step = 0, most_step = 0;
};

/// Loading
///   check_arithmetic<T>(exec, math, where)       fails where the executor has no such products
///   room_for<T>(exec, plan, source)              memory for all weights of the plan
///   pack<T>(exec, source, linear, names, math, room)   the matrix of a linear_plan; weights are finite or it fails
///   upload(exec, numbers)                        a vector<T> of a std::vector<T>
///   packed_bytes<T>(exec, source, linear, names), loading_bytes<T>(exec, plan, source, math)
///   keys_values_columns<T>(exec, kv_heads, key_dim, value_dim), head_bytes<T>(exec, vocab), row_limits_of(exec)
///
/// Embedding
///   embedding_rows(exec, table, batch, scale, y)   y (T, E) = scale * table[id]
///   add_positions(exec, positions, offset, batch, y)   y (T, C) += positions[offset + position]
///   fill_angles(exec, rope_plan, batch, y)         y (T, r) = cosines (r / 2), then sines, of position * frequency
///
/// Rows
///   norm(exec, x, weights, y)                      y (S, C) normed in groups of weights.width; in place
///   norm(exec, x, weights, packed, scratch)        the same, packed for linear
///   add_scaled(exec, x, s, y, mode)                y = or += s x
///   scale(exec, s, y)                              y *= s
///   clamp(exec, limit, y)                          y into [-limit, limit]
///   clear(exec, y)                                 y = 0
///   activate(exec, act, gated, x, y)               y (S, I) = act(x (S, I)), or act(x[:, :I]) * x[:, I:] of x (S, 2
///   I); y may be x, or
///                                                  its first half
///   activate(exec, act, gated, x, packed, scratch)
///   place_heads(exec, x, x_heads, y, heads, first)   head h of y gets head h of x, or the one head of x, from its
///   column `first` on gather_rows(exec, x, rows, packed, scratch)    rows of x, packed for linear
///   scale_rows_by_sigmoid(exec, gate, y)           row r of y times sigmoid(gate(r, 0))
///
/// Products
///   linear(exec, x, w, y, mode, scratch)           y (S, N) = or += x (S, K) w^T + b, x packed or a view
///   linear_cross_entropy(exec, packed, w, targets, options, log_probability, room, scratch)
///                                                  log p(target) (S) in nats: log-softmax of cap(scale * x w^T + b)
///
/// Attention
///   rope(exec, y, rotated_heads, angles)           rotates the heads of y (S, ...) in place
///   attention(exec, shape, alibi, sinks, batch, slab, qkv, out, keys_values, scratch)
///                                                  qkv (S, H D + G D + G Dv), out (S, H Dv); slabs in order
///
/// Mixture of experts
///   route(exec, router_plan, logits, correction, routing)   logits (S, E); equal scores: the lower number wins
///   routing.count(e), routing.rows(e), routing.weights(e)   the rows that chose expert e, ascending, and their weights
///   add_weighted_rows(exec, x, rows, weights, y)   y[rows[i]] += weights[i] * x[i]
///
/// Recurrences, with what a text leaves at the end of a slab; slabs in order, texts start from zero
///   causal_convolution(exec, batch, slab, x, weight, bias, y, carry)   weight (channels, taps), carry (taps - 1,
///   channels) token_shift(exec, batch, slab, x, last, mix, packed, scratch)      x_t * mix + x_{t-1} * (1 - mix)
///   keep_last_row(exec, x, last)                   last (1, C) = the last row of x
///   selective_scan(exec, batch, slab, x, step, B, C, a_log, d, y, state)            mamba_plan; state (M, N); step is
///   overwritten head_scan(exec, shape, batch, slab, x, B, C, dt, dt_bias, a_log, d, y, state)   mamba2_plan; state (M,
///   N) wkv_scan(exec, batch, slab, k, v, decay, first, y, state)                       rwkv_time_plan; state (3, A)
///   gated_scan(exec, batch, slab, x, input_gate, recurrent_gate, decay, y, state)   rg_lru_plan; state (1, L)
template <class Exec, class T>
concept forward_ops = executor<Exec> &&
    requires(const Exec& exec, const typename Exec::template matrix<T>& w, const typename Exec::template vector<T>& v,
             const norm_weights<Exec, T>& n, typename Exec::template rows<T>& packed,
             typename Exec::template keys_values<T>& keys_values, typename Exec::template routing<T>& routing,
             typename Exec::template head_room<T>& head, typename Exec::template scratch<T>& scratch,
             const ragged_batch& batch, slab rows, matrix_view<T> y, matrix_view<const T> x, T number, std::size_t i,
             store_mode mode, activation act, std::span<const std::int32_t> targets, std::span<double> nats,
             const std::vector<T>& numbers, const rope_plan& rope_options, const router_plan& router) {
  { upload(exec, numbers) } -> std::same_as<typename Exec::template vector<T>>;
  embedding_rows(exec, w, batch, number, y);
  add_positions(exec, v, i, batch, y);
  fill_angles(exec, rope_options, batch, y);
  norm(exec, x, n, y);
  norm(exec, x, n, packed, scratch);
  add_scaled(exec, x, number, y, mode);
  scale(exec, number, y);
  clamp(exec, number, y);
  clear(exec, y);
  activate(exec, act, true, x, y);
  activate(exec, act, true, x, packed, scratch);
  place_heads(exec, x, i, y, i, i);
  gather_rows(exec, x, routing.rows(i), packed, scratch);
  scale_rows_by_sigmoid(exec, x, y);
  linear(exec, x, w, y, mode, scratch);
  linear(exec, packed, w, y, mode, scratch);
  linear_cross_entropy(exec, packed, w, targets, head_options{}, nats, head, scratch);
  rope(exec, y, rotated_heads{}, x);
  attention(exec, attention_shape{}, v, v, batch, rows, x, y, keys_values, scratch);
  route(exec, router, x, v, routing);
  { routing.count(i) } -> std::convertible_to<std::size_t>;
  add_weighted_rows(exec, x, routing.rows(i), routing.weights(i), y);
  causal_convolution(exec, batch, rows, x, v, v, y, y);
  token_shift(exec, batch, rows, x, y, v, packed, scratch);
  keep_last_row(exec, x, y);
  selective_scan(exec, batch, rows, x, y, x, x, v, v, y, y);
  head_scan(exec, head_scan_shape{}, batch, rows, x, x, x, x, v, v, v, y, y);
  wkv_scan(exec, batch, rows, x, x, v, v, y, y);
  gated_scan(exec, batch, rows, x, x, x, v, y, y);
};

} // namespace llmap
