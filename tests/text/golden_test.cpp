// Every golden tokenizer gives the ids of the reference, on every sample, with and without special tokens.
#include "llmap/text/tokenizer.hpp"
#include "support/golden_tokenizers.hpp"

namespace {

class golden_tokenizer : public ::testing::TestWithParam<std::string> {};

TEST_P(golden_tokenizer, gives_the_ids_of_the_reference) {
  const std::filesystem::path folder = golden::tokenizer_folder() / GetParam();
  const nlohmann::json expected = golden::read_json(folder / "expected.json");
  const nlohmann::json texts = golden::read_json(golden::tokenizer_folder() / "texts.json");
  const llmap::tokenizer tokenizer = llmap::tokenizer::load(folder);
  EXPECT_EQ(nlohmann::json(tokenizer.special().prefix), expected.at("special_prefix"));
  EXPECT_EQ(nlohmann::json(tokenizer.special().suffix), expected.at("special_suffix"));
  ASSERT_GE(expected.at("samples").size(), 200u);
  RecordProperty("samples", static_cast<int>(expected.at("samples").size()));
  RecordProperty("mirrors", expected.at("mirrors").get<std::string>());
  for (const nlohmann::json& sample : expected.at("samples")) {
    const nlohmann::json& which = sample.at("text");
    const std::string text = which.is_string() ? which : texts.at(which.get<std::size_t>()).at("text");
    const std::vector<std::int32_t> plain = tokenizer.encode(text, false), with = tokenizer.encode(text);
    EXPECT_TRUE(golden::same_ids(sample.at("ids"), plain)) << "text " << which.dump();
    if (sample.contains("ids_with_special")) {
      EXPECT_TRUE(golden::same_ids(sample.at("ids_with_special"), with)) << "text " << which.dump();
      continue;
    }
    std::vector<std::int32_t> wrapped = tokenizer.special().prefix;
    wrapped.insert(wrapped.end(), plain.begin(), plain.end());
    wrapped.insert(wrapped.end(), tokenizer.special().suffix.begin(), tokenizer.special().suffix.end());
    EXPECT_EQ(with, wrapped) << "text " << which.dump();
    for (const std::int32_t id : with) EXPECT_TRUE(id >= 0 && id < tokenizer.vocab_size());
  }
}

INSTANTIATE_TEST_SUITE_P(cases, golden_tokenizer, ::testing::ValuesIn(golden::tokenizer_cases()),
                         [](const auto& info) { return info.param; });

TEST(golden_tokenizers, are_all_there) { EXPECT_EQ(golden::tokenizer_cases().size(), 135u); }

} // namespace
