// How much memory a plan takes: its packed weights, what is kept of each token of a batch, and the activations of the slab
// that a layer works on. Known before a weight is read.
#pragma once
#include "llmap/forward/packed_matrix.hpp"
#include <cstdint>

namespace llmap {

/// Calls body(linear_plan) for every matrix of a plan.
template <class Body> void for_matrices(const decoder_plan& plan, const Body& body) {
  body(plan.table(plan.head.weight));
  if (!plan.head.tied) body(plan.table(plan.embedding.weight));
  if (plan.embedding.projection) body(*plan.embedding.projection);
  for (const layer_plan& layer : plan.layers)
    for (const linear_plan* linear : {&layer.attention.qkv, &layer.attention.out, &layer.mlp.in, &layer.mlp.out}) body(*linear);
  if (plan.head.projection) body(*plan.head.projection);
}

/// Bytes of the weights as load_decoder holds them. Every tensor of the plan must be in the source.
template <class T, tensor_source Source> std::uint64_t weight_bytes(const decoder_plan& plan, const Source& source) {
  const auto name_in_source = source_naming(source, plan.prefix);
  std::uint64_t bytes = 0;
  for_matrices(plan, [&](const linear_plan& linear) { bytes += packed_bytes<T>(source, linear, name_in_source); });
  const auto add_vector = [&](const std::string& name, std::int64_t n) { bytes += name.empty() ? 0 : static_cast<std::uint64_t>(n) * sizeof(T); };
  const auto add_norm = [&](const norm_plan& norm) { add_vector(norm.weight, plan.width), add_vector(norm.bias, plan.width); };
  add_vector(plan.embedding.positions, plan.embedding.position_rows * plan.width);
  if (plan.embedding.norm) add_norm(*plan.embedding.norm);
  for (const layer_plan& layer : plan.layers) {
    for (const norm_plan* norm : {&layer.attention_norm, &layer.mlp_norm}) add_norm(*norm);
    if (layer.attention_out_norm) add_norm(*layer.attention_out_norm);
    if (layer.mlp_out_norm) add_norm(*layer.mlp_out_norm);
  }
  if (plan.head.norm) add_norm(*plan.head.norm);
  return bytes;
}

/// Bytes that a forward pass keeps of each token of a batch: hidden state, keys and values of one layer, angles.
template <class T> std::size_t batch_bytes(const decoder_plan& plan) {
  const std::int64_t panel = static_cast<std::int64_t>(simd::panel_width<T>());
  std::int64_t keys_and_values = 0, elements = plan.width;
  std::vector<rope_plan> ropes;
  for (const layer_plan& layer : plan.layers) {
    const attention_plan& a = layer.attention;
    keys_and_values = std::max(keys_and_values, a.kv_heads * (a.head_dim + (a.head_dim + panel - 1) / panel * panel));
    if (a.rope && std::find(ropes.begin(), ropes.end(), *a.rope) == ropes.end()) ropes.push_back(*a.rope);
  }
  elements += keys_and_values;
  if (plan.embedding.projection) elements += plan.embedding.width;
  if (plan.head.projection) elements += plan.embedding.width;
  for (const rope_plan& rope : ropes) elements += rope.dims;
  return static_cast<std::size_t>(elements) * sizeof(T);
}

/// Bytes that a layer and the head take for each row of a slab.
template <class T> std::size_t slab_bytes(const decoder_plan& plan) {
  std::int64_t widest = 0; // of the layers: qkv, its result and that packed, inner rows and those packed
  bool branch = false;
  for (const layer_plan& layer : plan.layers) {
    widest = std::max(widest, layer.attention.qkv.rows() + 2 * layer.attention.out.cols + layer.mlp.in.rows() + layer.mlp.out.cols);
    branch |= layer.topology == residual::parallel || layer.attention_out_norm || layer.mlp_out_norm;
  }
  const std::int64_t elements = widest + (branch ? 2 : 1) * plan.width + plan.embedding.width; // normed, branch; rows of the head
  const std::int64_t partial_sums = plan.vocab / 1024 + 2; // see linear_cross_entropy
  return static_cast<std::size_t>(elements) * sizeof(T) + static_cast<std::size_t>(partial_sums) * 2 * sizeof(double);
}

inline constexpr std::size_t slab_unit = 48;                          // whole tiles, whatever their height
inline constexpr std::size_t activation_budget = std::size_t{16} << 20; // bytes of a slab, and of what is kept of a batch

/// Rows that a layer works on at a time: as many as keep their activations within 16 MiB, at least 576 (with fewer, the
/// matrix products wait for weights) and at most 4080.
template <class T> std::size_t slab_rows(const decoder_plan& plan) {
  return std::clamp<std::size_t>(activation_budget / slab_bytes<T>(plan), 12 * slab_unit, 85 * slab_unit) / slab_unit * slab_unit;
}
/// Tokens that a batch of texts is filled up to: as many as keep what stays of them within 16 MiB, at least a slab.
template <class T> std::size_t batch_rows(const decoder_plan& plan) {
  return std::clamp<std::size_t>(activation_budget / batch_bytes<T>(plan), slab_rows<T>(plan), 4096);
}

/// Bytes that loading a plan and computing a small batch takes. For bf16 products a matrix of more than two bytes an element is
/// packed before it is rounded: the largest is there twice.
template <class T, tensor_source Source>
std::uint64_t memory_needed(const decoder_plan& plan, const Source& source, arithmetic math = arithmetic::working) {
  const auto name_in_source = source_naming(source, plan.prefix);
  std::uint64_t twice = 0;
  if (math == arithmetic::bf16)
    for_matrices(plan, [&](const linear_plan& linear) {
      if (bits_of(packed_dtype<T>(source, linear, name_in_source)) > 16) twice = std::max(twice, packed_bytes<T>(source, linear, name_in_source));
    });
  return weight_bytes<T>(plan, source) + twice + 512 * (batch_bytes<T>(plan) + slab_bytes<T>(plan));
}

/// Fails where a model needs more memory than there is. `where` (a file or folder) starts the message.
inline void check_memory(std::uint64_t needed, std::uint64_t available, const std::string& where) {
  constexpr std::uint64_t mib = 1 << 20;
  if (needed > available)
    fail(where, ": the model does not fit into memory: ", (needed + mib - 1) / mib, " MiB needed, ", available / mib, " MiB available");
}

} // namespace llmap
