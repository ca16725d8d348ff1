// linear on layer shapes of real models (rows M, columns K, outputs N): SmolLM2-135M, GPT-2, Llama-3.2-1B, Pythia-1.4B.
#include "llmap/forward/cpu/linear.hpp"
#include "probe.hpp"
#include "random_matrix.hpp"

template <class Stored> void linear(benchmark::State& state) {
  const auto M = static_cast<std::size_t>(state.range(0)), K = static_cast<std::size_t>(state.range(1)),
             N = static_cast<std::size_t>(state.range(2));
  const auto w = bench::random_matrix<Stored>(N, K);
  const auto x = bench::random_rows(M * K);
  llmap::aligned_buffer<float> y(M * N);
  const llmap::cpu_executor exec;
  llmap::cpu_scratch<float> scratch;
  bench::measured run(state, 2.0 * static_cast<double>(M) * static_cast<double>(K) * static_cast<double>(N));
  for (auto _ : state)
    run([&] { llmap::linear(exec, {x.data(), M, K}, w, {y.data(), M, N}, llmap::store_mode::overwrite, scratch); });
}
static void shapes(benchmark::internal::Benchmark* b) {
  for (int M : {64, 256, 512, 4096})
    for (auto [K, N] : {std::pair{576, 960},
                        {576, 3072},
                        {1536, 576},
                        {768, 2304},
                        {3072, 768},
                        {2048, 6144},
                        {2048, 16384},
                        {8192, 2048}})
      if (M < 4096 || K < 2048) b->Args({M, K, N});
  b->UseManualTime()->Unit(benchmark::kMicrosecond);
}
BENCHMARK(linear<float>)->Apply(shapes);
BENCHMARK(linear<llmap::bf16>)->Apply(shapes);
