// tiktoken's vocabularies: how files are read and refused, and the order of merges. The golden cases tekken_file,
// tekken_file_v3 and tiktoken_file compare ids.
#include "llmap/text/tokenizer.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"
#include <gtest/gtest.h>

using namespace llmap;

namespace {

ranked_tokens bytes_and(std::initializer_list<const char*> more) {
  ranked_tokens r;
  for (unsigned b = 0; b < 256; ++b) r.tokens.emplace_back(1, static_cast<char>(b));
  r.tokens.insert(r.tokens.end(), more.begin(), more.end());
  return r;
}

std::string lines_of(const ranked_tokens& r) {
  std::string lines;
  for (std::size_t i = 0; i < r.tokens.size(); ++i) lines += to_base64(r.tokens[i]) + " " + std::to_string(i) + "\n";
  return lines;
}

/// A tekken.json with two special tokens more than it names.
json tekken_of(const ranked_tokens& r) {
  json::array vocabulary;
  for (std::size_t i = 0; i < r.tokens.size(); ++i)
    vocabulary.push_back(json::object{{"rank", i}, {"token_bytes", to_base64(r.tokens[i])}});
  json::array special;
  for (const char* name : {"<unk>", "<s>", "</s>"})
    special.push_back(json::object{{"rank", special.size()}, {"token_str", name}});
  return json::object{{"config", json::object{{"pattern", "."},
                                              {"default_vocab_size", r.tokens.size() + 5},
                                              {"default_num_special_tokens", 5},
                                              {"version", "v11"}}},
                      {"vocab", std::move(vocabulary)},
                      {"special_tokens", std::move(special)}};
}

json& field(json& object, std::string_view key) {
  for (json::member& m : *object.members())
    if (m.name == key) return m.value;
  throw std::out_of_range(std::string(key));
}

std::vector<std::int32_t> ids(const bpe& model, std::string_view piece) {
  std::vector<std::int32_t> out;
  model.encode(piece, out);
  return out;
}

TEST(base64, there_and_back) {
  for (const std::string bytes : {"", "f", "fo", "foo", "foob", "fooba", "foobar", "\xff\xfe\0x"})
    EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
  EXPECT_EQ(to_base64("foob"), "Zm9vYg=="); // RFC 4648, section 10
  for (const char* text : {"Zm9v=", "Zm9vY", "Zm9vYg=a", "Zm9vYh==", "Zm 9", "===="})
    EXPECT_FALSE(from_base64(text)) << text;
}

TEST(ranked_tokens, the_lowest_rank_merges_first_and_the_leftmost_of_equals) { // of pieces that are no tokens
  const bpe model(bytes_and({"aa", "aab", "ab", "bc", "aaa", "caa"}));         // 256 to 261
  EXPECT_EQ(ids(model, "aab"), (std::vector<std::int32_t>{257}));
  EXPECT_EQ(ids(model, "abc"), (std::vector<std::int32_t>{258, 'c'}));
  EXPECT_EQ(ids(model, "caa"), (std::vector<std::int32_t>{261}));
  EXPECT_EQ(ids(model, "aaaaaac"), (std::vector<std::int32_t>{256, 256, 256, 'c'}));
  EXPECT_EQ(ids(model, "aaaaac"), (std::vector<std::int32_t>{256, 260, 'c'})); // aa aa a: aaa is one merge only
  EXPECT_EQ(ids(bpe(bytes_and({"yx", "xy"})), "xyxy"), (std::vector<std::int32_t>{'x', 256, 'y'}));
  EXPECT_EQ(ids(bpe(bytes_and({"xy", "yx"})), "xyxy"), (std::vector<std::int32_t>{256, 256}));
}

TEST(ranked_tokens, a_piece_that_is_a_token_stays_whole) {
  const bpe model(bytes_and({"hello"})); // no merges lead to it
  EXPECT_EQ(ids(model, "hello"), (std::vector<std::int32_t>{256}));
  EXPECT_EQ(ids(model, "hello!"), (std::vector<std::int32_t>{'h', 'e', 'l', 'l', 'o', '!'}));
}

TEST(tiktoken, files_that_are_wrong_are_refused) {
  const std::string good = lines_of(bytes_and({"ab"}));
  EXPECT_TRUE(is_tiktoken(good));
  EXPECT_FALSE(is_tiktoken("\x0a\x0e\x0a\x05<unk>"));
  EXPECT_EQ(read_tiktoken(good, "f").tokens.size(), 257u);
  EXPECT_MESSAGE(read_tiktoken(good + "YWJj 258\n", "f"), "f: line 258: expected rank 257, got 258");
  EXPECT_MESSAGE(read_tiktoken(good + "YWJj\n", "f"), "f: line 258: expected a token in Base64 and its rank");
  EXPECT_MESSAGE(read_tiktoken(good + "YWJj 257x\n", "f"), "f: line 258: expected a token in Base64 and its rank");
  EXPECT_MESSAGE(read_tiktoken(good + "YW! 257\n", "f"),
                 "f: line 258: expected the bytes of a token in Base64, got YW!");
  EXPECT_MESSAGE(read_tiktoken(good + "YWI= 257\n", "f"), "f: expected distinct tokens, got that of rank 257 twice");
  EXPECT_MESSAGE(read_tiktoken("AA== 0\n", "f"), "f: expected a token for every byte, got none for byte 1");
}

TEST(tiktoken, needs_to_know_the_special_tokens) {
  const temporary_folder folder;
  folder.write("tokenizer.model", lines_of(bytes_and({})));
  folder.write("config.json", R"({"model_type": "llama"})");
  EXPECT_MESSAGE(tokenizer::load(folder.path()), "tokenizer.model: expected added_tokens_decoder in a "
                                                 "tokenizer_config.json beside it");
}

TEST(tekken, files_that_are_wrong_are_refused) {
  const ranked_tokens ranks = bytes_and({"ab", "abc"});
  const auto read = [](const json& file) { return read_tekken({file, "t.json"}); };
  EXPECT_EQ(read(tekken_of(ranks)).ranked.first_id, 5);
  EXPECT_EQ(read(tekken_of(ranks)).eos, 2);
  json file = tekken_of(ranks);
  field(field(file, "config"), "default_vocab_size") = json(262);
  EXPECT_EQ(read(file).ranked.tokens.size(), 257u); // ranks beyond are not used
  for (const double size : {4.0, 264.0, 10.5}) {
    field(field(file, "config"), "default_vocab_size") = json(size);
    EXPECT_MESSAGE(read(file), "t.json.config.default_vocab_size: expected ");
  }
  file = tekken_of(ranks);
  field((*field(file, "vocab").items())[7], "rank") = json(8);
  EXPECT_MESSAGE(read(file), "t.json.vocab[7].rank: expected 7, got 8");
  file = tekken_of(ranks);
  field((*field(file, "vocab").items())[7], "token_bytes") = json("?");
  EXPECT_MESSAGE(read(file), "t.json.vocab[7].token_bytes: expected the bytes of a token in Base64, got ?");
  file = tekken_of(ranks);
  field(file, "special_tokens") = json();
  EXPECT_MESSAGE(read(file), "t.json.special_tokens: missing, expected them in a file of version v11");
  field(field(file, "config"), "version") = json("v3");
  EXPECT_EQ(read(file).bos, 1);
  file = tekken_of(ranks);
  field((*field(file, "special_tokens").items())[1], "token_str") = json("<t>");
  EXPECT_MESSAGE(read(file), "t.json.special_tokens: expected <s> among them");
}

} // namespace
