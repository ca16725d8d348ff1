// Attention of float on tensor cores (attention.cuh says what it computes). A block of four warps takes 64 queries of
// one head and text, counted from the start of the text, 16 a warp, and goes through the keys they see, 64 at a time,
// with an online softmax (Milakov and Gimelshein 2018). The weights of a row never leave the registers of the four
// lanes that have its scores: as mma lays out sums, so it reads a factor (Dao 2023).
// q, k, v and weights are sums of three parts of bf16 (split_rows.cuh). Of the nine products of parts the six that
// reach 2^-16 are made. Parts go by through shared memory in chunks of 64 rows by 64 elements, filled by cp.async:
// chunks of keys and values through two stages; those of queries stay, two of them at most. 16-byte pieces of a row of
// a chunk are exchanged so that neither ldmatrix nor cp.async meets a bank twice.
#pragma once
#include "llmap/core/view.hpp"
#include "llmap/forward/cuda/attention_rules.cuh"
#include "llmap/forward/cuda/split_rows.cuh"
#include <cuda_pipeline_primitives.h>

namespace llmap::gpu {

struct attention_policy {
  static constexpr unsigned warps = 4, threads = 32 * warps, parts = 3;
  static constexpr unsigned width = 64, row_bytes = 2 * width, part_bytes = attention_tile * row_bytes; // of a chunk
  static constexpr unsigned chunk_bytes = parts * part_bytes;                                           // 24 KiB
  static constexpr unsigned stages = 2, query_chunks = 2; // with them 96 KiB: within the 99 of every sm_8x
  static constexpr unsigned shared_bytes(std::uint32_t D) {
    return (stages + (D <= width ? 1 : query_chunks)) * chunk_bytes;
  }
};

struct attention_parts {
  split_heads q, keys, values; // (S, H, D); (T, Hkv, D), (T, Hkv, Dv) of the batch
  matrix_view<float> out;      // (S, H Dv)
  const query_tile* tiles;
  attention_rules<float> rules;
  std::uint32_t Dv, group; // group: heads that share keys and values
  bool pairs;              // out may be written two numbers at a time
};

/// The bytes of 8 elements of a row of a chunk.
__device__ inline unsigned chunk_piece(unsigned row, unsigned piece) {
  return row * attention_policy::row_bytes + (piece ^ row % 8) * 16;
}

/// Elements [element, element + 64) of a head in rows [first, first + rows); zeros beyond both.
__device__ inline void fetch_chunk(unsigned char* chunk, const split_heads& from, std::size_t first, unsigned rows,
                                   unsigned head, unsigned element) {
  using policy = attention_policy;
  constexpr unsigned pieces = policy::row_bytes / 16, of_part = attention_tile * pieces;
#pragma unroll
  for (unsigned i = threadIdx.x; i < policy::parts * of_part; i += policy::threads) {
    const unsigned part = i / of_part, row = i / pieces % attention_tile, piece = i % pieces;
    const bool inside = row < rows && element + piece * 8 < from.width;
    const std::uint16_t* const source = inside ? from.at(part, first + row, head) + element + piece * 8 : from.data;
    __pipeline_memcpy_async(chunk + part * policy::part_bytes + chunk_piece(row, piece), source, 16, inside ? 0 : 16);
  }
}

/// Adds a b for 16 rows by 32 columns, both in parts, the smallest products first.
template <class Column>
__device__ void multiply_add_parts(float (*sums)[4], const std::uint32_t (&a)[3][4], const Column& b) {
  constexpr unsigned of_a[] = {2, 1, 0, 1, 0, 0}, of_b[] = {0, 1, 2, 0, 1, 0};
#pragma unroll
  for (unsigned p = 0; p < 6; ++p)
#pragma unroll
    for (unsigned j = 0; j < 4; ++j)
      multiply_add<half_type::bf16>(sums[j], a[of_a[p]], b[of_b[p]][j / 2][j % 2 * 2],
                                    b[of_b[p]][j / 2][j % 2 * 2 + 1]);
}

/// Panels: of 64 columns of the values a block takes.
template <int Panels>
__global__ void __launch_bounds__(attention_policy::threads, Panels == 1 ? 3 : 2)
    attention_tensor_kernel(attention_parts a) {
  using policy = attention_policy;
  constexpr unsigned tile = attention_tile, width = policy::width;
  constexpr float none = no_score<float>;
  extern __shared__ __align__(128) unsigned char stages[];
  unsigned char* const queries = stages + policy::stages * policy::chunk_bytes;
  const query_tile own = a.tiles[blockIdx.x];
  const unsigned head = blockIdx.y, kv_head = head / a.group, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const std::uint32_t end = own.position + own.count, first_value = blockIdx.z * width * Panels;
  const std::uint32_t first_key = a.rules.oldest(own.position) / tile * tile;
  const unsigned chunks = (a.q.width + width - 1) / width, units = chunks + Panels; // of a tile of keys

  // Chunks are fetched one ahead of the one in use.
  std::uint32_t fetched_key = first_key;
  unsigned fetched = 0; // of the units of its tile
  const auto fetch = [&](unsigned stage) {
    if (fetched_key < end) {
      unsigned char* const to = stages + stage * policy::chunk_bytes;
      const unsigned keys = min(tile, end - fetched_key);
      if (fetched < chunks) {
        if (fetched_key == first_key || chunks > policy::query_chunks)
          fetch_chunk(queries + fetched % policy::query_chunks * policy::chunk_bytes, a.q, own.row, own.count, head,
                      fetched * width);
        fetch_chunk(to, a.keys, own.text + fetched_key, keys, kv_head, fetched * width);
      } else {
        fetch_chunk(to, a.values, own.text + fetched_key, keys, kv_head, first_value + (fetched - chunks) * width);
      }
      if (++fetched == units) fetched = 0, fetched_key += tile;
    }
    __pipeline_commit();
  };
  unsigned stage = policy::stages - 1;
  const auto next_chunk = [&] {
    __pipeline_wait_prior(0);
    __syncthreads(); // the chunk of all threads is there; and all are done with the one before
    stage = (stage + 1) % policy::stages;
    fetch((stage + 1) % policy::stages);
    return stages + stage * policy::chunk_bytes;
  };
  fetch(0);

  float m[2], totals[2], o[Panels * 8][4] = {}; // of rows lane / 4 and lane / 4 + 8 of the warp
#pragma unroll
  for (unsigned h = 0; h < 2; ++h) {
    m[h] = a.rules.sinks ? a.rules.sinks[head] : none;
    totals[h] = lane % 4 == 0 && m[h] > none ? 1.f : 0.f;
  }
  const unsigned row = warp * 16 + lane / 4;
  const std::uint32_t seen = warp * 16 < own.count ? own.position + min(warp * 16 + 16, own.count) : 0; // by the warp
  for (std::uint32_t key = first_key; key < end; key += tile) {
    // 1. Products of queries and keys
    float s[8][4] = {};
    for (unsigned chunk = 0; chunk < chunks; ++chunk) {
      const unsigned char* const from_keys = next_chunk();
      const unsigned char* const from_queries = queries + chunk % policy::query_chunks * policy::chunk_bytes;
#pragma unroll
      for (unsigned k = 0; k < 4; ++k) { // 16 of the 64 elements
        if (chunk * width + k * 16 >= a.q.width) break;
        std::uint32_t q[3][4];
#pragma unroll
        for (unsigned part = 0; part < 3; ++part)
          load_matrices(q[part], from_queries + part * policy::part_bytes +
                                     chunk_piece(warp * 16 + lane % 16, k * 2 + lane / 16));
#pragma unroll
        for (unsigned half = 0; half < 2; ++half) { // 32 of the 64 keys
          if (key + half * 32 >= seen) continue;
          std::uint32_t b[3][2][4];
#pragma unroll
          for (unsigned part = 0; part < 3; ++part)
#pragma unroll
            for (unsigned j = 0; j < 2; ++j)
              load_matrices(b[part][j],
                            from_keys + part * policy::part_bytes +
                                chunk_piece(half * 32 + j * 16 + lane / 16 * 8 + lane % 8, k * 2 + lane / 8 % 2));
          multiply_add_parts(s + half * 4, q, b);
        }
      }
    }
    // 2. Weights
#pragma unroll
    for (unsigned h = 0; h < 2; ++h) {
      const std::uint32_t query = own.position + row + h * 8, oldest = a.rules.oldest(query);
      const bool real = row + h * 8 < own.count;
      float most = m[h];
#pragma unroll
      for (unsigned j = 0; j < 8; ++j)
#pragma unroll
        for (unsigned e = 0; e < 2; ++e) {
          const std::uint32_t at = key + j * 8 + lane % 4 * 2 + e;
          float& z = s[j][h * 2 + e];
          z = real && at <= query && at >= oldest ? a.rules.score(z, head, query, at) : none;
          most = fmaxf(most, z); // a NaN is not taken, but comes in with the sum
        }
      most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, 1));
      most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, 2));
      const float shift = most == none ? 0.f : most, factor = exp_below(m[h] - shift);
      m[h] = most;
      float sum = 0;
