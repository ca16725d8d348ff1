// The fused head on a GPU, one idea a step, from a thread a logit to tensor cores that never store one. Each step is
// checked against the one before. With a device: milliseconds, the best of five. On the interpreter of tests/cuda,
// where the same source is a test: what each step asks of memory. Usage: ladder_head_cuda [rows width vocabulary]
#include "llmap/core/random.hpp"
#include "llmap/likelihood/cuda/cross_entropy.cuh"
#include "llmap/likelihood/cuda/linear_cross_entropy.cuh"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>
#ifdef LLMAP_EMULATED
#include "cuda/runtime/stand_in.hpp"
#endif

using namespace llmap;

namespace {

/// Step 1: a thread a logit, everything from global memory.
__global__ void product_kernel(const float* x, const float* w, float* z, int M, int E, int V) {
  const int v = static_cast<int>(blockIdx.x * 32 + threadIdx.x), r = static_cast<int>(blockIdx.y * 8 + threadIdx.y);
  if (r >= M || v >= V) return;
  float sum = 0;
  for (int k = 0; k < E; ++k) sum = fmaf(x[std::size_t{1} * r * E + k], w[std::size_t{1} * v * E + k], sum);
  z[std::size_t{1} * r * V + v] = sum;
}

/// Step 2: 16 x 16 tiles of x and w in shared memory, each number read from global memory once a block.
__global__ void tile_kernel(const float* x, const float* w, float* z, int M, int E, int V) {
  __shared__ float xs[16][17], ws[16][17];
  const int tx = static_cast<int>(threadIdx.x), ty = static_cast<int>(threadIdx.y);
  const int v = static_cast<int>(blockIdx.x) * 16, r = static_cast<int>(blockIdx.y) * 16;
  float sum = 0;
  for (int k = 0; k < E; k += 16) {
    xs[ty][tx] = r + ty < M && k + tx < E ? x[std::size_t{1} * (r + ty) * E + k + tx] : 0;
    ws[ty][tx] = v + ty < V && k + tx < E ? w[std::size_t{1} * (v + ty) * E + k + tx] : 0;
    __syncthreads();
    for (int d = 0; d < 16; ++d) sum = fmaf(xs[ty][d], ws[tx][d], sum);
    __syncthreads();
  }
  if (r + ty < M && v + tx < V) z[std::size_t{1} * (r + ty) * V + v + tx] = sum;
}

struct inputs {
  std::size_t M, E, V;
  cuda_buffer<float> x, w, logits;
  cuda_buffer<bf16> narrow_x, narrow_w;
  cuda_buffer<std::int32_t> targets;
  cuda_buffer<double> result;
  cuda_head_room<float> room;
};

template <class T> void uploaded(const cuda_executor& exec, cuda_buffer<T>& to, const std::vector<T>& numbers) {
  to = cuda_buffer<T>(exec, std::span<const T>(numbers));
}

inputs make_inputs(const cuda_executor& exec, std::size_t M, std::size_t E, std::size_t V) {
  const counter_random random{5};
  inputs in{M, E, V, {}, {}, {}, {}, {}, {}, {}, {}};
  std::vector<bf16> x, w; // the same numbers in both types
  for (std::size_t i = 0; i < M * E; ++i) x.push_back(bf16(static_cast<float>(random.normal(0, i))));
  const double scale = 2 / std::sqrt(static_cast<double>(E));
  for (std::size_t i = 0; i < V * E; ++i) w.push_back(bf16(static_cast<float>(random.normal(1, i) * scale)));
  std::vector<std::int32_t> targets;
  for (std::size_t r = 0; r < M; ++r) targets.push_back(static_cast<std::int32_t>(random.below(2, r, V)));
  uploaded(exec, in.narrow_x, x), uploaded(exec, in.narrow_w, w), uploaded(exec, in.targets, targets);
  uploaded(exec, in.x, std::vector<float>(x.begin(), x.end()));
  uploaded(exec, in.w, std::vector<float>(w.begin(), w.end()));
  in.logits.resize(exec, M * V);
  in.result.resize(exec, M);
  return in;
}

void stored(const cuda_executor& exec, inputs& in, bool tiled) {
  const int M = static_cast<int>(in.M), E = static_cast<int>(in.E), V = static_cast<int>(in.V);
  if (tiled)
    tile_kernel<<<dim3((V + 15) / 16, (M + 15) / 16), dim3(16, 16), 0, exec.stream>>>(in.x.data(), in.w.data(),
                                                                                      in.logits.data(), M, E, V);
  else
    product_kernel<<<dim3((V + 31) / 32, (M + 7) / 8), dim3(32, 8), 0, exec.stream>>>(in.x.data(), in.w.data(),
                                                                                      in.logits.data(), M, E, V);
  LLMAP_CUDA_CHECK(cudaGetLastError());
  cross_entropy(exec, matrix_view<const float>(in.logits.data(), in.M, in.V), in.targets.span(), {}, in.result.span());
}
template <class X, class W>
void fused(const cuda_executor& exec, inputs& in, const cuda_buffer<X>& x, const cuda_buffer<W>& w) {
  linear_cross_entropy(exec, matrix_view<const X>(x.data(), in.M, in.E), matrix_view<const W>(w.data(), in.V, in.E), {},
                       std::span<const std::int32_t>(in.targets.span()), {}, in.result.span(), in.room);
}

#ifdef LLMAP_EMULATED
template <class Step> void measure(const char* name, const cuda_executor& exec, const inputs& in, const Step& step) {
  stand_in::reset_counters();
  step();
  synchronize(exec);
  const auto did = stand_in::counted();
  const double products = static_cast<double>(in.M * in.E * in.V);
  const auto share = [](std::uint64_t a, std::uint64_t b) {
    return b == 0 ? 0.0 : static_cast<double>(a) / static_cast<double>(b);
  };
  std::printf("%-44s %8.2f MB asked, %6.2f x needed sectors, %7.4f conflicts a request, %5.2f instructions a product\n",
              name, static_cast<double>(did.loads.bytes + did.stores.bytes) / 1e6,
              share(did.loads.sectors + did.stores.sectors, did.loads.needed_sectors + did.stores.needed_sectors),
              share(did.bank_conflicts, did.shared_requests), static_cast<double>(did.lane_instructions) / products);
}
#else
template <class Step> void measure(const char* name, const cuda_executor& exec, const inputs& in, const Step& step) {
  cudaEvent_t begin, end;
  LLMAP_CUDA_CHECK(cudaEventCreate(&begin));
  LLMAP_CUDA_CHECK(cudaEventCreate(&end));
  float best = INFINITY;
  for (int i = 0; i < 6; ++i) { // the first warms up
    LLMAP_CUDA_CHECK(cudaEventRecord(begin, exec.stream));
    step();
    LLMAP_CUDA_CHECK(cudaEventRecord(end, exec.stream));
    LLMAP_CUDA_CHECK(cudaEventSynchronize(end));
    float took = 0;
    LLMAP_CUDA_CHECK(cudaEventElapsedTime(&took, begin, end));
    if (i > 0) best = std::min(best, took);
  }
  std::printf("%-44s %9.3f ms, %7.2f TFLOP/s\n", name, best, 2e-9 * static_cast<double>(in.M * in.E * in.V) / best);
}
#endif

} // namespace

