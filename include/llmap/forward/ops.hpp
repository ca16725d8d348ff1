// The ops of a forward pass: what each computes, stated once for every executor. They are free functions whose first
// argument is the executor, found by argument-dependent lookup; forward/cpu/ has them for threads and SIMD. The concept
// forward_ops at the end lists their signatures and is checked for every executor.
//
// Shapes are (rows, columns). Views may have any row stride. An op that may work in place says so. Every op gives a row
// the same bits whatever the other rows of the batch are, and whatever slabs the batch is cut into.
#pragma once
#include "llmap/forward/decoder.hpp"
#include "llmap/forward/head_options.hpp"
#include "llmap/forward/workspace.hpp"
#include "llmap/weights/tensor_table.hpp"
#include <string>

namespace llmap {

/// Heads that are rotated: head h is columns [h * width, (h + 1) * width), its rotated dims begin at `first`.
struct rotated_heads {
  std::size_t heads = 0, width = 0, first = 0; ///< width and first in columns
  bool interleaved = false;                    ///< pairs (2i, 2i + 1), as in rope_plan
};

/// The numbers of an attention that its weights do not tell, as the op takes them.
struct attention_shape {
  std::size_t heads = 0, kv_heads = 0, key_dim = 0, value_dim = 0; ///< H, G, D, Dv
  double scale = 1, softcap = 0;                                   // softcap 0: none
  std::size_t window = 0;     // keys visible to a query, itself included; 0: no limit
  bool rounded_alibi = false; // slopes as in attention_plan::rounded_alibi
  std::size_t chunk = 0;      // positions of a chunk, in which a query sees only its own; 0: no chunks

