// Texts need not come from a JSONL file: a text_set is a vector, and anything may fill it. Here one document is made
// up on the spot, cut by llmap::chunk into pieces as the paper cuts its texts, and scored by two models of the zoo.
// All sums have exactly the same form, so the model that has seen sums in training wins by far.
// Usage: 05_own_text_source
#include "llmap/architectures/all.hpp"
#include "llmap/core/random.hpp"
#include "llmap/cpu.hpp"
#include "llmap/forward/load.hpp"
#include "llmap/likelihood/score.hpp"
#include "llmap/text/chunk.hpp"
#include "llmap/text/text_set.hpp"
#include "llmap/text/tokenizer.hpp"
#include "llmap/weights/checkpoint.hpp"
#include <cstdio>
#include <numbers>

namespace {

/// A page of sums; the same on every machine, because every draw is a function of the seed and its number.
std::string document(std::uint64_t seed, std::uint64_t lines) {
  const llmap::counter_random random{seed};
  std::string page;
  for (std::uint64_t i = 0; i < lines; ++i) {
    const auto a = random.below(0, i, 40), b = random.below(1, i, 40);
    page += std::to_string(a) + " + " + std::to_string(b) + " = " + std::to_string(a + b) + (i % 3 == 2 ? ".\n" : "; ");
  }
  return page;
}

llmap::text_set cut(const std::string& page) {
  llmap::text_set set;
  for (std::string_view piece : llmap::chunk(page, {.most = 512, .least = 128}))
    set.items.push_back({"sums#" + std::to_string(set.items.size()), std::string(piece), "sums", "sums"});
  return set;
}

void score(const std::string& name, const llmap::text_set& texts) {
  const llmap::cpu_executor exec;
  const std::string folder = LLMAP_ZOO "/models/" + name;
  const auto model =
      llmap::load_decoder<float>(exec, plan_of(llmap::config::load(folder)), llmap::checkpoint(folder), folder);
  const llmap::tokenizer tokenizer = llmap::tokenizer::load(folder);
  std::vector<std::vector<std::int32_t>> ids;
  for (const llmap::text_item& text : texts.items) ids.push_back(tokenizer.encode(text.text));
  std::printf("%s\n", name.c_str());
  llmap::score_texts(exec, model, ids, {}, [&](std::size_t first, std::span<const llmap::text_score> scores) {
    for (std::size_t i = 0; i < scores.size(); ++i) {
      const llmap::text_item& text = texts.items[first + i];
      const double bits = -scores[i].log_likelihood / std::numbers::ln2;
      std::printf("  %s  %4zu bytes  %9.2f nats  %.3f bits per byte\n", text.id.c_str(), text.text.size(),
                  scores[i].log_likelihood, bits / static_cast<double>(text.text.size()));
    }
  });
}

} // namespace

int main() {
  try {
    const llmap::text_set texts = cut(document(7, 100));
    for (const char* model : {"llama-m", "llama-m-sums", "llama-m-scripture"}) score(model, texts);
  } catch (const llmap::error& problem) {
    std::fprintf(stderr, "05_own_text_source: %s\n", problem.what());
    return 1;
  }
}
