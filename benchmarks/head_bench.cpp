// The fused head on real vocabularies (rows M, width E, vocabulary V): SmolLM2-135M, GPT-2, Llama-3.2-1B, Pythia-1.4B;
// and the product alone, which shows the price of the log-sum-exp.
#include "llmap/forward/cpu/linear.hpp"
#include "llmap/likelihood/cpu/linear_cross_entropy.hpp"
#include "probe.hpp"
#include "random_matrix.hpp"

template <class Stored, bool fused> void run(benchmark::State& state) {
  const auto M = static_cast<std::size_t>(state.range(0)), E = static_cast<std::size_t>(state.range(1)),
             V = static_cast<std::size_t>(state.range(2));
  const auto w = bench::random_matrix<Stored>(V, E);
  const auto x = bench::random_rows(M * E);
  std::vector<std::int32_t> targets(M, 7);
  std::vector<double> out(M);
  llmap::cpu_head_room<float> room;
  llmap::cpu_scratch<float> scratch;
  llmap::aligned_buffer<float> logits(fused ? 0 : M * V);
  const llmap::cpu_executor exec;
  bench::measured run(state, 2.0 * static_cast<double>(M) * static_cast<double>(E) * static_cast<double>(V));
  for (auto _ : state)
    run([&] {
      if constexpr (fused) {
        room.rows.fill(exec, {x.data(), M, E}, scratch.threads);
        llmap::linear_cross_entropy(exec, room.rows, w, targets, {}, out, room, scratch);
      } else {
        llmap::linear(exec, {x.data(), M, E}, w, {logits.data(), M, V}, llmap::store_mode::overwrite, scratch);
      }
    });
}
template <class Stored> void head(benchmark::State& state) { run<Stored, true>(state); }
template <class Stored> void product_alone(benchmark::State& state) { run<Stored, false>(state); }
static void shapes(benchmark::internal::Benchmark* b) {
  for (int M : {64, 256, 512})
    for (auto [E, V] : {std::pair{576, 49152}, {768, 50257}, {2048, 50304}, {2048, 128256}}) b->Args({M, E, V});
  b->UseManualTime()->Unit(benchmark::kMillisecond);
}
BENCHMARK(head<float>)->Apply(shapes);
BENCHMARK(head<llmap::bf16>)->Apply(shapes);
BENCHMARK(product_alone<float>)
    ->Args({256, 576, 49152})
    ->Args({512, 576, 49152})
    ->Args({256, 768, 50257})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);