  /// The first key that a query at `position` sees.
  std::size_t oldest(std::size_t position) const {
    if (chunk) return position / chunk * chunk;
    return window && position + 1 > window ? position + 1 - window : 0;
  }
};

/// The same of delta_scan.
struct delta_shape {
  std::size_t key_heads = 0, value_heads = 0, key_dim = 0, value_dim = 0; ///< Hk, Hv, Dk, Dv
  double beta_scale = 1;                                                  ///< as in delta_plan
};

/// The same of head_scan.
struct head_scan_shape {
  std::size_t heads = 0, head_dim = 0, groups = 1, states = 0; ///< as in mamba2_plan
  double least_step = 0, most_step = 0;                        ///< bounds of dt, as in mamba2_plan
};

/// Loading
///   check_support<T>(exec, plan, compute, where)   fails if the executor has no such products, or a mixer is too large
///   room_for<T>(exec, plan, source)                memory for all weights of the plan
///   pack<T>(exec, source, linear, names, compute, room)
///                                                  the matrix of a linear_plan; weights are finite or it fails
///   upload(exec, numbers)                          a vector<T> of a std::vector<T>
///   packed_bytes<T>(exec, source, linear, names), loading_bytes<T>(exec, plan, source, compute)
///   keys_values_columns<T>(exec, kv_heads, key_dim, value_dim), head_bytes<T>(exec, vocab), row_limits_of(exec)
///
/// Embedding
///   embedding_rows(exec, table, batch, scale, y)   y (T, E) = scale * table[id]; table[0] where id is beyond the table
///   add_positions(exec, positions, offset, batch, y)
///                                                  y (T, C) += positions[offset + position]
///   fill_angles(exec, rope_plan, batch, y)         y (T, r) = cosines (r / 2), then sines, of position * frequency
///
/// Rows
///   norm(exec, x, weights, y)                      y (S, C) normed in groups of weights.width; in place
///   norm(exec, x, weights, packed, scratch)        the same, packed for linear
///   add_scaled(exec, x, s, y, mode)                y = or += s x
///   scale(exec, s, y)                              y *= s
///   scale(exec, vector, y)                         y *= the one number of it
///   grow(exec, growth, batch, slab, y)             row of y at position t times the factor of query_growth
///   scale_columns(exec, vector, y)                 column k of y times vector[k]
///   clamp(exec, limit, y)                          y into [-limit, limit]
///   cut_below(exec, cut, y)                        each row max(y - (mean + cut * deviation of the row), 0)
///   clear(exec, y)                                 y = 0
///   activate(exec, act, gated, x, y)               y (S, I) = act(x (S, I)); gated, with x (S, 2 I),
///                                                  y = act(x[:, :I]) * x[:, I:]; y may be x, or its first half
///   activate(exec, act, gated, x, packed, scratch)
///                                                  the same, packed for linear
///   xielu(exec, parameters, x, packed, scratch)    parameters alpha_p, alpha_n, beta, eps; see cpu/activate.hpp
///   place_heads(exec, x, x_heads, y, heads, first)
///                                                  head h of y, from its column `first` on, gets head h of x,
///                                                  or x's only head
///   gather_rows(exec, x, rows, packed, scratch)    rows of x, packed for linear
///   scale_rows_by_sigmoid(exec, gate, y)           row r of y times sigmoid(gate(r, 0))
///
/// Products
///   linear(exec, x, w, y, mode, scratch)           y (S, N) = or += x (S, K) w^T + b, x packed or a view; where w says
///                                                  so, of inputs rounded as in input_rounding.hpp
///   linear_cross_entropy(exec, packed, w, targets, options, log_probability, room, scratch)
///                                                  log p(target) (S) in nats: log-softmax of cap(scale * x w^T + b);
///                                                  part of a host_buffer, there after synchronize(exec)
///
/// Attention
///   rope(exec, y, rotated_heads, angles)           rotates the heads of y (S, ...) in place
///   attention(exec, shape, alibi, sinks, batch, slab, qkv, out, keys_values, scratch)
///                                                  qkv (S, H D + G D + G Dv), out (S, H Dv); slabs in order. qkv (S,
///                                                  H D) is q alone: keys and values lie in keys_values already
///
/// Streams (stream_layer_plan), n of width C in a row
///   mix_streams(exec, c, x, y)                     y (S, n C): y_i = x_i + sum_j c_ij x_j, c (S, n^2)
///   correct_streams(exec, c, active, x, guess, y)  y_i = guess_i + (1 + c_i) (x - guess_active), c (S, n), x (S, C)
///   match_size(exec, x, y)                         each row of y times sqrt(mean x^2 / max(mean y^2, 1e-5))
///
/// Mixture of experts
///   route(exec, router_plan, logits, correction, expert_scale, routing)
///                                                  logits (S, E); equal scores: the lower number wins
///   routing.count(e), routing.rows(e), routing.weights(e)
///                                                  the rows that chose expert e, ascending, and their weights
///   add_weighted_rows(exec, x, rows, weights, y)   y[rows[i]] += weights[i] * x[i]; without weights, x[i]
///   gather_weighted_rows(exec, x, rows, weights, packed, scratch)
///                                                  weights[i] * x[rows[i]], packed for linear
///
/// Recurrences; carry, last and state are what a text leaves at the end of a slab; slabs in order, texts from zero
///   causal_convolution(exec, batch, slab, x, weight, bias, y, carry)
///                                                  weight (channels, taps), carry (taps - 1, channels)
///   token_shift(exec, batch, slab, x, last, mix, packed, scratch)
///                                                  x_t * mix + x_{t-1} * (1 - mix)
///   keep_last_row(exec, x, last)                   last (1, C) = the last row of x
///   selective_scan(exec, batch, slab, x, step, B, C, a_log, d, y, state)
///                                                  mamba_plan; state (M, N); step is overwritten
///   head_scan(exec, shape, batch, slab, x, B, C, dt, dt_bias, a_log, d, y, state)
///                                                  mamba2_plan; state (M, N)
///   wkv_scan(exec, batch, slab, k, v, decay, first, y, state)
///                                                  rwkv_time_plan; state (3, A)
///   gated_scan(exec, batch, slab, x, input_gate, recurrent_gate, decay, y, state)
///                                                  rg_lru_plan; state (1, L)
///   delta_scan(exec, shape, batch, slab, q, k, v, b, a, dt_bias, a_log, y, state)
///                                                  delta_plan; state (Hv Dk, Dv)
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
  scale(exec, v, y);
  grow(exec, query_growth{}, batch, rows, y);
  scale_columns(exec, v, y);
  clamp(exec, number, y);
  cut_below(exec, 1.0, y);
  mix_streams(exec, x, x, y);
  correct_streams(exec, x, i, x, x, y);
  match_size(exec, x, y);
  clear(exec, y);
  activate(exec, act, true, x, y);
  activate(exec, act, true, x, packed, scratch);
  xielu(exec, v, x, packed, scratch);
  place_heads(exec, x, i, y, i, i);
  gather_rows(exec, x, routing.rows(i), packed, scratch);
  scale_rows_by_sigmoid(exec, x, y);
  linear(exec, x, w, y, mode, scratch);
  linear(exec, packed, w, y, mode, scratch);
  linear_cross_entropy(exec, packed, w, targets, head_options{}, nats, head, scratch);
  synchronize(exec);
  rope(exec, y, rotated_heads{}, x);
  attention(exec, attention_shape{}, v, v, batch, rows, x, y, keys_values, scratch);
  route(exec, router, x, v, v, routing);
  { routing.count(i) } -> std::convertible_to<std::size_t>;
  add_weighted_rows(exec, x, routing.rows(i), routing.weights(i), y);
  gather_weighted_rows(exec, x, routing.rows(i), routing.weights(i), packed, scratch);
  causal_convolution(exec, batch, rows, x, v, v, y, y);
  token_shift(exec, batch, rows, x, y, v, packed, scratch);
  keep_last_row(exec, x, y);
  selective_scan(exec, batch, rows, x, y, x, x, v, v, y, y);
  head_scan(exec, head_scan_shape{}, batch, rows, x, x, x, x, v, v, v, y, y);
  wkv_scan(exec, batch, rows, x, x, v, v, y, y);
  gated_scan(exec, batch, rows, x, x, x, v, y, y);
  delta_scan(exec, delta_shape{}, batch, rows, x, x, x, x, x, v, v, y, y);
};

} // namespace llmap
