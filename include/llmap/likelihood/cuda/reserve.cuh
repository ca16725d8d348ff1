// The memory of all batches of a run, as one block that is taken before the first: what each buffer of the workspace
// grows to, and the lists and rooms that an op takes while it runs. memory_plan.hpp has the same sums without x in
// parts and without lists; the CPU's tests hold every family to them.
#pragma once
#include "llmap/forward/cuda/attention.cuh"
#include "llmap/forward/cuda/linear.cuh"
#include "llmap/forward/cuda/pack.cuh"
#include "llmap/forward/memory_plan.hpp"
#include "llmap/forward/rope_frequencies.hpp"
#include "llmap/likelihood/cuda/linear_cross_entropy.cuh"
#include "llmap/likelihood/score.hpp"

namespace llmap {

namespace gpu {

/// Tokens of a batch and rows of a slab, at most.
struct pass_size {
  std::size_t tokens, rows;
};

/// Elements that a recurrence carries from slab to slab: its last rows.
struct carry_size {
  template <class Plan> std::int64_t operator()(const Plan& p) const {
    if constexpr (requires { p.convolution; }) return detail::state_size{}.carry(p.convolution);
    else if constexpr (std::is_same_v<Plan, rwkv_time_plan> || std::is_same_v<Plan, rwkv_channel_plan>)
      return p.key.cols;
    else return 0;
  }
};

/// The room that an op of a mixer takes while it runs, beside lists: elements a row, and elements in all.
struct op_room {
  std::int64_t columns = 0, fixed = 0;

  static op_room of(const mixture_plan& p) { return {p.router.logits.rows(), 0}; }
  static op_room of(const mamba_plan& p) { return {0, p.inner * p.states}; }
  static op_room of(const mamba2_plan& p) { return {2 * p.heads, 0}; }
  static op_room of(const delta_plan& p) { return {2 * (p.key_heads * p.key_dim + p.value_heads), 0}; }
  template <class Plan> static op_room of(const Plan&) { return {}; }
};

/// The columns of the widest products.
struct widest_product {
  std::size_t in = 0, in_of_batch = 0, out = 0;

