// Opening a safetensors file (header checked, nothing read) and packing one of its matrices.
#include "llmap/weights/safetensors.hpp"
#include "random_matrix.hpp"
#include <benchmark/benchmark.h>

static void open_safetensors(benchmark::State& state) {
  const std::string path = LLMAP_SOURCE_DIR "/examples/zoo/models/llama-l/model.safetensors";
  for (auto _ : state) benchmark::DoNotOptimize(llmap::safetensors_file(path).names().size());
}
BENCHMARK(open_safetensors)->Unit(benchmark::kMicrosecond);

static void pack_matrix(benchmark::State& state) {
  const std::int64_t rows = state.range(0), cols = state.range(1);
  const std::vector<llmap::bf16> w(static_cast<std::size_t>(rows * cols), llmap::bf16(1.f));
  llmap::memory_tensors source;
  source.add<llmap::bf16>("w", {rows, cols}, w);
  for (auto _ : state)
    benchmark::DoNotOptimize(llmap::pack_matrix<float>(source, {cols, {{"w", "", rows, rows, 0, rows, rows, false}}},
                                                       [](const std::string& n) { return n; }, llmap::default_threads()).rows);
  state.SetBytesProcessed(state.iterations() * rows * cols * 2);
}
BENCHMARK(pack_matrix)->Args({49152, 576})->UseRealTime()->Unit(benchmark::kMillisecond);
