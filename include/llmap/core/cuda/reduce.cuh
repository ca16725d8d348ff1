// Reductions of mergeable values over a block: V{} is the identity, a.merge(b) makes a stand for both. Values merge in
// the order of threads, in a tree that depends on their number alone. The sums are CUB's, whose order is fixed for one
// version of it.
#pragma once
#include <cub/block/block_reduce.cuh>

namespace llmap::gpu {

struct merge_values {
  template <class V> __device__ V operator()(V a, const V& b) const {
    a.merge(b);
    return a;
  }
};

template <class V, int Threads> struct block_merge {
  using reduction = cub::BlockReduce<V, Threads, cub::BLOCK_REDUCE_WARP_REDUCTIONS>;
  using storage = typename reduction::TempStorage;

  /// Of the values of all threads; the first thread has the result. A barrier must follow before `room` is used again.
  static __device__ V run(storage& room, const V& value) { return reduction(room).Reduce(value, merge_values{}); }
};

} // namespace llmap::gpu