  explicit widest_product(const decoder_plan& plan) {
    visit_tensors(plan, *this);
    for (const linear_plan* p : {&plan.embedding.projection, &plan.head.projection})
      if (p->present()) in_of_batch = std::max(in_of_batch, static_cast<std::size_t>(p->cols));
    if (plan.streams) in_of_batch = std::max(in_of_batch, static_cast<std::size_t>(plan.width));
  }
  void operator()(const linear_plan& p, tensor_use use) {
    if (use.looked_up) return;
    in = std::max(in, static_cast<std::size_t>(p.cols)), out = std::max(out, static_cast<std::size_t>(p.rows()));
  }
  void operator()(const vector_plan&, tensor_use) const {}
  void operator()(const norm_plan&, tensor_use) const {}
};

/// Bytes of the lists and rooms of any one op.
template <class T> std::size_t op_bytes(const decoder_plan& plan, const std::vector<rope_plan>& ropes, pass_size size) {
  std::size_t most = size.tokens * sizeof(std::int32_t); // ids
  for (const rope_plan& rope : ropes) {
    const std::size_t tables = depends_on_length(rope) ? size.tokens : 1; // a text may be a single token
    most = std::max(most, tables * (static_cast<std::size_t>(rope.dims) / 2 + 1) * sizeof(double) +
                              2 * size.tokens * sizeof(std::int32_t));
  }
  most = std::max(most, size.rows * std::max(sizeof(query_tile), sizeof(std::size_t) + sizeof(T)));
  for (const layer_plan& layer : plan.layers)
    for (const branch_plan& b : layer.branches) {
      const op_room room = std::visit([](const auto& mixer) { return op_room::of(mixer); }, b.mixer);
      most =
          std::max(most, (static_cast<std::size_t>(room.columns) * size.rows + static_cast<std::size_t>(room.fixed)) *
                                 sizeof(T) +
                             size.rows * sizeof(std::int32_t));
    }
  return most + 4 * cuda_arena::unit; // each of up to four begins at a multiple
}

/// Calls take(buffer, elements) for every buffer of a prepared workspace.
template <class T, class Take>
void for_each_buffer(const cuda_executor& exec, const decoder<cuda_executor, T>& model, pass_size size,
                     score_workspace<cuda_executor, T>& work, const Take& take_elements) {
  const decoder_plan& plan = model.plan;
  forward_workspace<cuda_executor, T>& w = work.forward;
  const auto take = [&](auto& buffer, std::size_t count, std::int64_t columns) {
    take_elements(buffer, count * static_cast<std::size_t>(columns));
  };
  const std::int64_t streams = plan.streams ? plan.streams->count() : 1;
  // Of a batch
  take(w.hidden, size.tokens, plan.width * streams);
  if (plan.embedding.projection.present()) take(w.embedded, size.tokens, plan.embedding.table.cols);
  if (plan.head.projection.present()) take(w.projected, size.tokens, plan.head.projection.rows());
  if (plan.embedding.inputs) take(w.inputs, size.tokens, plan.embedding.inputs->table.cols);
  for (std::size_t i = 0; i < model.ropes.size(); ++i) take(w.angles[i], size.tokens, model.ropes[i].dims);
  for (std::size_t b = 0; b < w.memory.size(); ++b) {
    std::int64_t keys_values = 0, carry = 0, state = 0;
    for (const layer_plan& layer : plan.layers) {
      if (b >= layer.branches.size()) continue;
      const mixer_plan& mixer = layer.branches[b].mixer;
      const detail::kept_heads kept = detail::kept_heads_of(mixer);
      keys_values = std::max(keys_values, keys_values_columns<T>(exec, kept.kv_heads, kept.key_dim, kept.value_dim));
      const std::int64_t own = std::visit(carry_size{}, mixer);
      carry = std::max(carry, own), state = std::max(state, std::visit(detail::state_size{}, mixer) - own);
    }
    take(w.memory[b].keys_values.rows, size.tokens, keys_values);
    take(w.memory[b].carry, 1, carry);
    take(w.memory[b].state, 1, state);
  }
  for (const layer_plan& layer : plan.layers)
    for (const branch_plan& b : layer.branches)
      if (const auto* a = std::get_if<attention_plan>(&b.mixer); a && a->kept_as && !a->reuses)
        take(w.kept[static_cast<std::size_t>(a->kept_as - 1)].rows, size.tokens,
             keys_values_columns<T>(exec, a->kv_heads, a->head_dim, a->head_dim));
  // Of a slab
  const detail::slab_room room = detail::slab_room_of(plan);
  take(w.input.numbers, size.rows, plan.width);
  take(w.plain, size.rows, room.plain ? plan.width : 0);
  take(w.branch, size.rows, room.branch ? plan.width : 0);
  take(w.sum, size.rows, room.sum ? plan.width : 0);
  take(w.wide, size.rows, room.most.wide);
  take(w.mixed, size.rows, room.most.mixed);
  take(w.low, size.rows, room.most.low);
  take(w.gates, size.rows, room.most.gates);
  take(w.activated.numbers, size.rows, room.most.activated);
  take(w.gathered.numbers, size.rows, room.most.gathered);
  if (plan.streams) {
    take(w.guess, size.rows, plan.width * streams);
    take(w.active, size.rows, plan.width);
    take(w.stream_gates, size.rows, streams + streams * streams);
  }
  // Of products and attention: x in parts of bf16, whatever type the weights have
  const widest_product widest(plan);
  const std::size_t parts = model.compute == compute_type::bf16 ? 1 : 3;
  if (std::is_same_v<T, float>) {
    const auto split = [&](std::size_t count, std::size_t K) { return parts * count * aligned_stride<bf16>(K); };
    std::size_t most = std::max(split(size.rows, widest.in), split(size.tokens, widest.in_of_batch));
    if (exec.library) most = std::max(most, split(cublas_lt::slab_rows, widest.in));
    most = std::max(most, attention_policy::parts * size.rows * widest_query(plan));
    take(w.scratch.parts, 1, static_cast<std::int64_t>(most));
    if (parts == 3) take(work.head.parts, 1, static_cast<std::int64_t>(split(size.rows, model.head.cols)));
  }
  if (exec.library) {
    take(w.scratch.slab, cublas_lt::slab_rows, static_cast<std::int64_t>(aligned_stride<T>(widest.in)));
    take(w.scratch.sums, cublas_lt::slab_rows, static_cast<std::int64_t>(aligned_stride<T>(widest.out)));
  }
  // Of the head
  const std::size_t tiles = (model.head.rows + head_tile - 1) / head_tile;
  take(work.head.rows.numbers, size.rows, static_cast<std::int64_t>(model.head.cols));
  take(work.head.pairs, size.rows, static_cast<std::int64_t>(tiles));
  take(work.head.target_logit, size.rows, 1);
  take(work.head.targets, size.rows, 1);
}

} // namespace gpu

/// Bytes on the device that batches of at most `tokens` tokens take beside the weights.
template <class T>
std::size_t batch_memory(const cuda_executor& exec, const decoder<cuda_executor, T>& model, std::size_t tokens,
                         score_workspace<cuda_executor, T>& work) {
  work.forward.prepare(model);
  const std::size_t slab = work.forward.slab_rows ? work.forward.slab_rows : rows_of_slab<T>(exec, model.plan);
  const gpu::pass_size size{tokens, std::min(slab, tokens)};
  std::size_t bytes = cuda_arena::rounded(gpu::op_bytes<T>(model.plan, model.ropes, size));
  gpu::for_each_buffer(exec, model, size, work, [&](const auto& buffer, std::size_t count) {
    bytes += cuda_arena::rounded(count * sizeof(*buffer.data()));
  });
  return bytes;
}

/// Takes the memory of all batches: of `rows` tokens, or as many as the device has room for, but the longest text.
template <class T>
batch_setup<cuda_executor> set_up(const cuda_executor& exec, const decoder<cuda_executor, T>& model,
                                  score_workspace<cuda_executor, T>& work, std::size_t rows, std::size_t longest) {
  const std::uint64_t available = available_memory(exec);
  std::size_t tokens = std::max({rows, longest, std::size_t{1}});
  std::size_t bytes = batch_memory(exec, model, tokens, work);
  while (bytes > available && tokens > std::max(longest, std::size_t{1})) {
    tokens = std::max({tokens / 2, longest, std::size_t{1}});
    bytes = batch_memory(exec, model, tokens, work);
  }
  constexpr std::uint64_t mib = 1 << 20;
  if (bytes > available)
    fail("the texts do not fit into the device's memory beside the weights: ", (bytes + mib - 1) / mib,
         " MiB of activations needed for one of ", tokens, " tokens, ", available / mib, " MiB available");
  cuda_executor own = exec;
  own.arena = std::make_shared<cuda_arena>(bytes);
  const std::size_t slab = work.forward.slab_rows ? work.forward.slab_rows : rows_of_slab<T>(exec, model.plan);
  gpu::for_each_buffer(own, model, {tokens, std::min(slab, tokens)}, work,
                       [&](auto& buffer, std::size_t count) { buffer.reserve(own, count); });
  work.nats.resize(own, tokens);
  return {own, tokens};
}

} // namespace llmap
