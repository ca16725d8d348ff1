// Recurrences along texts side by side: those of Mamba-130m, Mamba-2 2.7b and Qwen3-Next, and the convolution before.
#include "llmap/forward/cuda/convolution.cuh"
#include "llmap/forward/cuda/delta_scan.cuh"
#include "llmap/forward/cuda/state_scans.cuh"
#include "operands.cuh"
#include "probe.hpp"

namespace llmap::bench {

namespace {

struct texts {
  ragged_batch batch;
  slab all;
  texts() {
    const std::size_t count = counted() ? 3 : 16, length = counted() ? 40 : 510;
    for (std::size_t t = 0; t < count; ++t) batch.add(std::vector<std::int32_t>(length));
    all = {0, batch.rows()};
  }
};
cuda_buffer<float> numbers(std::size_t n) {
  return {cuda_executor{}, std::span<const float>(std::vector<float>(n, 0.1f))};
}

} // namespace

void add_scans() {
  const std::size_t rows = texts().all.count;
  const auto named = [&](const char* op, std::initializer_list<std::size_t> shape) {
    std::string name = op;
    name += "/" + std::to_string(rows);
    for (const std::size_t n : shape) name += "/" + std::to_string(n);
    return name;
  };
  {
    const std::size_t M = counted() ? 64 : 1536, N = 16;
    add(named("selective_scan", {M, N}), [=](benchmark::State& state) {
      const texts t;
      const operand<float> x(rows, M), step(rows, M), BC(rows, 2 * N), y(rows, M), kept(M, N);
      const auto a_log = numbers(M * N), d = numbers(M);
      measure(state, {2 * x.bytes() + 3 * step.bytes() + BC.bytes(), 6.0 * static_cast<double>(rows * M * N)}, [&] {
        selective_scan<float>({}, t.batch, t.all, x, step.view(), BC.view().column_range(0, N),
                              BC.view().column_range(N, N), a_log, d, y.view(), kept.view());
      });
    });
    add(named("causal_convolution", {M, 4}), [=](benchmark::State& state) {
      const texts t;
      const operand<float> x(rows, M), y(rows, M), carry(3, M);
      const auto taps = numbers(4 * M), bias = numbers(M);
      measure(state, {2 * x.bytes() + static_cast<double>(5 * M * sizeof(float)), 8.0 * static_cast<double>(rows * M)},
              [&] { causal_convolution<float>({}, t.batch, t.all, x, taps, bias, y.view(), carry.view()); });
    });
  }
  {
    const std::size_t H = counted() ? 2 : 80, P = 64, N = 128;
    add(named("head_scan", {H, P, N}), [=](benchmark::State& state) {
      const texts t;
      const operand<float> x(rows, H * P), BC(rows, 2 * N), dt(rows, H), y(rows, H * P), kept(H * P, N);
      const auto of_heads = numbers(H);
      measure(state, {2 * x.bytes() + BC.bytes() + dt.bytes(), 6.0 * static_cast<double>(rows * H * P * N)}, [&] {
        head_scan<float>({}, head_scan_shape{H, P, 1, N, 0, 1e9}, t.batch, t.all, x, BC.view().column_range(0, N),
                         BC.view().column_range(N, N), dt, of_heads, of_heads, of_heads, y.view(), kept.view());
      });
    });
  }
  {
    const std::size_t keys = counted() ? 1 : 16, H = 2 * keys, D = 128;
    add(named("delta_scan", {keys, H, D}), [=](benchmark::State& state) {
      const texts t;
      const operand<float> q(rows, keys * D), k(rows, keys * D), v(rows, H * D), b(rows, H), a(rows, H), y(rows, H * D),
          kept(H * D, D);
      const auto of_heads = numbers(H);
      measure(state, {6 * q.bytes() + 2 * v.bytes() + 2 * b.bytes(), 9.0 * static_cast<double>(rows * H * D * D)}, [&] {
        delta_scan<float>({}, delta_shape{keys, H, D, D, 1}, t.batch, t.all, q, k, v, b, a, of_heads, of_heads,
                          y.view(), kept.view());
      });
    });
  }
}

} // namespace llmap::bench
