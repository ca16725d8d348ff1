// How much memory a plan takes on an executor: its packed weights, what is kept per token of a batch, and the
// activations of one slab. Known before a weight is read. The executor adds what only it knows: packed_bytes of a
// matrix, the columns of keys and values that it keeps, the head's room, and scratch.
#pragma once
#include "llmap/architectures/visit_tensors.hpp"
#include "llmap/forward/mixers.hpp"
#include <cstdint>

namespace llmap {

/// How many rows an executor prefers to work on at a time.
struct row_limits {
  std::size_t activation_bytes; // of a slab, and of what a batch keeps
  std::size_t least, most;      // rows of a slab
  std::size_t most_batch;       // tokens of a batch
};

/// Bytes of the weights as load_decoder holds them. Every tensor of the plan must be in the source.
template <class T, class Exec, tensor_source Source>
std::uint64_t weight_bytes(const Exec& exec, const decoder_plan& plan, const Source& source) {
  const tensor_naming names(source, plan.prefix, plan.nested);
  std::uint64_t bytes = 0;
  struct adder {
    const Exec& exec;
    const Source& source;
    const tensor_naming& names;
    std::uint64_t& bytes;
    void operator()(const linear_plan& p, tensor_use) const { bytes += packed_bytes<T>(exec, source, p, names); }
    void operator()(const vector_plan& p, tensor_use) const {
      bytes += static_cast<std::uint64_t>(p.size()) * sizeof(T);
    }
    void operator()(const norm_plan& p, tensor_use use) const { (*this)(p.weight, use), (*this)(p.bias, use); }
  };
  visit_tensors(plan, adder{exec, source, names, bytes});
  return bytes;
}

namespace detail {

/// Elements that the recurrences of a branch keep of the text that crosses the end of a slab.
struct state_size {
  std::int64_t carry(const convolution_plan& p) const { return (p.taps - 1) * p.channels; }
  std::int64_t operator()(const mamba_plan& p) const { return carry(p.convolution) + p.inner * p.states; }
  std::int64_t operator()(const mamba2_plan& p) const { return carry(p.convolution) + p.heads * p.head_dim * p.states; }
  std::int64_t operator()(const rwkv_time_plan& p) const { return p.key.cols + 3 * p.channels; }
  std::int64_t operator()(const rwkv_channel_plan& p) const { return p.key.cols; }
  std::int64_t operator()(const delta_plan& p) const {
    return carry(p.convolution) + p.value_heads * p.key_dim * p.value_dim;
  }
  std::int64_t operator()(const short_convolution_plan& p) const { return carry(p.convolution); }
  std::int64_t operator()(const rg_lru_plan& p) const { return carry(p.convolution) + p.channels; }
  template <class Plan> std::int64_t operator()(const Plan&) const { return 0; }
};

/// Heads and widths of what attention keeps of each token.
struct kept_heads {
  std::int64_t kv_heads = 0, key_dim = 0, value_dim = 0;
};
inline kept_heads kept_heads_of(const mixer_plan& mixer) {
  if (const auto* a = std::get_if<attention_plan>(&mixer)) {
    if (a->kept_as) return {}; // in a room of their own
    return {a->kv_heads, a->head_dim, a->head_dim};
  }
  if (const auto* l = std::get_if<latent_attention_plan>(&mixer))
    return {l->heads, l->nope_dim + l->rope.dims, l->value_dim};
  return {};
}

/// The largest room that any layer needs, buffer by buffer: all layers share the buffers.
struct slab_room {
  mixer_room most;
  bool plain = false, views = false, branch = false, sum = false;
  std::int64_t streams = 0; // columns
  std::int64_t state = 0;
};
inline slab_room slab_room_of(const decoder_plan& plan) {
  slab_room room;
  if (plan.embedding.inputs) room.most.wide = plan.embedding.inputs->table.cols;
  const std::int64_t streams = plan.streams ? plan.streams->count() : 0;
  if (streams) room.streams = (streams + 1) * plan.width + streams + streams * streams, room.plain = true;
  for (const layer_plan& layer : plan.layers) {
    const auto include = [&](const branch_plan& b) {
      std::visit(
          [&]<class Plan>(const Plan& mixer) {
            const mixer_room own = room_of(mixer);
            room.most.wide = std::max(room.most.wide, own.wide);
            room.most.mixed = std::max(room.most.mixed, own.mixed);
            room.most.low = std::max(room.most.low, own.low);
            room.most.gates = std::max(room.most.gates, own.gates);
            room.most.activated = std::max(room.most.activated, own.activated);
            room.most.gathered = std::max(room.most.gathered, own.gathered);
            room.plain |= reads_plain_rows<Plan> && b.before;
            room.views |= reads_plain_rows<Plan> || !b.before;
            const bool on_residual = layer.joined == join::norm_of_sum || layer.joined == join::norm_is_residual;
            room.branch |= !on_residual && (reads_plain_rows<Plan> || b.after || b.scale != 1);
            room.state = std::max(room.state, state_size{}(mixer));
          },
          b.mixer);
    };
    for (const branch_plan& b : layer.branches) include(b);
    if (layer.streams) include(layer.streams->input);
    room.sum |= layer.joined == join::side_by_side;
  }
  return room;
}

} // namespace detail

/// Bytes that a forward pass keeps of each token of a batch: hidden state, keys and values of one layer, angles.
template <class T, class Exec> std::size_t batch_bytes(const Exec& exec, const decoder_plan& plan) {
  std::int64_t columns = plan.width * (plan.streams ? plan.streams->count() : 1);
  std::size_t branches = 0;
  std::vector<rope_plan> ropes;
  for (const layer_plan& layer : plan.layers) {
    branches = std::max(branches, layer.branches.size());
    for (const branch_plan& b : layer.branches) {
      const auto* a = std::get_if<attention_plan>(&b.mixer);
      const auto* l = std::get_if<latent_attention_plan>(&b.mixer);
      const rope_plan* rope = a && a->rope ? &*a->rope : l ? &l->rope : nullptr;
      if (rope && std::find(ropes.begin(), ropes.end(), *rope) == ropes.end()) ropes.push_back(*rope);
    }
  }
  for (std::size_t b = 0; b < branches; ++b) { // branch b of all layers shares one room
    std::int64_t most = 0;
    for (const layer_plan& layer : plan.layers)
      if (b < layer.branches.size())
        if (const detail::kept_heads kept = detail::kept_heads_of(layer.branches[b].mixer); kept.kv_heads)
          most = std::max(most, keys_values_columns<T>(exec, kept.kv_heads, kept.key_dim, kept.value_dim));
    columns += most;
  }
  for (const layer_plan& layer : plan.layers) // what later layers use has a room of its own
    for (const branch_plan& b : layer.branches)
      if (const auto* a = std::get_if<attention_plan>(&b.mixer); a && a->kept_as && !a->reuses)
        columns += keys_values_columns<T>(exec, a->kv_heads, a->head_dim, a->head_dim);
  if (plan.embedding.inputs) columns += plan.embedding.inputs->table.cols;
  if (plan.embedding.projection.present()) columns += plan.embedding.table.cols;
  if (plan.head.projection.present()) columns += plan.head.projection.rows();
  for (const rope_plan& rope : ropes) columns += rope.dims;
  return static_cast<std::size_t>(columns) * sizeof(T);
}

/// Bytes that a layer and the head take for each row of a slab.
template <class T, class Exec> std::size_t slab_bytes(const Exec& exec, const decoder_plan& plan) {
  const detail::slab_room room = detail::slab_room_of(plan);
  const mixer_room& m = room.most;
  const std::int64_t repacked =
      std::max({m.mixed, m.low, m.gates, room.views ? plan.width : 0}); // views that linear packs
  const std::int64_t columns = room.streams + m.wide + m.mixed + m.low + m.gates + m.activated + m.gathered + repacked +
                               (1 + room.plain + room.branch + room.sum) * plan.width + plan.output_table().cols;
  return static_cast<std::size_t>(columns) * sizeof(T) + head_bytes<T>(exec, plan.vocab);
}

/// Rows that a layer works on at a time.
template <class T, class Exec> std::size_t rows_of_slab(const Exec& exec, const decoder_plan& plan) {
  const row_limits limits = row_limits_of(exec);
  return std::clamp(limits.activation_bytes / slab_bytes<T>(exec, plan), limits.least, limits.most) / slab_unit *
         slab_unit;
}
/// A batch of texts is filled up to this many tokens: as many as fit the budget with what they keep, at least a slab.
template <class T, class Exec> std::size_t batch_rows(const Exec& exec, const decoder_plan& plan) {
  const row_limits limits = row_limits_of(exec);
  return std::clamp(limits.activation_bytes / batch_bytes<T>(exec, plan), rows_of_slab<T>(exec, plan),
                    limits.most_batch);
}

/// Bytes that a model takes: loaded, and for a small batch. They count together.
struct model_memory {
  std::uint64_t weights = 0, activations = 0;                      ///< bytes
  operator std::uint64_t() const { return weights + activations; } ///< together
};

/// Bytes that loading a plan and computing a small batch takes.
template <class T, class Exec, tensor_source Source>
model_memory memory_needed(const Exec& exec, const decoder_plan& plan, const Source& source,
                           compute_type compute = compute_type::working) {
  const std::int64_t sinusoids =
      plan.embedding.sinusoids ? (plan.position_limit + plan.embedding.position_offset) * plan.width : 0;
  return {weight_bytes<T>(exec, plan, source) + loading_bytes<T>(exec, plan, source, compute) +
              static_cast<std::uint64_t>(sinusoids) * sizeof(T),
          static_cast<std::uint64_t>(detail::slab_room_of(plan).state) * sizeof(T) +
              512 * (batch_bytes<T>(exec, plan) + slab_bytes<T>(exec, plan))};
}

/// Fails if a model needs more memory than there is. `where` (a file or folder) starts the message.
inline void check_memory(const model_memory& needed, std::uint64_t available, const std::string& where) {
  constexpr std::uint64_t mib = 1 << 20;
  const auto up = [](std::uint64_t bytes) { return (bytes + mib - 1) / mib; };
  if (needed > available)
    fail(where, ": the model does not fit into memory: ", up(needed), " MiB needed, ", available / mib,
         " MiB available (weights ", up(needed.weights), " MiB, activations of a small batch ", up(needed.activations),
         " MiB)");
}

} // namespace llmap
