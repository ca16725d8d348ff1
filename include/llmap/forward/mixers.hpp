// The mixers: what a branch of a layer does between its norms, on the rows of a slab.
//   mix(pass, plan, weights, x, y, mode)   y (S, C) = or += mixer(x), x (S, C)
// x is packed for linear, or a plain view if the mixer reads its rows itself (reads_plain_rows). The room_of beside
// each mixer gives the columns of the workspace's buffers that it takes. Ops and their contracts: forward/ops.hpp.
#pragma once
#include "llmap/forward/mixers/attention.hpp"
#include "llmap/forward/mixers/mixture.hpp"
#include "llmap/forward/mixers/mlp.hpp"
#include "llmap/forward/mixers/recurrent.hpp"
#include "llmap/forward/mixers/rwkv.hpp"

namespace llmap {

/// Whether a branch packs what its mixer reads.
inline bool packs_input(const mixer_plan& mixer) {
  return std::visit([]<class Plan>(const Plan&) { return !reads_plain_rows<Plan>; }, mixer);
}

} // namespace llmap
