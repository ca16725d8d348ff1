// What every mixer is given: the slab that its layer works on, and the columns of the workspace that it takes. A mixer
// is two functions, found by the type of its plan:
//   room_of(plan)                       the columns that it takes for each row
//   mix(at, plan, weights, x, y, mode)  x (S, C) to y (S, C), where mode says whether y is overwritten or added to
#pragma once
#include "llmap/forward/ops.hpp"

namespace llmap {

/// The slab that a layer works on, and everything that mixers share.
template <class Exec, class T> struct slab_pass {
  const Exec& exec;                                           ///< where ops run
  const ragged_batch& batch;                                  ///< that the slab is cut from
  slab rows;                                                  ///< of the batch
  forward_workspace<Exec, T>& work;                           ///< buffers for any mixer
  typename forward_workspace<Exec, T>::branch_memory& memory; // of this branch
  bool input_ready = false;                                   // work.input already holds the branch's input

  /// The angles of the slab's rows (S, r), for a rope of decoder::ropes.
  matrix_view<const T> angles(std::size_t rope) const {
    const auto& table = work.angles[rope];
    return matrix_view<const T>(table.view()).row_range(rows.first, rows.count);
  }
  /// y = or += x W^T + b
  template <class X>
  void product(const X& x, const typename Exec::template matrix<T>& w, matrix_view<T> y,
               store_mode mode = store_mode::overwrite) const {
    linear(exec, x, w, y, mode, work.scratch);
  }
};

/// Columns of the workspace's buffers that a mixer takes for each row of a slab.
struct mixer_room {
  std::int64_t wide = 0, mixed = 0, low = 0, gates = 0, activated = 0, gathered = 0; ///< buffers of forward_workspace
};

/// Whether a mixer reads its input row by row. Such a mixer replaces y instead of adding to it.
template <class Plan> inline constexpr bool reads_plain_rows = false;

} // namespace llmap
