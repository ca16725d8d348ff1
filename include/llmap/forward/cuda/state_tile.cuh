// state_scan: a recurrence of channels that have N states each. A block takes some channels of a group, which share
// what meets their states (B and C: of Mamba's, keys and queries of the delta rule's), along the texts of a slab.
// States stay in registers while a text goes by; rows come through shared memory, a few at once. Lanes of a channel add
// up in a tree whose order depends on N alone.
#pragma once
#include "llmap/core/cuda/executor.cuh"
#include "llmap/core/view.hpp"
#include "llmap/forward/cuda/positions.cuh"
#include <algorithm>
#include <bit>

namespace llmap::gpu {

/// A thread has `States` states of each of `Channels` channels; 4 to 32 neighboring lanes have those of a channel.
template <unsigned Channels, unsigned States> struct scan_policy {
  static constexpr unsigned channels = Channels, states = States, threads = 128, least_lanes = 4, most_lanes = 32;
  static constexpr unsigned most_states = states * most_lanes, rows = 8; // of a channel; in shared memory at once
  /// Channels of a block.
  __host__ __device__ static constexpr unsigned tile(unsigned lanes) { return channels * threads / lanes; }
  /// Numbers of a row: B and C, and of each channel x, a, b and y.
  static constexpr unsigned of_row(unsigned lanes) { return 2 * states * lanes + 4 * tile(lanes); }
  static constexpr unsigned numbers = rows * std::max(of_row(least_lanes), of_row(most_lanes));
};

using selective_policy = scan_policy<1, 4>; // few states, each with an exponential
using matrix_policy = scan_policy<4, 8>;

/// What the rules of the recurrences get: a row, as far as a thread has to do with it.
template <class T, class policy> struct scan_row {
  T B[policy::states], C[policy::states];                                               // of its states
  T x[policy::channels], a[policy::channels], b[policy::channels], y[policy::channels]; // of its channels
};
template <class T, class policy> using scan_states = T[policy::channels][policy::states];

/// Sums over the lanes of each channel; every lane gets them.
template <unsigned Channels, class T> __device__ void over_lanes(T (&sums)[Channels], unsigned lanes) {
#pragma unroll
  for (unsigned offset = 16; offset > 0; offset /= 2)
    if (offset < lanes)
#pragma unroll
      for (unsigned q = 0; q < Channels; ++q) sums[q] += __shfl_xor_sync(0xffffffffu, sums[q], offset);
}

/// Rule: a(t, m), b(t, m): two numbers of a channel in a row; state(m, n): a number of the state between slabs;
/// constants(m, n): of a channel and states n(0), n(1), ... of it; advance(constants, states, row, lanes): row.y, and
/// the states after the row.
template <class T, class Rule> struct state_scan {
  Rule rule;
  matrix_view<const T> x, B, C; // (S, groups * channels_of_group), (S, groups * N)
  std::size_t channels_of_group, N;
  text_parts texts;
  matrix_view<T> y; // as x
  unsigned lanes, tiles_of_group;
};

template <class T, class Rule>
__global__ void __launch_bounds__(Rule::policy::threads, 2) state_scan_kernel(state_scan<T, Rule> s) {
  using policy = typename Rule::policy;
  constexpr unsigned at_once = 16 / sizeof(T); // numbers that a lane reads of shared memory
  struct alignas(16) vector {
    T of[at_once];
  };
  __shared__ __align__(16) T room[policy::numbers];
  const unsigned lanes = s.lanes, tile = policy::tile(lanes), width = policy::states * lanes;
  T *const B = room, *const C = B + policy::rows * width, *const x = C + policy::rows * width,
           *const a = x + policy::rows * tile, *const b = a + policy::rows * tile, *const y = b + policy::rows * tile;
  const std::size_t group = blockIdx.x / s.tiles_of_group,
                    first = group * s.channels_of_group + blockIdx.x % s.tiles_of_group * tile,
                    end = min(first + tile, (group + 1) * s.channels_of_group);
  const unsigned lane = threadIdx.x % lanes, own = threadIdx.x / lanes * policy::channels;
  const auto channel = [&](unsigned q) { return min(first + own + q, end - 1); }; // those beyond are made twice
  const auto n = [&](unsigned j) { return (j / at_once * lanes + lane) * at_once + j % at_once; };
  typename Rule::constants constants[policy::channels];
#pragma unroll
  for (unsigned q = 0; q < policy::channels; ++q) constants[q] = s.rule.constants_of(channel(q), n);

  /// to[r][i] = number(r, i), for `count` rows of a power of two of columns
  const auto stage = [&](T* to, unsigned count, unsigned columns, const auto& number) {
    const unsigned shift = __ffs(static_cast<int>(columns)) - 1;
    for (unsigned i = threadIdx.x; i < count << shift; i += policy::threads)
      to[i] = number(i >> shift, i & (columns - 1));
  };
  s.texts.each(blockIdx.y, [&](std::size_t t, std::size_t last, bool from_state, bool leaves_state) {
    scan_states<T, policy> states;
#pragma unroll
    for (unsigned q = 0; q < policy::channels; ++q)
#pragma unroll
      for (unsigned j = 0; j < policy::states; ++j)
        states[q][j] = from_state && n(j) < s.N ? s.rule.state(channel(q), n(j)) : T(0);

    for (; t < last; t += policy::rows) {
      const unsigned count = static_cast<unsigned>(min(last - t, std::size_t{policy::rows}));
      stage(B, count, width, [&](unsigned r, unsigned i) { return i < s.N ? s.B(t + r, group * s.N + i) : T(0); });
      stage(C, count, width, [&](unsigned r, unsigned i) { return i < s.N ? s.C(t + r, group * s.N + i) : T(0); });
      const auto of_channels = [&](T* to, const auto& number) {
        stage(to, count, tile,
              [&](unsigned r, unsigned i) { return first + i < end ? number(t + r, first + i) : T(0); });
      };
      of_channels(x, [&](std::size_t r, std::size_t m) { return s.x(r, m); });
      of_channels(a, [&](std::size_t r, std::size_t m) { return s.rule.a(r, m); });
      if constexpr (Rule::has_b) of_channels(b, [&](std::size_t r, std::size_t m) { return s.rule.b(r, m); });
      __syncthreads();
#pragma unroll 1
      for (unsigned r = 0; r < count; ++r) {
        scan_row<T, policy> row;
#pragma unroll
        for (unsigned j = 0; j < policy::states; j += at_once) {
          const auto Bs = *reinterpret_cast<const vector*>(B + r * width + n(j)),
                     Cs = *reinterpret_cast<const vector*>(C + r * width + n(j));
#pragma unroll
          for (unsigned i = 0; i < at_once; ++i) row.B[j + i] = Bs.of[i], row.C[j + i] = Cs.of[i];
        }
#pragma unroll
        for (unsigned q = 0; q < policy::channels; ++q) {
          const unsigned at = r * tile + own + q;
          row.x[q] = x[at], row.a[q] = a[at];
          if constexpr (Rule::has_b) row.b[q] = b[at];
        }
        s.rule.advance(constants, states, row, lanes);
#pragma unroll
        for (unsigned q = 0; q < policy::channels; ++q)
          if (lane == q) y[r * tile + own + q] = row.y[q];
      }
      __syncthreads();
      for (unsigned i = threadIdx.x; i < count * tile; i += policy::threads)
        if (first + i % tile < end) s.y(t + i / tile, first + i % tile) = y[i];
    }

    if (leaves_state)
#pragma unroll
      for (unsigned q = 0; q < policy::channels; ++q)
#pragma unroll
        for (unsigned j = 0; j < policy::states; ++j)
          if (first + own + q < end && n(j) < s.N) s.rule.state(first + own + q, n(j)) = states[q][j];
  });
}

template <class T, class Rule> void run_state_scan(const cuda_executor& exec, state_scan<T, Rule> s) {
  using policy = typename Rule::policy;
  LLMAP_EXPECTS(s.N <= policy::most_states, "scan: states of a channel");
  const auto lanes = std::bit_ceil((s.N + policy::states - 1) / policy::states);
  s.lanes = static_cast<unsigned>(std::max<std::size_t>(lanes, policy::least_lanes));
  const std::size_t tile = policy::tile(s.lanes), tiles = (s.channels_of_group + tile - 1) / tile,
                    blocks = tiles * (s.x.cols / s.channels_of_group), takers = s.texts.takers();
  LLMAP_EXPECTS(blocks <= 0x7fffffff && takers <= 65535, "scan: channels or texts");
  s.tiles_of_group = static_cast<unsigned>(tiles);
  state_scan_kernel<T, Rule>
      <<<dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(takers)), policy::threads, 0, exec.stream>>>(s);
  LLMAP_CUDA_CHECK(cudaGetLastError());
}

} // namespace llmap::gpu