#pragma unroll
      for (unsigned j = 0; j < 8; ++j)
#pragma unroll
        for (unsigned e = 0; e < 2; ++e) sum += s[j][h * 2 + e] = exp_below(s[j][h * 2 + e] - shift);
      totals[h] = totals[h] * factor + sum;
#pragma unroll
      for (unsigned j = 0; j < Panels * 8; ++j) o[j][h * 2] *= factor, o[j][h * 2 + 1] *= factor;
    }
    std::uint32_t weights[4][3][4]; // by 16 keys
#pragma unroll
    for (unsigned k = 0; k < 4; ++k)
#pragma unroll
      for (unsigned e = 0; e < 4; ++e) {
        float* const pair = &s[k * 2 + e / 2][e % 2 * 2];
#pragma unroll
        for (unsigned part = 0; part < 3; ++part) weights[k][part][e] = take_nearest(pair[0], pair[1]);
      }
      // 3. Weighted values
#pragma unroll
    for (unsigned panel = 0; panel < Panels; ++panel) {
      const unsigned char* const from_values = next_chunk();
#pragma unroll
      for (unsigned k = 0; k < 4; ++k) {
        if (key + k * 16 >= seen) continue;
#pragma unroll
        for (unsigned half = 0; half < 2; ++half) { // 32 of the 64 columns
          std::uint32_t b[3][2][4];
#pragma unroll
          for (unsigned part = 0; part < 3; ++part)
#pragma unroll
            for (unsigned j = 0; j < 2; ++j)
              load_matrices_turned(b[part][j], from_values + part * policy::part_bytes +
                                                   chunk_piece(k * 16 + lane % 16, half * 4 + j * 2 + lane / 16));
          multiply_add_parts(o + panel * 8 + half * 4, weights[k], b);
        }
      }
    }
  }
#pragma unroll
  for (unsigned h = 0; h < 2; ++h) {
    totals[h] += __shfl_xor_sync(0xffffffffu, totals[h], 1);
    totals[h] += __shfl_xor_sync(0xffffffffu, totals[h], 2);
    if (row + h * 8 >= own.count) continue;
    float* const to = &a.out(own.row + row + h * 8, std::size_t{head} * a.Dv);
#pragma unroll
    for (unsigned j = 0; j < Panels * 8; ++j) {
      const std::uint32_t column = first_value + j * 8 + lane % 4 * 2;
      const float first = o[j][h * 2] / totals[h], second = o[j][h * 2 + 1] / totals[h];
      if (a.pairs && column + 1 < a.Dv) {
        *reinterpret_cast<float2*>(to + column) = make_float2(first, second);
      } else {
        if (column < a.Dv) to[column] = first;
        if (column + 1 < a.Dv) to[column + 1] = second;
      }
    }
  }
}

} // namespace llmap::gpu
