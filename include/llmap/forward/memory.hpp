// How much memory a plan takes: its packed weights, and the activations of a batch. Known before a weight is read.
#pragma once
#include "llmap/forward/packed_matrix.hpp"
#include <cstdint>

namespace llmap {

/// Bytes of the weights as load_decoder holds them. Every tensor of the plan must be in the source.
template <class T, tensor_source Source> std::uint64_t weight_bytes(const decoder_plan& plan, const Source& source) {
  const auto name_in_source = source_naming(source, plan.prefix);
  std::uint64_t bytes = 0;
  const auto add_matrix = [&](const linear_plan& linear) { bytes += packed_bytes<T>(source, linear, name_in_source); };
  const auto add_vector = [&](const std::string& name, std::int64_t n) { bytes += name.empty() ? 0 : static_cast<std::uint64_t>(n) * sizeof(T); };
  const auto add_norm = [&](const norm_plan& norm) { add_vector(norm.weight, plan.width), add_vector(norm.bias, plan.width); };
  add_matrix(plan.table(plan.head.weight));
  if (!plan.head.tied) add_matrix(plan.table(plan.embedding.weight));
  add_vector(plan.embedding.positions, plan.embedding.position_rows * plan.width);
  if (plan.embedding.projection) add_matrix(*plan.embedding.projection);
  if (plan.embedding.norm) add_norm(*plan.embedding.norm);
  for (const layer_plan& layer : plan.layers) {
    for (const linear_plan* linear : {&layer.attention.qkv, &layer.attention.out, &layer.mlp.in, &layer.mlp.out}) add_matrix(*linear);
    for (const norm_plan* norm : {&layer.attention_norm, &layer.mlp_norm}) add_norm(*norm);
    if (layer.attention_out_norm) add_norm(*layer.attention_out_norm);
    if (layer.mlp_out_norm) add_norm(*layer.mlp_out_norm);
  }
  if (plan.head.norm) add_norm(*plan.head.norm);
  if (plan.head.projection) add_matrix(*plan.head.projection);
  return bytes;
}

/// Bytes that a forward pass and the head keep for each token of a batch.
template <class T> std::size_t activation_bytes(const decoder_plan& plan) {
  const std::int64_t C = plan.width, E = plan.embedding.width, panel = static_cast<std::int64_t>(simd::panel_width<T>());
  std::int64_t widest = 0; // of the layers: qkv, its result and that packed, packed keys and values, inner rows and those packed
  bool branch = false;
  std::vector<rope_plan> ropes;
  for (const layer_plan& layer : plan.layers) {
    const attention_plan& a = layer.attention;
    const std::int64_t keys = a.kv_heads * a.head_dim, values = a.kv_heads * ((a.head_dim + panel - 1) / panel * panel);
    widest = std::max(widest, a.qkv.rows() + 2 * a.out.cols + keys + values + layer.mlp.in.rows() + layer.mlp.out.cols);
    branch |= layer.topology == residual::parallel || layer.attention_out_norm || layer.mlp_out_norm;
    if (a.rope && std::find(ropes.begin(), ropes.end(), *a.rope) == ropes.end()) ropes.push_back(*a.rope);
  }
  std::int64_t elements = widest + (branch ? 3 : 2) * C + E; // hidden, normed, branch; rows of the head
  if (plan.embedding.projection) elements += E;
  if (plan.head.projection) elements += E;
  for (const rope_plan& rope : ropes) elements += rope.dims;
  const std::int64_t partial_sums = plan.vocab / 1024 + 2; // see linear_cross_entropy
  return static_cast<std::size_t>(elements) * sizeof(T) + static_cast<std::size_t>(partial_sums) * 2 * sizeof(double);
}

/// Bytes that loading a plan and computing a batch of `tokens` takes.
template <class T, tensor_source Source>
std::uint64_t memory_needed(const decoder_plan& plan, const Source& source, std::size_t tokens = 512) {
  return weight_bytes<T>(plan, source) + tokens * activation_bytes<T>(plan);
}

/// Fails where a model needs more memory than there is. `where` (a file or folder) starts the message.
inline void check_memory(std::uint64_t needed, std::uint64_t available, const std::string& where) {
  constexpr std::uint64_t mib = 1 << 20;
  if (needed > available)
    fail(where, ": the model does not fit into memory: ", (needed + mib - 1) / mib, " MiB needed, ", available / mib, " MiB available");
}

} // namespace llmap
