// The whole forward pass and head of a llama of SmolLM2-135M's shape with random bf16 weights, one text of T tokens at
// a time: tokens a second, and the share of the float probe, which is measured around each of the runs.
#include "llmap/architectures/llama.hpp"
#include "llmap/core/random.hpp"
#include "llmap/likelihood/score.hpp"
#include "probe.hpp"
#include <cstdio>

namespace {

constexpr const char* smollm2 = R"({"model_type": "llama", "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
  "num_attention_heads": 9, "num_key_value_heads": 3, "vocab_size": 49152, "tie_word_embeddings": true, "rms_norm_eps": 1e-5,
  "rope_theta": 100000, "max_position_embeddings": 8192})";

/// Random weights of whatever shape a plan asks for, made when they are read.
struct random_weights {
  std::map<std::string, llmap::tensor_info> table;
  explicit random_weights(const llmap::decoder_plan& plan) {
    for (const auto& spec : tensor_table(plan)) table[spec.name] = {llmap::dtype::bf16, spec.shape};
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [name, info] : table) all.push_back(name);
    return all;
  }
  std::optional<llmap::tensor_info> find(const std::string& name) const {
    const auto it = table.find(name);
    return it == table.end() ? std::nullopt : std::optional(it->second);
  }
  llmap::tensor_data read(const std::string& name) const {
    const auto info = table.at(name);
    auto values = std::make_shared<std::vector<llmap::bf16>>(static_cast<std::size_t>(info.elements()));
    const float scale = info.shape.size() == 2 ? 3.f / std::sqrt(static_cast<float>(info.shape[1])) : 0.f;
    for (std::size_t i = 0; i < values->size(); ++i)
      (*values)[i] = llmap::bf16(scale == 0.f ? 1.f : scale * static_cast<float>(llmap::counter_random{name.size()}.uniform(1, i) - 0.5));
    return {info, std::as_bytes(std::span(*values)), values};
  }
};

double run(const llmap::decoder<float>& model, std::size_t tokens, llmap::score_workspace<float>& work) {
  llmap::ragged_batch batch;
  std::vector<std::int32_t> ids(tokens);
  for (std::size_t i = 0; i < tokens; ++i) ids[i] = static_cast<std::int32_t>(llmap::counter_random{3}.below(0, i, 49152));
  batch.add(ids);
  const auto start = std::chrono::steady_clock::now();
  benchmark::DoNotOptimize(llmap::token_log_probabilities<float>({}, model, batch, work).data());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

} // namespace

int main() {
  const llmap::decoder_plan plan = llama_plan(llmap::config(llmap::parse_json(smollm2, "smollm2"), "smollm2"));
  const auto model = llmap::load_decoder<float>({}, plan, random_weights(plan), "random");
  llmap::score_workspace<float> work;
  const int threads = llmap::default_threads();
  std::printf("%d threads, %s\n", threads, std::string(llmap::simd::name_of(llmap::simd::active_isa())).c_str());
  for (std::size_t T : {128, 512, 1024}) {
    run(model, T, work);
    std::vector<double> shares, rates;
    // 2 operations a weight of the linears and the head, and the causal half of attention in every layer.
    const double weights = 30.0 * (576 * 960 + 576 * 576 + 3 * 576 * 1536) + 49152.0 * 576;
    const double operations = static_cast<double>(T) * (2 * weights + 30.0 * 4 * 576 * static_cast<double>(T + 1) / 2);
    for (int i = 0; i < 7; ++i) {
      const double before = bench::measure_peak<float>(threads), seconds = run(model, T, work), after = bench::measure_peak<float>(threads);
      rates.push_back(static_cast<double>(T) / seconds);
      shares.push_back(operations / seconds / std::max(before, after));
    }
    std::sort(rates.begin(), rates.end());
    std::sort(shares.begin(), shares.end());
    std::printf("T = %4zu: %6.0f tokens/s, %4.1f %% of the probe (median of 7; %4.1f to %4.1f), %.0f MFLOP a token\n", T, rates[3],
                100 * shares[3], 100 * shares.front(), 100 * shares.back(), operations / static_cast<double>(T) * 1e-6);
  }
}
