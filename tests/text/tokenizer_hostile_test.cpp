// Tokenizer files that are wrong: each one line that names file and field, never a crash.
#include "llmap/text/tokenizer.hpp"
#include "support/golden.hpp"

using namespace llmap;
using nlohmann::json;

namespace {
json good() {
  return json::parse(R"({"version": "1.0", "added_tokens": [{"id": 3, "content": "<s>", "special": true}],
    "normalizer": null, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}, "post_processor": null,
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}})");
}
std::string problem(const std::function<void(json&)>& change) {
  json j = good();
  change(j);
  return golden::message_of([&] { tokenizer::from_json(j, "t.json").encode("ab <s> ba"); });
}
#define EXPECT_PROBLEM(part, ...) EXPECT_NE(problem([](json& j) { __VA_ARGS__; }).find(part), std::string::npos) << problem([](json& j) { __VA_ARGS__; })
} // namespace

TEST(tokenizer_hostile, the_good_one_works) { EXPECT_EQ(tokenizer::from_json(good(), "t").encode("ab<s>ba"), (std::vector<std::int32_t>{2, 3, 1, 0})); }

TEST(tokenizer_hostile, unknown_components_are_named) {
  EXPECT_PROBLEM("model.type: expected one of BPE; got Unigram", j["model"]["type"] = "Unigram");
  EXPECT_PROBLEM("t.json.normalizer.type: expected one of Sequence", j["normalizer"] = json{{"type", "Nmt"}});
  EXPECT_PROBLEM("got Nmt", j["normalizer"] = json{{"type", "Nmt"}});
  EXPECT_PROBLEM("pre_tokenizer.pretokenizers[0].type", j["pre_tokenizer"] = json::parse(R"({"type": "Sequence", "pretokenizers": [{"type": "UnicodeScripts"}]})"));
  EXPECT_PROBLEM("post_processor.type", j["post_processor"] = json{{"type", "Wrap"}});
}
TEST(tokenizer_hostile, wrong_fields_are_named) {
  EXPECT_PROBLEM("model: missing", j.erase("model"));
  EXPECT_PROBLEM("model.vocab.a: expected a token id", j["model"]["vocab"]["a"] = -1);
  EXPECT_PROBLEM("model.vocab.a: expected a token id", j["model"]["vocab"]["a"] = "x");
  EXPECT_PROBLEM("model.vocab.a: expected a token id", j["model"]["vocab"]["a"] = 1e12);
  EXPECT_PROBLEM("merges[0]", j["model"]["merges"] = json::array({"a c"}));
  EXPECT_PROBLEM("merges[0]", j["model"]["merges"] = json::array({"a  b"}));
  EXPECT_PROBLEM("merges[1]", j["model"]["merges"] = json::array({"a b", json::array({"a", "b"})}));
  EXPECT_PROBLEM("merges[0]", j["model"]["merges"] = json::array({json::array({"a"})}));
  EXPECT_PROBLEM("dropout", j["model"]["dropout"] = 0.1);
  EXPECT_PROBLEM("unk_token", j["model"]["unk_token"] = "nobody");
  EXPECT_PROBLEM("version", j["version"] = "2.0");
  EXPECT_PROBLEM("added_tokens[0]: content: missing", j["added_tokens"][0].erase("content"));
  EXPECT_PROBLEM("added_tokens: expected an array", j["added_tokens"] = 3);
  EXPECT_PROBLEM("lstrip: expected true or false", j["added_tokens"][0]["lstrip"] = 1);
  EXPECT_PROBLEM("an object with a type", j["normalizer"] = "NFC");
}
TEST(tokenizer_hostile, patterns_that_mean_something_else_are_refused) {
  const auto with = [](const char* pattern) {
    json j = good();
    j["pre_tokenizer"] = {{"type", "Split"}, {"behavior", "Isolated"}, {"pattern", {{"Regex", pattern}}}};
    return golden::message_of([&] { tokenizer::from_json(j, "t.json"); });
  };
  for (const char* pattern : {R"(\w+)", R"(\bx)", R"([a&&b])", R"(\p{N}{1,3}+)", R"(x{2}?)", R"(\pL)", R"(\p{Han})", R"([[:alpha:]])", R"([a[^b]])",
                              R"(\h)", R"((?m:x))", "a\\"})
    EXPECT_NE(with(pattern).find("is not covered"), std::string::npos) << pattern << ": " << with(pattern);
  EXPECT_NE(with("(").find("does not compile"), std::string::npos) << with("(");
}
TEST(tokenizer_hostile, nesting_is_bounded) {
  json deep = {{"type", "NFC"}};
  for (int i = 0; i < 40; ++i) deep = json{{"type", "Sequence"}, {"normalizers", json::array({deep})}};
  json j = good();
  j["normalizer"] = deep;
  EXPECT_MESSAGE(tokenizer::from_json(j, "t"), "nested deeper");
}
TEST(tokenizer_hostile, invalid_text_is_refused) {
  const tokenizer t = tokenizer::from_json(good(), "t");
  for (const char* text : {"\x80", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "abc\xe2\x82"}) EXPECT_MESSAGE(t.encode(text), "invalid UTF-8 at byte");
}
TEST(tokenizer_hostile, folders) {
  golden::scratch dir;
  EXPECT_MESSAGE(tokenizer::load(dir.path), "expected tokenizer.json");
  EXPECT_MESSAGE(tokenizer::load(dir.path / "none"), "expected a model directory");
  dir.write("tokenizer.json", "{");
  EXPECT_MESSAGE(tokenizer::load(dir.path), "not valid JSON");
  dir.write("tokenizer.json", good().dump());
  dir.write("tokenizer_config.json", R"({"tokenizer_class": "MysteryTokenizer"})");
  EXPECT_MESSAGE(tokenizer::load(dir.path), "tokenizer_class");
}
