// How well does a model predict a text? Loads a Hugging Face model folder, scores one text and shows where the model
// was most surprised: log p of each token given those before it, summed over the text.
// Bits per byte, -log2 p / bytes, compares models with different vocabularies.
// Usage: 03_score_one_text [FOLDER [TEXT]]
#include "llmap/architectures/all.hpp"
#include "llmap/cpu.hpp"
#include "llmap/forward/load.hpp"
#include "llmap/likelihood/score.hpp"
#include "llmap/text/text_set.hpp"
#include "llmap/text/tokenizer.hpp"
#include "llmap/weights/checkpoint.hpp"
#include <cstdio>
#include <numbers>

namespace {

/// The vocabulary as tokenizer.json writes it: "Ġ" for a blank before a word, "Ċ" for a new line.
std::vector<std::string> vocabulary(const std::string& folder) {
  const llmap::json file = llmap::read_json_file(folder + "/tokenizer.json", llmap::large_file_bytes);
  std::vector<std::string> tokens;
  const llmap::component vocab = llmap::component(file, "tokenizer.json").at("model").at("vocab");
  for (const auto& [token, id] : vocab.members()) {
    const auto i = static_cast<std::size_t>(id.integer().value());
    if (i >= tokens.size()) tokens.resize(i + 1);
    tokens[i] = token;
  }
  return tokens;
}

void run(const std::string& folder, const std::string& text) {
  const llmap::cpu_executor exec;
  // 1. Model and tokenizer; load_decoder<double> would compute in double precision
  const llmap::checkpoint weights(folder);
  const auto model = llmap::load_decoder<float>(exec, plan_of(llmap::config::load(folder)), weights, folder);
  const llmap::tokenizer tokenizer = llmap::tokenizer::load(folder);
  // 2. Text to ids, ids to one log-probability for every id but the first
  llmap::ragged_batch batch;
  batch.add(tokenizer.encode(text));
  llmap::score_workspace<llmap::cpu_executor, float> work;
  const std::vector<double> nats = llmap::token_log_probabilities(exec, model, batch, work);
  // 3. The sum, and the worst
  double total = 0;
  for (double x : nats) total += x;
  std::printf("log-likelihood  %.2f nats, %zu tokens, %zu bytes\n", total, nats.size(), text.size());
  std::printf("bits per byte   %.4f\n\n", -total / (std::numbers::ln2 * static_cast<double>(text.size())));

  std::vector<std::size_t> order(nats.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return nats[a] < nats[b]; });
  order.resize(std::min<std::size_t>(5, order.size()));
  const std::vector<std::string> tokens = vocabulary(folder);
  const auto shown = [&](std::size_t at) {
    const auto id = static_cast<std::size_t>(batch.ids[at]);
    return id < tokens.size() ? tokens[id].c_str() : "(added)";
  };
  std::printf("most surprising: nats, token, after\n");
  for (std::size_t i : order) std::printf("%8.2f  %s  after %s\n", nats[i], shown(i + 1), shown(i));
}

} // namespace

int main(int count, char** values) {
  try {
    const std::string folder = count > 1 ? values[1] : LLMAP_ZOO "/models/llama-m";
    run(folder, count > 2 ? values[2] : llmap::load_text_set(LLMAP_ZOO "/texts.jsonl").items.at(75).text);
  } catch (const llmap::error& problem) {
    std::fprintf(stderr, "03_score_one_text: %s\n", problem.what());
    return 1;
  }
}
