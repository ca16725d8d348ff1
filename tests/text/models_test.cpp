// The models besides BPE: what they do with what they do not know, and files that are refused.
#include "llmap/text/tokenizer.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"
#include <set>

using namespace llmap;

namespace {

using ids = std::vector<std::int32_t>;

template <class Model> Model made(const char* text) {
  static std::vector<json> kept; // a component refers to its JSON
  kept.reserve(64);
  kept.push_back(parse_json(text, "model"));
  return Model(component(kept.back(), "model"));
}
ids encoded(const token_model& model, std::string_view piece) {
  ids out;
  model.encode(piece, out);
  return out;
}

/// A protobuf field of a string or message.
std::string field(int number, const std::string& content) {
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(content.size())} + content;
}
std::string piece(const std::string& text, float score, int type) {
  std::string bytes(4, '\0');
  std::memcpy(bytes.data(), &score, 4);
  return field(1, field(1, text) + std::string("\x15") + bytes + std::string{'\x18', static_cast<char>(type)});
}

} // namespace

TEST(unigram, takes_the_greatest_sum) {
  const auto m = made<unigram>(R"({"vocab":[["<unk>",0],["a",-1],["b",-1],["ab",-1.5],["bc",-3]],"unk_id":0})");
  EXPECT_EQ(encoded(m, "ab"), (ids{3}));
  EXPECT_EQ(encoded(m, "abab"), (ids{3, 3}));
  EXPECT_EQ(encoded(m, "axxb"), (ids{1, 0, 2})); // neighboring unknown characters are one
  EXPECT_EQ(encoded(m, "\xc3\xa9"), (ids{0}));
  EXPECT_EQ(encoded(m, ""), ids{});
}
TEST(unigram, of_equal_sums_the_longer_last_token_stays) {
  const auto m = made<unigram>(R"({"vocab":[["a",-1],["b",-1],["c",-1],["ab",-2],["bc",-2]],"unk_id":null})");
  EXPECT_EQ(encoded(m, "abc"), (ids{0, 4}));
  EXPECT_MESSAGE(encoded(m, "x"), "unk_id is needed, but is null");
}
TEST(unigram, refuses) {
  EXPECT_MESSAGE(made<unigram>(R"({"vocab":[]})"), "model.vocab: expected at least one token");
  EXPECT_MESSAGE(made<unigram>(R"({"vocab":[["a"]]})"), "model.vocab[0]");
  EXPECT_MESSAGE(made<unigram>(R"({"vocab":[["a","b"]]})"), "model.vocab[0][1]: expected a finite number");
  EXPECT_MESSAGE(made<unigram>(R"({"vocab":[["a",1]],"unk_id":1})"), "unk_id: expected an id of the vocabulary");
}
TEST(word_piece, longest_from_the_left_or_unknown) {
  const auto m = made<word_piece>(
      R"({"vocab":{"[UNK]":0,"un":1,"##aff":2,"##able":3,"##a":4,"u":5},"max_input_chars_per_word":9})");
  EXPECT_EQ(encoded(m, "unaffable"), (ids{1, 2, 3}));
  EXPECT_EQ(encoded(m, "una"), (ids{1, 4}));
  EXPECT_EQ(encoded(m, "unb"), (ids{0}));        // all of it, not its end
  EXPECT_EQ(encoded(m, "unaffablea"), (ids{0})); // more than 9 characters
  EXPECT_MESSAGE(encoded(made<word_piece>(R"({"vocab":{"a":0}})"), "b"), "unk_token [UNK] is needed");
}
TEST(word_level, whole_or_unknown) {
  const auto m = made<word_level>(R"({"vocab":{"a":0,"?":1},"unk_token":"?"})");
  EXPECT_EQ(encoded(m, "a"), (ids{0}));
  EXPECT_EQ(encoded(m, "aa"), (ids{1}));
}
TEST(rwkv_vocabulary, literals_and_longest_match) {
  std::string file;
  for (int b = 0; b < 256; ++b) {
    char line[32];
    std::snprintf(line, sizeof line, "%d b'\\x%02x' 1\n", b + 1, b);
    file += line;
  }
  file += "257 'ab' 2\n258 '\\u00e9\\n' 3\n259 \"it's\" 4\n260 b'\\xff\\xfe' 2\n";
  const rwkv_vocabulary m(file, "f.txt");
  EXPECT_EQ(encoded(m, "abb"), (ids{257, 'b' + 1}));
  EXPECT_EQ(encoded(m, "\xc3\xa9\nit's\xff\xfe"), (ids{258, 259, 260}));
  EXPECT_EQ(m.largest_id(), 260);
  EXPECT_MESSAGE(rwkv_vocabulary(file + "261 'abc' 2\n", "f.txt"), "f.txt: line 261: expected 2 bytes, got 3");
  EXPECT_MESSAGE(rwkv_vocabulary(file + "x 'a' 1\n", "f.txt"), "f.txt: line 261: expected `id literal bytes`");
  EXPECT_MESSAGE(rwkv_vocabulary(file + "9 'a\\q' 3\n", "f.txt"), "expected an escape of Python, got \\q");
  EXPECT_MESSAGE(rwkv_vocabulary(file + "9 'a\\x4' 2\n", "f.txt"), "expected 2 hexadecimal digits");
  EXPECT_MESSAGE(rwkv_vocabulary(file.substr(file.find('\n') + 1), "f.txt"), "expected a token for byte 0");
}
TEST(sentencepiece, reads_pieces_and_refuses_damage) {
  const std::string file = piece("<unk>", 0, 2) + piece("a", -1.5f, 1) + field(2, std::string("\x18\x02", 2));
  const sentencepiece_model m(file, "t.model");
  EXPECT_EQ(m.pieces, (std::vector<std::string>{"<unk>", "a"}));
  EXPECT_EQ(m.scores, (std::vector<float>{0, -1.5f}));
  EXPECT_EQ(m.types[0], sentencepiece_model::type::unknown);
  EXPECT_EQ(m.model, sentencepiece_model::kind::bpe);
  for (std::size_t n = 0; n < file.size(); ++n) { // cut anywhere: an error, or fewer pieces
    try {
      EXPECT_LE(sentencepiece_model(file.substr(0, n), "t.model").pieces.size(), 2u);
    } catch (const error&) {
    }
  }
  EXPECT_MESSAGE(sentencepiece_model("", "t.model"), "t.model: expected a SentencePiece model, got no pieces");
  EXPECT_MESSAGE(sentencepiece_model("\x0a\x7f", "t.model"), "t.model: truncated");
  EXPECT_MESSAGE(sentencepiece_model(std::string(20, '\xff'), "t.model"), "a number that does not end");
  EXPECT_MESSAGE(sentencepiece_model(file + field(2, std::string("\x18\x03", 2)), "t.model"), "model_type: expected 1");
  EXPECT_MESSAGE(sentencepiece_model(piece("\xff", 0, 1), "t.model"), "piece 0: expected UTF-8");
  const temporary_folder folder;
  folder.write("tokenizer.model", file);
  folder.write("tokenizer_config.json", R"({"tokenizer_class":"GPT2Tokenizer"})");
  EXPECT_MESSAGE(tokenizer::load(folder.path()), "tokenizer.model: expected a tokenizer of class Llama, Gemma or XGLM");
}
TEST(charsmap, refuses_damage) {
  EXPECT_MESSAGE(charsmap("", "f"), "f: expected a table of normalization, got 0 bytes");
  EXPECT_MESSAGE(charsmap(std::string("\x08\0\0\0abcd", 8), "f"), "f: expected a table of normalization");
  EXPECT_MESSAGE(detail::from_base64("a*", "f"), "f: expected base64");
  const std::string wild = std::string("\x08\0\0\0", 4) + std::string(8, '\xff') + "x"; // points beyond its end
  EXPECT_EQ(charsmap(wild, "f")("abc"), "abc");
}
// transformers makes a Llama tokenizer anew from tokenizer.model where the config has add_prefix_space.
TEST(llama, is_rebuilt_from_its_model) {
  const std::filesystem::path golden = std::filesystem::path(LLMAP_SOURCE_DIR) / "tests/golden/llama_rebuilt";
  const json expected = read_json_file(golden / "expected.json");
  const json config = read_json_file(golden / "tokenizer_config.json");
  ASSERT_EQ(expected.items()->size(), 9u);
  std::set<std::string> distinct;
  for (const json& c : *expected.items()) {
    const temporary_folder folder;
    for (const char* name : {"tokenizer.json", "tokenizer.model", "special_tokens_map.json"})
      std::filesystem::copy_file(golden / name, folder.path() / name);
    json::object fields;
    for (const auto& [key, value] : *config.members())
      if (key != "legacy" && key != "add_prefix_space") fields.push_back({key, value});
    for (const char* key : {"legacy", "add_prefix_space"})
      if (!c.find(key)->is_null()) fields.push_back({key, *c.find(key)});
    folder.write("tokenizer_config.json", canonical_text(fields));
    const tokenizer t = tokenizer::load(folder.path());
    for (const json& sample : *c.find("samples")->items()) {
      ids want;
      for (const json& id : *sample.find("ids")->items()) want.push_back(static_cast<std::int32_t>(*id.integer()));
      EXPECT_EQ(t.encode(*sample.find("text")->string()), want) << canonical_text(c);
    }
    distinct.insert(canonical_text(*c.find("samples")));
    if (c.find("add_prefix_space")->is_null()) continue;
    std::filesystem::remove(folder.path() / "tokenizer.model");
    EXPECT_MESSAGE(tokenizer::load(folder.path()), "add_prefix_space: expected none for this class");
  }
  EXPECT_GE(distinct.size(), 3u);
}
// What transformers 5 writes for most classes: the file decides.
TEST(tokenizers_backend, is_the_file_as_it_stands) {
  const temporary_folder folder;
  folder.write("tokenizer.json", R"({"model":{"type":"WordLevel","vocab":{"a":0,"<unk>":1}}})");
  folder.write("tokenizer_config.json", R"({"tokenizer_class":"TokenizersBackend"})");
  EXPECT_EQ(tokenizer::load(folder.path()).encode("a"), (ids{0}));
  // A prefix space too, which the classes of transformers 4 set themselves.
  folder.write("tokenizer.json", R"({"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":true,"use_regex":false},
      "model":{"type":"WordLevel","vocab":{"a":0,"\u0120a":1},"unk_token":"a"}})");
  EXPECT_EQ(tokenizer::load(folder.path()).encode("a"), (ids{1}));
  folder.write("tokenizer_config.json", R"({"tokenizer_class":"PreTrainedTokenizerFast"})");
  EXPECT_EQ(tokenizer::load(folder.path()).encode("a"), (ids{0}));
}
