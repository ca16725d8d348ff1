// The zoo's tokenizers on its 600 texts: as many ids as transformers scored, plus the first one, which is context.
#include "llmap/text/text_set.hpp"
#include "llmap/text/tokenizer.hpp"
#include "support/golden_tokenizers.hpp"
#include <cstring>

namespace {

TEST(zoo_tokens, counts_are_those_of_transformers) {
  const std::filesystem::path zoo = std::filesystem::path(LLMAP_SOURCE_DIR) / "examples/zoo";
  ASSERT_TRUE(std::filesystem::exists(zoo / "expected/likelihood.safetensors")) << zoo << ": the zoo is missing";
  const nlohmann::json names = golden::read_json(zoo / "expected/names.json");
  std::ifstream in(zoo / "expected/likelihood.safetensors", std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  const nlohmann::json entry = nlohmann::json::parse(bytes.substr(8, header)).at("tokens_scored");
  const std::size_t models = entry.at("shape")[0], texts = entry.at("shape")[1];
  const char* scored = bytes.data() + 8 + header + entry.at("data_offsets")[0].get<std::size_t>();

  const llmap::text_set set = llmap::load_text_set(zoo / "texts.jsonl");
  ASSERT_EQ(set.items.size(), texts);
  ASSERT_EQ(names.at("models").size(), models);
  for (std::size_t m = 0; m < models; ++m) {
    const std::string name = names.at("models")[m];
    const llmap::tokenizer tokenizer = llmap::tokenizer::load(zoo / "models" / name);
    for (std::size_t t = 0; t < texts; ++t) {
      ASSERT_EQ(names.at("texts")[t], set.items[t].id);
      std::int32_t expected = 0;
      std::memcpy(&expected, scored + 4 * (m * texts + t), 4);
      EXPECT_EQ(tokenizer.encode(set.items[t].text).size(), static_cast<std::size_t>(expected) + 1)
          << name << " " << set.items[t].id;
    }
  }
}

} // namespace
