// 03_score_one_text on a GPU: the same pass, the same scoring, another executor. Only what tokenizes stays on the CPU.
// Usage: 10_score_one_text_cuda [FOLDER [TEXT]]
#include "llmap/architectures/llama.hpp"
#include "llmap/cuda.cuh"
#include "llmap/forward/load.hpp"
#include "llmap/likelihood/score.hpp"
#include "llmap/text/tokenizer.hpp"
#include "llmap/weights/checkpoint.hpp"
#include <cstdio>
#include <numbers>

namespace {

void run(const std::string& folder, const std::string& text) {
  const std::vector<llmap::cuda_device> devices = llmap::cuda_devices();
  if (devices.empty()) llmap::fail("no CUDA device");
  const llmap::cuda_executor exec = llmap::use_device(devices.front());
  // 1. Weights go over in the type they are stored in; a model must fit the device's memory, not the host's
  const llmap::checkpoint weights(folder);
  const auto model =
      llmap::load_decoder<float>(exec, llmap::llama_plan(llmap::config::load(folder)), weights, folder,
                                 {.compute = llmap::compute_type::working, .available = available_memory(exec)});
  const llmap::tokenizer tokenizer = llmap::tokenizer::load(folder);
  // 2. Text to ids, ids to one log-probability for every id but the first
  llmap::ragged_batch batch;
  batch.add(tokenizer.encode(text));
  llmap::score_workspace<llmap::cuda_executor, float> work;
  double total = 0;
  for (const double nats : llmap::token_log_probabilities(exec, model, batch, work)) total += nats;
  std::printf("log-likelihood  %.2f nats, %zu tokens, %zu bytes\n", total, batch.rows() - 1, text.size());
  std::printf("bits per byte   %.4f\n", -total / (std::numbers::ln2 * static_cast<double>(text.size())));
}

} // namespace

int main(int count, char** values) {
  try {
    run(count > 1 ? values[1] : LLMAP_ZOO "/models/llama-s",
        count > 2 ? values[2] : "It was the best of times, it was the worst of times.");
  } catch (const llmap::error& problem) {
    std::fprintf(stderr, "10_score_one_text_cuda: %s\n", problem.what());
    return 1;
  }
}