int main(int argc, char** argv) try {
  if (cuda_devices().empty()) fail("no CUDA device");
#ifdef LLMAP_EMULATED
  const std::size_t small[] = {128, 64, 1024};
#else
  const std::size_t small[] = {4096, 4096, 128256};
#endif
  const auto argument = [&](int i) {
    return argc == 4 ? static_cast<std::size_t>(std::strtoull(argv[i + 1], nullptr, 10)) : small[i];
  };
  const cuda_executor exec;
  inputs in = make_inputs(exec, argument(0), argument(1), argument(2));
  std::printf("%zu rows, width %zu, vocabulary %zu; %s\n", in.M, in.E, in.V, cuda_devices()[0].name.c_str());
  std::vector<double> before;
  bool agree = true;
  const auto step = [&](const char* name, const auto& body) {
    measure(name, exec, in, body);
    const auto nats = in.result.download(exec);
    for (std::size_t r = 0; r < before.size(); ++r) agree = agree && std::abs(nats[r] - before[r]) < 1e-4;
    before = nats;
  };
  step("1 a thread a logit, logits stored", [&] { stored(exec, in, false); });
  step("2 tiles in shared memory", [&] { stored(exec, in, true); });
  step("3 64 sums a thread, logits never stored", [&] { fused(exec, in, in.x, in.w); });
  step("4 tensor cores, x in three parts", [&] { fused(exec, in, in.x, in.narrow_w); });
  step("5 tensor cores, x in bf16", [&] { fused(exec, in, in.narrow_x, in.narrow_w); });
  if (!agree) fail("the steps disagree");
  return 0;
} catch (const llmap::error& problem) {
  std::fprintf(stderr, "%s\n", problem.what());
  return 1;
}
