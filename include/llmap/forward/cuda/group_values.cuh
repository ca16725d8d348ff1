// A group of numbers, a row or some channels of it, that threads keep in registers: a warp takes it, of four in a
// block, or a block of 128 or 512 threads.
#pragma once
#include "llmap/forward/cuda/warp_sums.cuh"

namespace llmap::gpu {

/// Threads of a block, for Threads of a group; the group that a thread belongs to.
template <unsigned Threads> inline constexpr unsigned group_threads = Threads == 32 ? warps_of_rows * 32 : Threads;
template <unsigned Threads> __device__ std::size_t group_number() {
  return Threads == 32 ? std::size_t{blockIdx.x} * warps_of_rows + threadIdx.x / 32 : std::size_t{blockIdx.x};
}

/// Blocks for so many groups of this width.
template <unsigned Threads> unsigned group_blocks(std::size_t groups, std::size_t width, const char* what) {
  constexpr std::size_t of_block = group_threads<Threads> / Threads;
  const std::size_t blocks = (groups + of_block - 1) / of_block;
  LLMAP_EXPECTS(blocks <= 0x7fffffff && width <= 0x7fffffff, what);
  return static_cast<unsigned>(blocks);
}

/// The numbers of a group that one of its threads takes: every Threads-th. The first of them stay in registers.
template <class T> inline constexpr unsigned kept_values = 64 / sizeof(T);
template <class T, unsigned Threads> class group_values {
  static constexpr unsigned kept = kept_values<T>;
  const T* in_;
  unsigned width_;
  T own_[kept];

public:
  __device__ group_values(const T* in, unsigned width) : in_(in), width_(width) {
#pragma unroll
    for (unsigned j = 0; j < kept; ++j) {
      const unsigned i = threadIdx.x % Threads + j * Threads;
      own_[j] = i < width ? in[i] : T(0);
    }
  }
  /// body(i, number i)
  template <class Body> __device__ void each(const Body& body) const {
#pragma unroll
    for (unsigned j = 0; j < kept; ++j)
      if (const unsigned i = threadIdx.x % Threads + j * Threads; i < width_) body(i, own_[j]);
#pragma unroll 1
    for (unsigned i = threadIdx.x % Threads + kept * Threads; i < width_; i += Threads) body(i, in_[i]);
  }
  /// of(number), summed; every thread of the group gets it.
  template <class Of> __device__ double sum(const Of& of) const {
    double own = 0;
    each([&](unsigned, T v) { own += of(v); });
    return over_group<Threads>(own, add);
  }
};

/// body.operator()<Threads>(), for groups of this width: it alone chooses, since the order of sums depends on it.
template <class T, class Body> void by_width(std::size_t width, const Body& body) {
  if (width <= 32 * kept_values<T>) body.template operator()<32>();
  else if (width <= 128 * kept_values<T>) body.template operator()<128>();
  else body.template operator()<512>();
}

} // namespace llmap::gpu
