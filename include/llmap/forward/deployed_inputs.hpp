// What a deployed model rounds: the inputs of which matrices, and how.
#pragma once
#include "llmap/architectures/visit_tensors.hpp"
#include "llmap/weights/tensor_table.hpp"
#include <map>

namespace llmap {

/// The number of a plan's matrices by the rule of their inputs ("fp8 a token"). Those that are not rounded are not
/// counted; a rule that is not known is an llmap::error.
template <tensor_source Source>
std::map<std::string, std::int64_t> deployed_inputs(const decoder_plan& plan, const Source& source) {
  struct visitor {
    const Source& source;
    tensor_naming names;
    std::map<std::string, std::int64_t> found{};

    void operator()(const linear_plan& p, tensor_use use) {
      if (use.looked_up) return;
      for (const matrix_part& part : p.parts)
        if (const auto rule = rounding_of(source, names(part.weight))) ++found[description(*rule)];
    }
    void operator()(const vector_plan&, tensor_use) {}
    void operator()(const norm_plan&, tensor_use) {}
  } all{source, tensor_naming(source, plan.prefix, plan.nested)};
  visit_tensors(plan, all);
  return all.found;
}

/// What a policy_line says besides: nothing unless inputs are rounded, so that such scores are not mixed with others.
template <tensor_source Source>
std::string activations_line(activation_mode mode, const decoder_plan& plan, const Source& source) {
  return mode == activation_mode::deployed && !deployed_inputs(plan, source).empty() ? ", activations deployed" : "";
}

} // namespace llmap
