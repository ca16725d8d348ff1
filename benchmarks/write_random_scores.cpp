// write_random_scores FILE.safetensors MODELS TEXTS: log-likelihoods of models that form seven families, as input of
// `llmap map --matrix`.
#include "llmap/core/random.hpp"
#include "llmap/weights/safetensors_writer.hpp"
#include <cstdio>
#include <string>
#include <vector>

int main(int count, char** values) {
  try {
    if (count != 4) llmap::fail("expected: write_random_scores FILE.safetensors MODELS TEXTS");
    const auto K = std::stoll(values[2]), N = std::stoll(values[3]);
    std::vector<double> nats(static_cast<std::size_t>(K * N));
    std::vector<std::int32_t> bytes(static_cast<std::size_t>(N), 1000);
    const llmap::counter_random random{1};
    for (std::int64_t i = 0; i < K; ++i)
      for (std::int64_t s = 0; s < N; ++s) {
        const auto text = static_cast<std::uint64_t>(s), model = static_cast<std::uint64_t>(i), family = model % 7;
        const double of_text = random.uniform(0, text), of_family = random.uniform(1 + family, text),
                     own = random.uniform(100 + model, text);
        nats[static_cast<std::size_t>(i * N + s)] = -300 - 200 * of_text - 60 * of_family - 40 * own;
      }
    llmap::memory_tensors tensors;
    tensors.add<double>("log_likelihood", {K, N}, nats);
    tensors.add<std::int32_t>("bytes", {N}, bytes);
    llmap::write_safetensors(values[1], tensors);
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "write_random_scores: %s\n", problem.what());
    return 1;
  }
}
