// What a plan costs: parameters, and operations of a text. A multiply-add counts as two operations; norms, activations,
// rotations and softmax are left out, as is usual.
#pragma once
#include "llmap/architectures/visit_tensors.hpp"
#include <algorithm>
#include <cmath>

namespace llmap {

/// Numbers in the tensors of a plan; one that serves as embedding and head counts once.
struct parameter_count {
  std::int64_t total = 0; ///< of all tensors
  /// Of a token: of a mixture's experts only the chosen, without the rows of tables that are looked up.
  double active = 0;
};

namespace detail {

struct parameter_counter {
  parameter_count& count;
  std::unordered_set<std::string>& seen;

  void operator()(const linear_plan& p, tensor_use use) const {
    for (const matrix_part& part : p.parts) {
      // Several parts may pick rows of one stored tensor: what they pick is counted, not what is stored.
      add(part.rows * (p.cols + (part.bias.empty() ? 0 : 1)), use);
    }
  }
  void operator()(const vector_plan& p, tensor_use use) const {
    for (const tensor_spec& t : p.tensors)
      if (seen.insert(t.name).second) add(t.elements(), use);
  }
  void operator()(const norm_plan& p, tensor_use use) const { (*this)(p.weight, use), (*this)(p.bias, use); }

private:
  void add(std::int64_t n, tensor_use use) const {
    count.total += n;
    if (!use.looked_up) count.active += use.share * static_cast<double>(n);
  }
};

/// Multiply-adds of matrix products for each token.
struct product_counter {
  double& products;
  void operator()(const linear_plan& p, tensor_use use) const {
    if (!use.looked_up) products += use.share * use.times * static_cast<double>(p.rows()) * static_cast<double>(p.cols);
  }
  void operator()(const vector_plan&, tensor_use) const {}
  void operator()(const norm_plan&, tensor_use) const {}
};

/// Pairs of a query and a key that it sees, in a text of `tokens`; window and chunk as in attention_plan.
inline double visible_pairs(double tokens, std::int64_t window, std::int64_t chunk = 0) {
  if (chunk) {
    const double c = static_cast<double>(chunk), whole = std::floor(tokens / c), rest = tokens - whole * c;
    return whole * c * (c + 1) / 2 + rest * (rest + 1) / 2;
  }
  const double w = window ? std::min(static_cast<double>(window), tokens) : tokens;
  return w * (w + 1) / 2 + (tokens - w) * w;
}

/// Multiply-adds of a mixer in a text beyond its matrix products.
struct sequence_counter {
  double tokens;
  double operator()(const attention_plan& p) const {
    return 2 * static_cast<double>(p.heads * p.head_dim) * visible_pairs(tokens, p.window, p.chunk);
  }
  double operator()(const latent_attention_plan& p) const {
    return static_cast<double>(p.heads * (p.nope_dim + p.rope.dims + p.value_dim)) * visible_pairs(tokens, 0);
  }
  double convolved(const convolution_plan& p) const { return static_cast<double>(p.channels * p.taps) * tokens; }
  double operator()(const mamba_plan& p) const {
    return convolved(p.convolution) + 3 * static_cast<double>(p.inner * p.states) * tokens;
  }
  double operator()(const mamba2_plan& p) const {
    return convolved(p.convolution) + 3 * static_cast<double>(p.heads * p.head_dim * p.states) * tokens;
  }
  double operator()(const delta_plan& p) const {
    return convolved(p.convolution) + 4 * static_cast<double>(p.value_heads * p.key_dim * p.value_dim) * tokens;
  }
  double operator()(const short_convolution_plan& p) const { return convolved(p.convolution); }
  double operator()(const rwkv_time_plan& p) const { return 4 * static_cast<double>(p.channels) * tokens; }
  double operator()(const rg_lru_plan& p) const {
    return convolved(p.convolution) + static_cast<double>(p.channels) * tokens;
  }
  template <class Plan> double operator()(const Plan&) const { return 0; }
};

} // namespace detail

/// The parameters of a plan.
inline parameter_count parameters_of(const decoder_plan& plan) {
  parameter_count count;
  std::unordered_set<std::string> seen;
  visit_tensors(plan, detail::parameter_counter{count, seen});
  return count;
}

/// Operations to score a text of `tokens` tokens: each of them through the layers, all but the last through the head.
inline double operations_of(const decoder_plan& plan, double tokens) {
  double products = 0;
  visit_tensors(plan, detail::product_counter{products});
  const linear_plan& head = plan.output_table();
  const double of_head = static_cast<double>(head.rows()) * static_cast<double>(head.cols);
  double sum = products * tokens - of_head;
  for (const layer_plan& layer : plan.layers)
    for (const branch_plan& b : layer.branches) sum += std::visit(detail::sequence_counter{tokens}, b.mixer);
  return 2 * sum;
}

} // namespace llmap
