// Opening a safetensors file (header checked, nothing read) and packing one of its matrices.
#include "llmap/weights/safetensors.hpp"
#include "random_matrix.hpp"
#include <benchmark/benchmark.h>

static void open_safetensors(benchmark::State& state) {
  const std::string path = LLMAP_SOURCE_DIR "/examples/zoo/models/llama-l/model.safetensors";
  for (auto _ : state) benchmark::DoNotOptimize(llmap::safetensors_file(path).names().size());
}
BENCHMARK(open_safetensors)->Unit(benchmark::kMicrosecond);

// The floor of packing: the same bytes, copied once on one thread into memory new to the process.
static void copy_floor(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0) * state.range(1) * 2);
  const std::vector<std::byte> from(n, std::byte{1});
  for (auto _ : state) {
    const llmap::aligned_buffer<std::byte> to(n);
    std::memcpy(to.data(), from.data(), n);
    benchmark::DoNotOptimize(to[n / 2]);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(n));
}
BENCHMARK(copy_floor)->Args({49152, 576})->UseRealTime()->Unit(benchmark::kMillisecond);

template <class Stored, bool transposed> static void pack_matrix(benchmark::State& state) {
  const std::int64_t rows = state.range(0), cols = state.range(1);
  const std::vector<Stored> w(static_cast<std::size_t>(rows * cols), Stored(1.f));
  llmap::memory_tensors source;
  source.add<Stored>("w", transposed ? std::vector{cols, rows} : std::vector{rows, cols}, w);
  for (auto _ : state)
    benchmark::DoNotOptimize(
        llmap::pack<float>(llmap::cpu_executor{}, source,
                           llmap::linear_plan{cols, {{"w", "", rows, rows, 0, rows, rows, transposed}}})
            .rows);
  state.SetBytesProcessed(state.iterations() * rows * cols * static_cast<std::int64_t>(sizeof(Stored)));
}
BENCHMARK(pack_matrix<llmap::bf16, false>)->Args({49152, 576})->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(pack_matrix<float, false>)->Args({49152, 576})->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(pack_matrix<llmap::bf16, true>)->Args({3072, 4096})->UseRealTime()->Unit(benchmark::kMillisecond);
