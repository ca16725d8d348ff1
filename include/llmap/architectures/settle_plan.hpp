// settle_plan: what a plan leaves to the files. Whether the head is tied, and whether experts lie one by one or in
// stacks, is not written in every config. Nor does a config say whether the publisher's own code computes what the
// class of its model_type does: if the files hold tensors that this class does not read, the model is refused.
#pragma once
#include "llmap/architectures/decoder_plan.hpp"
#include "llmap/architectures/unread_tensors.hpp"
#include "llmap/core/error.hpp"
#include <utility>

namespace llmap {

/// `where` starts the message.
template <tensor_source Source>
decoder_plan settle_plan(decoder_plan plan, const Source& source, const std::string& where) {
  const tensor_naming names(source, plan.prefix, plan.nested);
  const auto stored = [&](const linear_plan& p) { return source.find(names(p.parts.front().weight)).has_value(); };
  if (plan.head.tied_where_absent && plan.head.table.present() && !stored(plan.head.table)) plan.head.table = {};
  plan.head.tied_where_absent = false;
  for (layer_plan& layer : plan.layers)
    for (branch_plan& b : layer.branches)
      if (auto* m = std::get_if<mixture_plan>(&b.mixer); m && !m->stacked.empty()) {
        if (stored(m->stacked.front().in)) m->experts = std::move(m->stacked);
        m->stacked.clear();
      }
  if (!plan.custom_code.empty())
    if (const auto unread = unread_tensors(plan, source); !unread.empty())
      fail(where, ": auto_map: ", plan.custom_code, ", the publisher's own code, decides what this ", plan.model_type,
           " computes, and it cannot be run here; the class of this name does not read ", unread.size(),
           " of the tensors: ", first_names(unread));
  return plan;
}

} // namespace llmap
