// A loader of your own: what llmap needs of a model is a plan, a tokenizer and a tensor source, a class with names(),
// find() and read(); everything after load_decoder is as for any other model. Here the parts come from a GGUF file, the
// format of llama.cpp, by the readers that the library has for it (weights/gguf); load_model does the same in one call.
// Prints per text: id, tokens (with BOS only if the file asks for it), log-likelihood in nats.
// Usage: 04_own_loader_gguf MODEL.gguf TEXTS.jsonl [--ids ID...]
#include "llmap/architectures/all.hpp"
#include "llmap/cpu.hpp"
#include "llmap/forward/load.hpp"
#include "llmap/likelihood/score.hpp"
#include "llmap/model/gguf_tokenizer.hpp"
#include "llmap/text/text_set.hpp"
#include "llmap/text/tokenizer.hpp"
#include "llmap/weights/gguf/tensors.hpp"
#include <cstdio>

namespace {

/// The texts named after --ids, in that order; all of them if there is no --ids.
llmap::text_set wanted_texts(const std::string& path, const std::vector<std::string>& arguments) {
  llmap::text_set all = llmap::load_text_set(path), wanted;
  if (arguments.empty()) return all;
  if (arguments[0] != "--ids" || arguments.size() == 1) llmap::fail("expected --ids ID..., got ", arguments[0]);
  for (auto id = arguments.begin() + 1; id != arguments.end(); ++id) {
    const auto item =
        std::find_if(all.items.begin(), all.items.end(), [&](const llmap::text_item& t) { return t.id == *id; });
    if (item == all.items.end()) llmap::fail(path, ": expected a text with id ", *id, ", found none");
    wanted.items.push_back(*item);
  }
  return wanted;
}

void run(const std::string& model_path, const llmap::text_set& texts) {
  const llmap::cpu_executor exec;
  // 1. The file, and what it says about the model
  const auto file = std::make_shared<const llmap::gguf::file>(model_path);
  const llmap::decoder_plan plan = plan_of(llmap::gguf::config_of(*file));
  const auto tokenizer = llmap::tokenizer::from_files(llmap::gguf::tokenizer_files_of(*file));
  std::vector<std::vector<std::int32_t>> ids;
  for (const llmap::text_item& text : texts.items) {
    ids.push_back(tokenizer.encode(text.text));
    llmap::check_ids(ids.back(), plan.vocab, model_path + ": text " + text.id);
    if (ids.back().size() > static_cast<std::size_t>(plan.context_length))
      llmap::fail(model_path, ": text ", text.id, ": expected at most ", plan.context_length, " tokens, got ",
                  ids.back().size());
  }
  // 2. Weights
  const auto model = llmap::load_decoder<float>(exec, plan, llmap::gguf::tensors(file), model_path);
  // 3. Scores, printed as they come
  llmap::score_texts(exec, model, ids, {}, [&](std::size_t first, std::span<const llmap::text_score> scores) {
    for (std::size_t i = 0; i < scores.size(); ++i)
      std::printf("%s\t%zu\t%.6f\n", texts.items[first + i].id.c_str(), ids[first + i].size(),
                  scores[i].log_likelihood);
    std::fflush(stdout);
  });
  file->mapping()->check_unchanged();
}

} // namespace

int main(int count, char** values) {
  const std::vector<std::string> arguments(values + 1, values + count);
  if (arguments.size() < 2) {
    std::fprintf(stderr, "usage: 04_own_loader_gguf MODEL.gguf TEXTS.jsonl [--ids ID...]\n");
    return 2;
  }
  try {
    run(arguments[0], wanted_texts(arguments[1], {arguments.begin() + 2, arguments.end()}));
  } catch (const llmap::error& problem) {
    std::fprintf(stderr, "04_own_loader_gguf: %s\n", problem.what());
    return 1;
  }
}
