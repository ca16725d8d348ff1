// The whole forward pass and head with random weights in the shapes of SmolLM2-135M and GPT-2, one text of T tokens at
// a time and ragged texts of 60 to 400: tokens per second, and the share of the probe, which is measured around each of
// the runs. If the machine has bf16 products, these are measured too, with their error against float64.
#include "llmap/architectures/gpt2.hpp"
#include "llmap/architectures/llama.hpp"
#include "llmap/architectures/plan_costs.hpp"
#include "llmap/cpu.hpp"
#include "llmap/forward/load.hpp"
#include "llmap/likelihood/score.hpp"
#include "probe.hpp"
#include "random_model.hpp"
#include <cstdio>

namespace {

using texts = std::vector<std::vector<std::int32_t>>;

std::vector<std::int32_t> random_ids(std::size_t tokens, std::uint64_t seed) {
  std::vector<std::int32_t> ids(tokens);
  for (std::size_t i = 0; i < tokens; ++i)
    ids[i] = static_cast<std::int32_t>(llmap::counter_random{seed}.below(0, i, 49152));
  return ids;
}
texts ragged() {
  texts all;
  for (std::uint64_t i = 0; i < 12; ++i)
    all.push_back(random_ids(60 + llmap::counter_random{9}.below(1, i, 341), 20 + i));
  return all;
}

double operations(const llmap::decoder_plan& plan, const texts& all) {
  double sum = 0;
  for (const auto& text : all) sum += llmap::operations_of(plan, static_cast<double>(text.size()));
  return sum;
}

template <class T> double seconds_of(const llmap::decoder<llmap::cpu_executor, T>& model, const texts& all) {
  const auto start = std::chrono::steady_clock::now();
  llmap::score_texts(llmap::cpu_executor{}, model, all, {}, [](std::size_t, std::span<const llmap::text_score> scores) {
    benchmark::DoNotOptimize(scores.data());
  });
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

template <class Probe>
void report(const char* what, const llmap::decoder<llmap::cpu_executor, float>& model, const texts& all,
            const Probe& probe) {
  std::size_t tokens = 0;
  for (const auto& text : all) tokens += text.size();
  const double work = operations(model.plan, all);
  std::vector<double> shares, rates;
  seconds_of(model, all);
  for (int i = 0; i < 7; ++i) {
    const double before = probe(), seconds = seconds_of(model, all), after = probe();
    rates.push_back(static_cast<double>(tokens) / seconds);
    shares.push_back(work / seconds / std::max(before, after));
  }
  std::sort(rates.begin(), rates.end());
  std::sort(shares.begin(), shares.end());
  std::printf("%-34s %6.0f tokens/s, %5.1f %% of the probe (%5.1f to %5.1f), %.0f MFLOP a token\n", what, rates[3],
              100 * shares[3], 100 * shares.front(), 100 * shares.back(), work / static_cast<double>(tokens) * 1e-6);
}

void shape(const char* name, const llmap::decoder_plan& plan) {
  const auto probe = [] { return bench::measure_peak<float>(llmap::default_threads()); };
  const bench::random_weights weights(plan);
  const auto model = llmap::load_decoder<float>(llmap::cpu_executor{}, plan, weights, "random");
  for (std::size_t T : {128, 512, 1024})
    report((std::string(name) + ", T = " + std::to_string(T)).c_str(), model, {random_ids(T, 3)}, probe);
  report((std::string(name) + ", ragged 60-400").c_str(), model, ragged(), probe);
  if (!llmap::simd::has_bf16_products()) return;

  const auto narrow = llmap::load_decoder<float>(llmap::cpu_executor{}, plan, weights, "random",
                                                 {.compute = llmap::compute_type::bf16});
  report((std::string(name) + ", T = 512, bf16").c_str(), narrow, {random_ids(512, 3)},
         [] { return bench::measure_bf16_peak(llmap::default_threads()); });
  llmap::ragged_batch batch;
  batch.add(random_ids(128, 3));
  const auto exact = llmap::load_decoder<double>(llmap::cpu_executor{}, plan, weights, "random");
  llmap::score_workspace<llmap::cpu_executor, double> wide;
  llmap::score_workspace<llmap::cpu_executor, float> work;
  const auto want = llmap::token_log_probabilities(llmap::cpu_executor{}, exact, batch, wide);
  const auto errors = [&](const char* what, const std::vector<double>& got) {
    double sum = 0, most = 0, bias = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      const double e = got[i] - want[i];
      sum += e * e, bias += e, most = std::max(most, std::abs(e));
    }
    const double n = static_cast<double>(got.size());
    std::printf("  %s against float64, a token: root mean square %.1e nats, mean %+.1e, largest %.1e\n", what,
                std::sqrt(sum / n), bias / n, most);
  };
  errors("float32", llmap::token_log_probabilities(llmap::cpu_executor{}, model, batch, work));
  errors("bf16 products", llmap::token_log_probabilities(llmap::cpu_executor{}, narrow, batch, work));
}

} // namespace

int main() {
  std::printf("%d threads, %s; weights stored as bf16; medians of 7 runs\n", llmap::default_threads(),
              std::string(llmap::simd::name_of(llmap::simd::active_isa())).c_str());
  const auto config = [](const char* json) { return llmap::config(llmap::parse_json(json, "shape"), "shape"); };
  shape("SmolLM2-135M", llama_plan(config(bench::smollm2)));
  shape("GPT-2 124M", gpt2_plan(config(bench::gpt2)));
}
