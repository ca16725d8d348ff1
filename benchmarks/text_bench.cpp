// Tokenizing texts of about 1 KB, one thread: MB/s and tokens/s for each tokenizer folder, from the first pass over the
// texts (nothing cached) and from the median of later passes, and the time to load the tokenizer. The digest is of all
// ids in order, so that it shows whether two programs agree.
//   bench_text [--texts FILE] [FOLDER...]     default: some of examples/zoo, on the texts of the zoo
#include "llmap/text/text_set.hpp"
#include "llmap/text/tokenizer.hpp"
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace {

double seconds_of(const auto& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void measure(const std::filesystem::path& folder, const llmap::text_set& texts) {
  std::optional<llmap::tokenizer> loaded;
  const double load = seconds_of([&] { loaded.emplace(llmap::tokenizer::load(folder)); });
  const llmap::tokenizer& tokenizer = *loaded;
  std::size_t bytes = 0, tokens = 0;
  std::uint64_t digest = 0xcbf29ce484222325u; // FNV-1a, one step per id
  const double first = seconds_of([&] {
    for (const llmap::text_item& t : texts.items) tokens += tokenizer.encode(t.text).size();
  });
  std::vector<double> passes;
  for (double total = 0; total < 1;) {
    passes.push_back(seconds_of([&] {
      for (const llmap::text_item& t : texts.items) tokenizer.encode(t.text);
    }));
    total += passes.back();
  }
  for (const llmap::text_item& t : texts.items) {
    bytes += t.text.size();
    for (const std::int32_t id : tokenizer.encode(t.text))
      digest = (digest ^ static_cast<std::uint32_t>(id)) * 0x100000001b3u;
  }
  std::nth_element(passes.begin(), passes.begin() + static_cast<std::ptrdiff_t>(passes.size() / 2), passes.end());
  const double median = passes[passes.size() / 2], mega = 1e-6 * static_cast<double>(bytes);
  std::printf("%-24s %8d %8.0f %8.1f %8.1f %8.2f %8zu  %016llx\n", folder.filename().c_str(), tokenizer.vocab_size(),
              1e3 * load, mega / first, mega / median, 1e-6 * static_cast<double>(tokens) / median, tokens,
              static_cast<unsigned long long>(digest));
}

} // namespace

int main(int argc, char** argv) try {
  const std::filesystem::path zoo = std::filesystem::path(LLMAP_SOURCE_DIR) / "examples/zoo";
  std::filesystem::path texts = zoo / "texts.jsonl";
  std::vector<std::filesystem::path> folders;
  for (int i = 1; i < argc; ++i) {
    if (argv[i] == std::string_view("--texts") && i + 1 < argc) texts = argv[++i];
    else folders.emplace_back(argv[i]);
  }
  if (folders.empty())
    for (const char* name : {"gpt2", "llama-m", "qwen2", "neox", "bloom", "opt", "gemma2", "mistral"})
      folders.push_back(zoo / "models" / name);
  std::printf("%-24s %8s %8s %8s %8s %8s %8s  %s\n", "tokenizer", "ids", "load ms", "1st MB/s", "MB/s", "Mtok/s",
              "tokens", "digest");
  const llmap::text_set set = llmap::load_text_set(texts);
  for (const auto& folder : folders) measure(folder, set);
} catch (const std::exception& problem) {
  std::fprintf(stderr, "%s\n", problem.what());
  return 1;
}
