// write_random_model FOLDER: a model folder of SmolLM2-135M's shape with random weights in BF16 (269 MB) and a
// byte-level tokenizer of as many tokens, made of random merges. It gives `llmap score` as much to read before it
// scores as a real model.
#include "llmap/architectures/llama.hpp"
#include "llmap/text/byte_level.hpp"
#include "llmap/weights/safetensors_writer.hpp"
#include "random_model.hpp"
#include <set>

namespace {

llmap::json random_tokenizer(std::size_t count) {
  constexpr std::size_t longest = 12; // bytes of a token; real ones are seldom longer
  std::vector<std::string> bytes, tokens;
  for (unsigned b = 0; b < 256; ++b)
    bytes.emplace_back(1, static_cast<char>(b)), tokens.push_back(llmap::byte_characters()[b]);
  std::set<std::string> taken(tokens.begin(), tokens.end());
  using llmap::json;
  json::array merges;
  const llmap::counter_random random{4};
  for (std::uint64_t k = 0; tokens.size() < count; ++k) {
    const std::size_t left = random.below(0, k, static_cast<std::uint32_t>(tokens.size())),
                      right = random.below(1, k, static_cast<std::uint32_t>(tokens.size()));
    if (bytes[left].size() + bytes[right].size() > longest || !taken.insert(tokens[left] + tokens[right]).second)
      continue;
    merges.push_back(tokens[left] + " " + tokens[right]);
    tokens.push_back(tokens[left] + tokens[right]), bytes.push_back(bytes[left] + bytes[right]);
  }
  json::object vocabulary;
  for (std::size_t id = 0; id < tokens.size(); ++id) vocabulary.push_back({tokens[id], id});
  return json::object{
      {"version", "1.0"},
      {"pre_tokenizer", json::object{{"type", "ByteLevel"}, {"add_prefix_space", false}}},
      {"model", json::object{{"type", "BPE"}, {"vocab", std::move(vocabulary)}, {"merges", std::move(merges)}}}};
}

} // namespace

int main(int count, char** values) {
  try {
    if (count != 2) llmap::fail("expected: write_random_model FOLDER");
    const std::filesystem::path folder = values[1];
    std::filesystem::create_directories(folder);
    const llmap::decoder_plan plan = llama_plan(llmap::config(llmap::parse_json(bench::smollm2, "shape"), "shape"));
    llmap::write_file(folder / "config.json", bench::smollm2);
    llmap::write_file(folder / "tokenizer_config.json", R"({"tokenizer_class": "PreTrainedTokenizerFast"})");
    llmap::write_file(folder / "tokenizer.json",
                      canonical_text(random_tokenizer(static_cast<std::size_t>(plan.vocab))));
    llmap::write_safetensors(folder / "model.safetensors", bench::random_weights(plan));
  } catch (const llmap::error& problem) {
    std::fprintf(stderr, "write_random_model: %s\n", problem.what());
    return 1;
  }
}
