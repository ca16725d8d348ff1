// settle_plan: what a plan leaves to the files. Whether the head is tied, and whether experts lie one by one or in
// stacks, is not written in every config.
#pragma once
#include "llmap/architectures/decoder_plan.hpp"
#include <utility>

namespace llmap {

template <tensor_source Source> decoder_plan settle_plan(decoder_plan plan, const Source& source) {
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
  return plan;
}

} // namespace llmap
