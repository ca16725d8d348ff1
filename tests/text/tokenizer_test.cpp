// Ids of every golden tokenizer on every sample, with and without special tokens.
#include "llmap/core/parallel.hpp"
#include "llmap/text/tokenizer.hpp"
#include "support/golden.hpp"

using namespace llmap;

namespace {
std::string fnv1a64(const std::vector<std::int32_t>& ids) {
  std::uint64_t h = 0xcbf29ce484222325u;
  for (std::int32_t id : ids)
    for (int b = 0; b < 4; ++b) h = (h ^ ((static_cast<std::uint32_t>(id) >> (8 * b)) & 255u)) * 0x100000001b3u;
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(h));
  return text;
}
void expect_ids(const nlohmann::json& expected, const std::vector<std::int32_t>& got, const std::string& text) {
  if (expected.is_array()) {
    EXPECT_EQ(expected.get<std::vector<std::int32_t>>(), got) << text;
  } else {
    EXPECT_EQ(expected["count"], got.size()) << text;
    EXPECT_EQ(expected["fnv1a64"], fnv1a64(got)) << text;
  }
}
class tokenizer_golden : public testing::TestWithParam<std::string> {};
} // namespace

TEST_P(tokenizer_golden, gives_the_same_ids) {
  const auto folder = golden::folder("tokenizers") / GetParam();
  const nlohmann::json texts = golden::read(golden::folder("tokenizers") / "texts.json"), expected = golden::read(folder / "expected.json");
  const tokenizer t = tokenizer::load(folder);
  EXPECT_EQ(t.special().prefix, expected["special_prefix"].get<std::vector<std::int32_t>>());
  EXPECT_EQ(t.special().suffix, expected["special_suffix"].get<std::vector<std::int32_t>>());
  ASSERT_GT(expected["samples"].size(), 200u);
  for (const auto& sample : expected["samples"]) {
    const auto& key = sample["text"];
    const std::string text = key.is_number() ? texts[key.get<std::size_t>()]["text"].get<std::string>() : key.get<std::string>();
    const std::vector<std::int32_t> plain = t.encode(text, false);
    expect_ids(sample["ids"], plain, text);
    std::vector<std::int32_t> whole = t.special().prefix;
    whole.insert(whole.end(), plain.begin(), plain.end());
    whole.insert(whole.end(), t.special().suffix.begin(), t.special().suffix.end());
    EXPECT_EQ(t.encode(text), whole) << text;
    for (std::int32_t id : whole) EXPECT_LT(id, t.vocab_size());
  }
}
INSTANTIATE_TEST_SUITE_P(all, tokenizer_golden, testing::ValuesIn(golden::cases("tokenizers")), [](const auto& i) { return i.param; });

TEST(tokenizer, the_required_families_are_among_the_goldens) {
  const auto names = golden::cases("tokenizers");
  for (const char* name : {"gpt2", "gpt2_files", "gpt2_prefix_space", "gpt_neox", "gpt_neox_template_ignored", "llama2", "llama2_add_eos",
                           "llama2_class_from_model_type", "llama2_metaspace", "llama2_no_bos", "llama2_nonlegacy_config",
                           "llama2_old_specials", "qwen2", "qwen2_files", "opt", "bloom", "gemma", "mistral", "smollm2"})
    EXPECT_TRUE(std::count(names.begin(), names.end(), name)) << name;
}
TEST(tokenizer, same_ids_from_any_thread) {
  const tokenizer t = tokenizer::load(golden::folder("tokenizers") / "gpt_neox");
  const nlohmann::json texts = golden::read(golden::folder("tokenizers") / "texts.json");
  std::vector<std::vector<std::int32_t>> once, many(texts.size());
  for (const auto& text : texts) once.push_back(t.encode(text["text"].get<std::string>()));
  parallel_for(4, texts.size(), [&](std::size_t i) { many[i] = t.encode(texts[i]["text"].get<std::string>()); });
  EXPECT_EQ(once, many);
}
TEST(tokenizer, long_words_do_not_go_quadratic) { // one pre-token of a million characters: seconds, not hours
  const tokenizer t = tokenizer::load(golden::folder("tokenizers") / "llama2");
  EXPECT_GT(t.encode(std::string(1'000'000, 'a')).size(), 1000u);
}
TEST(tokenizer, counts_of_the_zoo) {
  const nlohmann::json zoo = golden::read(golden::zoo() / "zoo.json");
  const tokenizer llama = tokenizer::load(golden::zoo() / "models" / "llama-m");
  EXPECT_FALSE(llama.adds_bos());
  EXPECT_EQ(llama.bos_id(), 0);
  EXPECT_TRUE(tokenizer::load(golden::zoo() / "models" / "opt").adds_bos());
}
