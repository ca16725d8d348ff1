// Loads the weights that a plan names onto an executor.
#pragma once
#include "llmap/architectures/check_plan.hpp"
#include "llmap/architectures/settle_plan.hpp"
#include "llmap/architectures/visit_tensors.hpp"
#include "llmap/core/memory.hpp"
#include "llmap/forward/decoder.hpp"
#include "llmap/forward/memory_plan.hpp"
#include "llmap/forward/sinusoids.hpp"
#include "llmap/weights/tensor_table.hpp"
#include "llmap/weights/widen.hpp"
#include <algorithm>

namespace llmap {

/// How load_decoder holds the weights, and when it refuses to.
struct load_options {
  /// bf16: products in bf16, faster and less accurate (docs/numerics.md). An error if the executor has none.
  compute_type compute = compute_type::working;
  /// deployed: an error where the rule of a matrix is not known, for the head's, with bf16 products, and if the
  /// executor does not round.
  activation_mode activations = activation_mode::full;
  /// A model that needs more bytes is refused before anything is allocated; the activations of a small batch count.
  std::uint64_t available = available_memory();
};

namespace detail {

/// The visitor that fills the weights along with a plan.
template <class Exec, class T, class Source> struct weight_loader {
  const Exec& exec;
  const Source& source;
  const tensor_naming& names;
  const load_options& options;
  const linear_plan& head; // what gives logits
  typename Exec::weights_room& room;

  void operator()(const linear_plan& plan, tensor_use use, typename Exec::template matrix<T>& to) const {
    to = pack<T>(exec, source, plan, names, options.compute, room);
    if (options.activations == activation_mode::deployed) round_inputs_of(to, plan, use);
  }
  void operator()(const vector_plan& plan, tensor_use, typename Exec::template vector<T>& to) const {
    to = upload(exec, read<T>(plan));
  }
  void operator()(const norm_plan& plan, tensor_use, norm_weights<Exec, T>& to) const {
    to.kind = plan.kind;
    to.epsilon = plan.epsilon;
    to.width = static_cast<std::size_t>(plan.width);
    to.rounded = plan.rounded;
    std::vector<T> weight = read<T>(plan.weight);
    if (weight.empty() && plan.scale != 1) weight.assign(to.width, T(1));
    else
      for (T& x : weight) x += static_cast<T>(plan.weight_offset);
    std::vector<T> bias = read<T>(plan.bias);
    if (plan.scale != 1)
      for (std::vector<T>* all : {&weight, &bias})
        for (T& x : *all) x *= static_cast<T>(plan.scale);
    to.weight = upload(exec, weight);
    to.bias = upload(exec, bias);
  }

private:
  /// Notes the rules of the matrix, one for each part of it.
  template <class Matrix> void round_inputs_of(Matrix& to, const linear_plan& plan, tensor_use use) const {
    std::vector<rounded_rows> all;
    bool any = false;
    for (const matrix_part& part : plan.parts) {
      const input_rounding rule = rounding_of(source, names(part.weight)).value_or(input_rounding{});
      any |= rule.format != input_format::none;
      const std::size_t first = all.empty() ? 0 : all.back().first + all.back().count;
      if (!all.empty() && all.back().rule == rule) all.back().count += static_cast<std::size_t>(part.rows);
      else all.push_back({first, static_cast<std::size_t>(part.rows), rule});
    }
    if (!any) return;
    const std::string name = names(plan.parts.front().weight);
    if (plan == head) fail("tensor ", name, ": inputs as deployed: those of the head are not rounded here");
    if (use.looked_up) return;
    if (options.compute != compute_type::working)
      fail("tensor ", name, ": inputs as deployed: expected working precision, got bf16 products");
    if constexpr (requires { to.inputs = all; }) to.inputs = std::move(all);
    else fail("tensor ", name, ": inputs as deployed: only the CPU rounds them");
  }
  template <class U> std::vector<U> read(const vector_plan& plan) const {
    std::vector<U> all;
    for (const tensor_spec& t : plan.tensors) append_widened(source.read(names(t.name)), names(t.name), all);
    return all;
  }
};

/// The index of a plan in a list of distinct ones; a new one is appended.
inline std::size_t index_of(std::vector<rope_plan>& all, const rope_plan& plan) {
  const auto it = std::find(all.begin(), all.end(), plan);
  if (it != all.end()) return static_cast<std::size_t>(it - all.begin());
  all.push_back(plan);
  return all.size() - 1;
}

} // namespace detail

/// Loads the weights that the plan names. All missing, misshapen and wrongly typed tensors are listed in one error;
/// `where` (a file or folder) starts every message.
template <class T, executor Exec, tensor_source Source>
decoder<Exec, T> load_decoder(const Exec& exec, decoder_plan plan, const Source& source, const std::string& where,
                              const load_options& options = {}) {
  plan = settle_plan(std::move(plan), source, where);
  check_plan(plan, where);
  check_support<T>(exec, plan, options.compute, where);
  const tensor_naming names(source, plan.prefix, plan.nested);
  std::vector<tensor_spec> table = tensor_table(plan);
  for (tensor_spec& spec : table) spec.name = names(spec.name);
  check_tensors(source, table, where);
  check_memory(memory_needed<T>(exec, plan, source, options.compute), options.available, where);

  decoder<Exec, T> model;
  model.compute = options.compute;
  typename Exec::weights_room room = room_for<T>(exec, plan, source);
  try {
    visit_tensors(plan, detail::weight_loader<Exec, T, Source>{exec, source, names, options, plan.output_table(), room},
                  model);
  } catch (const error& problem) {
    fail(where, ": ", problem.what());
  }
  if (plan.embedding.sinusoids) {
    const std::vector<double> rows = sinusoids(plan.position_limit + plan.embedding.position_offset, plan.width);
    model.positions = upload(exec, std::vector<T>(rows.begin(), rows.end()));
  }
  // What attention needs besides its tensors.
  for (std::size_t i = 0; i < plan.layers.size(); ++i)
    for (std::size_t b = 0; b < plan.layers[i].branches.size(); ++b) {
      const mixer_plan& mixer = plan.layers[i].branches[b].mixer;
      auto& weights = model.layers[i].branches[b].mixer;
      if (const auto* a = std::get_if<attention_plan>(&mixer)) {
        auto& w = std::get<mixer_weights<Exec, T, attention_plan>>(weights);
        if (a->rope) w.rope = detail::index_of(model.ropes, *a->rope);
        w.alibi = upload(exec, std::vector<T>(a->alibi.begin(), a->alibi.end()));
      } else if (const auto* latent = std::get_if<latent_attention_plan>(&mixer)) {
        std::get<mixer_weights<Exec, T, latent_attention_plan>>(weights).rope =
            detail::index_of(model.ropes, latent->rope);
      }
    }
  model.plan = std::move(plan);
  return model;
}

} // namespace llmap
