// A mixture of experts: the experts one after another, each on the rows that chose it.
#pragma once
#include "llmap/forward/mixers/mlp.hpp"
#include <algorithm>
#include <utility>

namespace llmap {

template <> inline constexpr bool reads_plain_rows<mixture_plan> = true; ///< norms for router and experts differ

/// Columns of `mixed`: what the router reads, what the experts read, their sum; those that differ from x and y.
struct mixture_columns {
  std::int64_t router = 0, narrow = 0, input = 0, sum = 0; ///< 0: no buffer of its own

  /// The columns that a plan takes.
  explicit mixture_columns(const mixture_plan& p) {
    const std::int64_t C = p.router.logits.cols;
    if (p.router_before) router = C;
    if (p.experts_before) input = C;
    if (p.narrow.present()) narrow = sum = p.narrow.rows();
    else if (p.experts_after) sum = C;
  }
  std::int64_t all() const { return router + narrow + input + sum; } ///< of the buffer
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

} // namespace llmap
