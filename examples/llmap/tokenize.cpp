// llmap tokenize: the ids of every text, as JSON Lines {"id", "ids"}, which llmap logprobs reads.
#include "commands.hpp"
#include "llmap/core/json_writer.hpp"
#include "llmap/core/parallel.hpp"
#include "llmap/model/model_folders.hpp"
#include "llmap/weights/model_weights.hpp"
#include "model_files.hpp"
#include <cstdio>

void run_tokenize(const tokenize_arguments& a) {
  const std::filesystem::path folder = llmap::one_model_folder(a.folder);
  const model_tokenizer tokenizer(folder);
  const llmap::text_set set = llmap::load_text_set(a.texts.path, a.texts.options);
  std::vector<std::string> lines(set.items.size());
  llmap::parallel_for(a.threads, lines.size(), [&](std::size_t i) {
    llmap::json_writer line;
    line.object([&] {
      line.field("id", set.items[i].id);
      line.field("ids", tokenizer.encode(set.items[i].text, !a.no_special));
    });
    lines[i] = line.text();
  });
  for (const std::string& line : lines) std::puts(line.c_str());
}
