// attention of one layer (tokens T, heads, key/value heads, head width); operations counted for the causal half.
#include "llmap/forward/cpu/attention.hpp"
#include "probe.hpp"
#include "random_matrix.hpp"

static void attention(benchmark::State& state) {
  const auto T = static_cast<std::size_t>(state.range(0)), H = static_cast<std::size_t>(state.range(1)),
             G = static_cast<std::size_t>(state.range(2)), D = static_cast<std::size_t>(state.range(3));
  llmap::ragged_batch batch;
  batch.add(std::vector<std::int32_t>(T));
  const auto qkv = bench::random_rows(T * (H + 2 * G) * D);
  llmap::aligned_buffer<float> out(T * H * D);
  llmap::cpu_keys_values<float> kept;
  llmap::cpu_scratch<float> scratch;
  const llmap::attention_shape shape{H, G, D, D, 0.125, 0, 0};
  const llmap::cpu_executor exec;
  const double t = static_cast<double>(T);
  bench::measured run(state, 4 * t * (t + 1) / 2 * static_cast<double>(H * D));
  for (auto _ : state)
    run([&] {
      llmap::attention(exec, shape, {}, {}, batch, {0, T}, {qkv.data(), T, (H + 2 * G) * D}, {out.data(), T, H * D},
                       kept, scratch);
    });
}
BENCHMARK(attention)
    ->Args({512, 9, 3, 64})
    ->Args({2048, 9, 3, 64})
    ->Args({512, 12, 12, 64})
    ->Args({512, 32, 8, 64})
    ->Args({512, 16, 16, 128})
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);
