// The forward pass: a decoder_plan executed on a ragged batch. Read this file first.
//
// decoder<Exec, T> holds the weights of a plan (forward/load.hpp); forward(...) takes ids to hidden states, the head's
// input. The head itself, which turns hidden states into log-probabilities without storing logits, is the op
// linear_cross_entropy. The pass names ops (forward/ops.hpp) and never touches a number itself: any executor runs it.
#pragma once
#include "llmap/forward/memory_plan.hpp"
#include "llmap/forward/mixers.hpp"
#include "llmap/forward/streams.hpp"

namespace llmap {

/// h (T, C) = scale * E[ids] (projected) + P[position], normed if the plan says so.
template <class Exec, class T>
matrix_view<T> embed(const Exec& exec, const decoder<Exec, T>& model, const ragged_batch& batch,
                     forward_workspace<Exec, T>& work) {
  const embedding_plan& plan = model.plan.embedding;
  const auto& table = model.embedding_table();
  const auto C = static_cast<std::size_t>(model.plan.width);
  matrix_view<T> h = work.hidden.reshape(batch.rows(), C * (model.streams_in.size() + 1)).column_range(0, C);
  const matrix_view<T> embedded = plan.projection.present() ? work.embedded.reshape(batch.rows(), table.cols) : h;
  embedding_rows(exec, table, batch, static_cast<T>(plan.scale), embedded);
  if (plan.projection.present())
    linear(exec, embedded, model.embedding_projection, h, store_mode::overwrite, work.scratch);
  if (plan.positions.present() || plan.sinusoids)
    add_positions(exec, model.positions, static_cast<std::size_t>(plan.position_offset), batch, h);
  if (model.embedding_norm) norm(exec, h, *model.embedding_norm, h);
  return h;
}

/// The layers' own inputs (T, P) = scale * table[ids] + norm(projection(h)), of the embedded tokens h.
template <class Exec, class T>
void embed_inputs(const Exec& exec, const decoder<Exec, T>& model, const ragged_batch& batch,
                  std::type_identity_t<matrix_view<const T>> h, forward_workspace<Exec, T>& work) {
  matrix_view<T> inputs = work.inputs.reshape(h.rows, model.inputs_table.cols);
  embedding_rows(exec, model.inputs_table, batch, static_cast<T>(model.plan.embedding.inputs->scale), inputs);
  work.for_slabs(exec, model.plan, h.rows, [&](slab rows) {
    matrix_view<T> projected = work.wide.reshape(rows.count, inputs.cols);
    linear(exec, h.row_range(rows.first, rows.count), model.inputs_projection, projected, store_mode::overwrite,
           work.scratch);
    norm(exec, projected, model.inputs_norm, projected);
    add_scaled(exec, projected, T(1), inputs.row_range(rows.first, rows.count), store_mode::add);
  });
}

/// The input of a branch, in the form that its mixer reads: h normed, or h itself. Calls use(x).
template <class Plan, class Exec, class T, class Use>
void with_input(const slab_pass<Exec, T>& at, const std::optional<norm_weights<Exec, T>>& before, matrix_view<T> h,
                const Use& use) {
  if (!before) return use(matrix_view<const T>(h));
  if constexpr (reads_plain_rows<Plan>) {
    matrix_view<T> x = at.work.plain.reshape(h.rows, h.cols);
    norm(at.exec, h, *before, x);
    use(matrix_view<const T>(x));
  } else {
    if (!at.input_ready) norm(at.exec, h, *before, at.work.input, at.work.scratch);
    use(at.work.input);
  }
}

/// y (S, C) = or += scale * after(mixer(before(h))). y may be h itself.
template <class Exec, class T>
void add_branch(const slab_pass<Exec, T>& at, const branch_plan& plan, const branch_weights<Exec, T>& weights,
                matrix_view<T> h, matrix_view<T> y, store_mode mode) {
  std::visit(
      [&]<class Plan>(const Plan& mixer) {
        const auto& w = std::get<mixer_weights<Exec, T, Plan>>(weights.mixer);
        with_input<Plan>(at, weights.before, h, [&](const auto& x) {
          if (!reads_plain_rows<Plan> && !weights.after && plan.scale == 1) return mix(at, mixer, w, x, y, mode);
          matrix_view<T> own = at.work.branch.reshape(h.rows, h.cols);
          mix(at, mixer, w, x, own, store_mode::overwrite);
          if (weights.after) norm(at.exec, own, *weights.after, own);
          add_scaled(at.exec, own, static_cast<T>(plan.scale), y, mode);
        });
      },
      plan.mixer);
}

/// The branches of a layer on the rows of a slab: h (S, C) in place. Slabs in order.
template <class Exec, class T>
void add_branches(const Exec& exec, const layer_plan& plan, const layer_weights<Exec, T>& weights,
                  const ragged_batch& batch, slab rows, matrix_view<T> h, forward_workspace<Exec, T>& work) {
  // Branches side by side all read h, so their sum is kept apart from it.
  matrix_view<T> sum = plan.joined == join::side_by_side ? work.sum.reshape(h.rows, h.cols) : h;
  const std::size_t together = plan.together ? plan.together : plan.branches.size();
  for (std::size_t b = 0; b < plan.branches.size(); ++b) {
    const branch_plan& branch = plan.branches[b];
    const branch_weights<Exec, T>& w = weights.branches[b];
    const bool input_ready = plan.joined == join::side_by_side && b > 0 && b < together &&
                             branch.before == plan.branches[b - 1].before && packs_input(plan.branches[b - 1].mixer);
    const slab_pass<Exec, T> at{exec, batch, rows, work, work.memory[b], input_ready};
    switch (plan.joined) {
    case join::in_turn:
      add_branch(at, branch, w, h, h, store_mode::add);
      break;
    case join::side_by_side:
      if (b < together) add_branch(at, branch, w, h, sum, b == 0 ? store_mode::overwrite : store_mode::add);
      else add_branch(at, branch, w, h, h, store_mode::add);
      if (b + 1 == together) {
        add_scaled(exec, sum, T(1), h, store_mode::add);
        if (plan.together_scale != 1) scale(exec, static_cast<T>(plan.together_scale), h);
      }
      break;
    case join::norm_of_sum:
    case join::norm_is_residual:
      if (w.before) norm(exec, h, *w.before, h);
      std::visit(
          [&]<class Plan>(const Plan& mixer) {
            mix(at, mixer, std::get<mixer_weights<Exec, T, Plan>>(w.mixer), matrix_view<const T>(h), h,
                store_mode::add);
          },
          branch.mixer);
      if (w.after) norm(exec, h, *w.after, h);
      break;
    }
  }
  if (plan.scale != 1) scale(exec, static_cast<T>(plan.scale), h);
  if (plan.scalar.present()) scale(exec, weights.scalar, h);
}

/// One layer on the rows of a slab: h (S, C) in place, or the streams (S, n C). Slabs in order.
template <class Exec, class T>
void layer(const Exec& exec, const layer_plan& plan, const layer_weights<Exec, T>& weights, const ragged_batch& batch,
           slab rows, matrix_view<T> h, forward_workspace<Exec, T>& work) {
  if (!plan.streams) return add_branches(exec, plan, weights, batch, rows, h, work);
  matrix_view<T> active = guess_streams(exec, *plan.streams, *weights.streams, h, work);
  add_branches(exec, plan, weights, batch, rows, active, work);
  correct_guesses(exec, *plan.streams, *weights.streams, active, h, work);
  const slab_pass<Exec, T> at{exec, batch, rows, work, work.memory.front()};
  add_branch(at, plan.streams->input, weights.streams->input, active, active, store_mode::overwrite);
  for (std::size_t first = active.cols; first < h.cols; first += active.cols)
    add_scaled(exec, active, T(1), h.column_range(first, active.cols), store_mode::add);
}

/// Hidden states (T, E) that enter the head. `observe(name, rows)` is called with "input", after each layer and with
/// "head_input"; the view it gets is valid during the call, the result until the next forward with this workspace.
template <class Exec, class T, class Observe>
matrix_view<const T> forward(const Exec& exec, const decoder<Exec, T>& model, const ragged_batch& batch,
                             forward_workspace<Exec, T>& work, const Observe& observe) {
  work.prepare(model);
  // 1. Embedding (T, C), or the streams (T, n C), and the angles of every rotation
  matrix_view<T> h = embed(exec, model, batch, work);
  for (std::size_t i = 0; i < model.ropes.size(); ++i)
    fill_angles(exec, model.ropes[i], batch,
                work.angles[i].reshape(batch.rows(), static_cast<std::size_t>(model.ropes[i].dims)));
  if (model.plan.embedding.inputs) embed_inputs(exec, model, batch, h, work);
  if (model.plan.streams) begin_streams(exec, model, h = work.hidden.view(), work);
  observe("input", matrix_view<const T>(h));
  // 2. Layers (T, C), a slab (S, C) at a time
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    work.for_slabs(exec, model.plan, batch.rows(), [&](slab rows) {
      layer(exec, model.plan.layers[i], model.layers[i], batch, rows, h.row_range(rows.first, rows.count), work);
    });
    observe("layer", matrix_view<const T>(h));
  }
  // 3. Final norm (T, C) and projection (T, E)
  if (model.plan.streams) h = end_streams(exec, model, h, work);
  if (model.head_norm) norm(exec, h, *model.head_norm, h);
  matrix_view<T> y = h;
  if (model.plan.head.projection.present()) {
    y = work.projected.reshape(h.rows, model.head_projection.rows);
    linear(exec, h, model.head_projection, y, store_mode::overwrite, work.scratch);
  }
  observe("head_input", matrix_view<const T>(y));
  return y;
}
/// The same, without a look at the steps in between.
template <class Exec, class T>
matrix_view<const T> forward(const Exec& exec, const decoder<Exec, T>& model, const ragged_batch& batch,
                             forward_workspace<Exec, T>& work) {
  return forward(exec, model, batch, work, [](const char*, matrix_view<const T>) {});
}

} // namespace llmap
