// llmap tokenize: the ids of every text, as JSON Lines {"id", "ids"}.
#include "commands.hpp"
#include "llmap/core/parallel.hpp"
#include "llmap/text/text_set.hpp"
#include "llmap/text/tokenizer.hpp"
#include <cstdio>
#include <memory>

namespace {

struct tokenize_arguments {
  std::string folder, texts;
  bool no_special = false;
  int threads = llmap::default_threads();
};

void run(const tokenize_arguments& a) {
  const llmap::tokenizer tokenizer = llmap::tokenizer::load(a.folder);
  const llmap::text_set set = llmap::load_text_set(a.texts);
  std::vector<std::string> lines(set.items.size());
  llmap::parallel_for(a.threads, lines.size(), [&](std::size_t i) {
    const nlohmann::ordered_json line{{"id", set.items[i].id}, {"ids", tokenizer.encode(set.items[i].text, !a.no_special)}};
    lines[i] = line.dump();
  });
  for (const std::string& line : lines) std::puts(line.c_str());
}

} // namespace

void add_tokenize(CLI::App& app) {
  const auto a = std::make_shared<tokenize_arguments>();
  CLI::App* c = app.add_subcommand("tokenize", "Print the token ids of texts");
  c->add_option("folder", a->folder, "model folder with its tokenizer")->required();
  c->add_option("--texts", a->texts, "texts (JSONL)")->required();
  c->add_flag("--no-special", a->no_special, "without the special tokens that the tokenizer adds");
  c->add_option("--threads", a->threads, "default: all processors")->check(CLI::Range(1, 4096));
  c->callback([a] { run(*a); });
}
