// Files that are wrong, each with what the message has to say; and what encode promises of itself.
#include "llmap/core/parallel.hpp"
#include "llmap/text/tokenizer.hpp"
#include "support/golden_tokenizers.hpp"
#include "support/message_of.hpp"
#include "support/own_json.hpp"
#include "support/temporary_folder.hpp"
#include <thread>

using namespace llmap;
using document = nlohmann::json;

namespace {

document small() {
  return document::parse(
      R"({"version":"1.0","added_tokens":[{"id":3,"content":"<s>","special":true,"normalized":false}],
    "normalizer":{"type":"NFC"},"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},
    "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A"}}],
      "special_tokens":{"<s>":{"id":"<s>","ids":[3],"tokens":["<s>"]}}},
    "model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}})");
}
tokenizer from(const document& j) { return tokenizer::from_json(golden::own(j), "f.json"); }
/// The small tokenizer with the value at a JSON pointer replaced.
tokenizer with(const char* pointer, const document& value) {
  document j = small();
  j[document::json_pointer(pointer)] = value;
  return from(j);
}
using list = std::vector<std::int32_t>;

TEST(tokenizer, the_small_one_works) {
  const tokenizer t = tokenizer::from_json(golden::own(small()), "f.json", "<s>");
  EXPECT_EQ(t.encode("ab<s>b"), (list{3, 2, 3, 1}));
  EXPECT_EQ(t.encode("ab", false), (list{2}));
  EXPECT_EQ(t.encode(""), (list{3}));
  EXPECT_EQ(t.vocab_size(), 4);
  EXPECT_EQ(t.bos_id(), 3);
  EXPECT_EQ(t.eos_id(), std::nullopt);
  EXPECT_TRUE(t.adds_bos());
  EXPECT_FALSE(from(small()).adds_bos());
}

TEST(tokenizer, unknown_kinds_are_refused_by_name) {
  EXPECT_MESSAGE(with("/model/type", "Bigram"), "f.json.model.type: expected one of BPE, Unigram", "; got Bigram");
  EXPECT_MESSAGE(with("/normalizer/type", "Fancy"), "f.json.normalizer.type: expected one of Sequence, NFC",
                 "; got Fancy");
  EXPECT_MESSAGE(with("/normalizer", {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}, {{"type", "Nmx"}}}}}),
                 "f.json.normalizer.normalizers[1].type: expected one of ", "; got Nmx");
  EXPECT_MESSAGE(with("/pre_tokenizer/type", "Commas"),
                 "f.json.pre_tokenizer.type: expected one of Sequence, ByteLevel", "; got Commas");
  EXPECT_MESSAGE(with("/post_processor/type", "X"), "f.json.post_processor.type: expected one of TemplateProcessing",
                 "; got X");
  EXPECT_MESSAGE(with("/version", "2.0"), "f.json.version: expected \"1.0\", got \"2.0\"");
  EXPECT_MESSAGE(
      with("/pre_tokenizer", {{"type", "Split"}, {"pattern", {{"Regex", "\\b+"}}}, {"behavior", "Isolated"}}),
      "f.json.pre_tokenizer.pattern: pattern construct \\b is not covered");
  EXPECT_MESSAGE(with("/pre_tokenizer", {{"type", "Split"}, {"pattern", {{"String", "a"}}}, {"behavior", "Sideways"}}),
                 "f.json.pre_tokenizer.behavior: expected Removed, Isolated", "got \"Sideways\"");
}

TEST(tokenizer, wrong_types_are_named) {
  EXPECT_MESSAGE(from(document::array()), "f.json: expected an object, got an array of 0");
  EXPECT_MESSAGE(from(document::object()), "f.json: model: missing");
  EXPECT_MESSAGE(with("/model", 3), "f.json.model: expected an object, got 3");
  EXPECT_MESSAGE(with("/model/vocab", document::array({1})),
                 "f.json.model.vocab: expected an object of token: id, got an array of 1");
  EXPECT_MESSAGE(with("/model/vocab", document::object()), "f.json.model.vocab: expected at least one token");
  EXPECT_MESSAGE(with("/model/merges", 1), "f.json.model.merges: expected an array, got 1");
  EXPECT_MESSAGE(with("/model/merges", document::array({"a b", document::array({"a", "b"})})),
                 "f.json.model.merges[1]: expected a string");
  EXPECT_MESSAGE(with("/model/merges", document::array({document::array({"a", 1})})),
                 "f.json.model.merges[0][1]: expected a string, got 1");
  EXPECT_MESSAGE(with("/model/merges", document::array({document::array({"a"})})),
                 "f.json.model.merges[0]: expected an array of two tokens");
  EXPECT_MESSAGE(with("/model/merges", {"a b c"}), "f.json.model.merges[0]: expected two tokens and one blank",
                 "got \"a b c\"");
  EXPECT_MESSAGE(with("/model/merges", {"a x"}), "f.json.model.merges[0]: expected tokens of the vocabulary, got x");
  EXPECT_MESSAGE(with("/model/merges", {"b a"}), "f.json.model.merges[0]: expected tokens of the vocabulary, got ba");
  EXPECT_MESSAGE(with("/model/dropout", 0.1), "f.json.model.dropout: expected null or 0, got 0.1");
  EXPECT_MESSAGE(with("/model/byte_fallback", "yes"),
                 "f.json.model.byte_fallback: expected true or false, got \"yes\"");
  EXPECT_MESSAGE(with("/normalizer", "NFC"), "f.json.normalizer: expected an object with a type, got \"NFC\"");
  EXPECT_MESSAGE(with("/normalizer", {{"type", 4}}), "f.json.normalizer.type: expected a string, got 4");
  EXPECT_MESSAGE(with("/added_tokens", {{"a", 1}}), "f.json.added_tokens: expected an array, got an object");
  EXPECT_MESSAGE(with("/added_tokens/0/content", 1), "f.json.added_tokens[0].content: expected a string, got 1");
  EXPECT_MESSAGE(with("/added_tokens/0", nullptr), "f.json.added_tokens[0]: expected an object, got null");
  EXPECT_MESSAGE(with("/added_tokens/0/lstrip", 1), "f.json.added_tokens[0].lstrip: expected true or false, got 1");
  EXPECT_MESSAGE(with("/post_processor/single", "A"), "f.json.post_processor.single: expected an array, got \"A\"");
  EXPECT_MESSAGE(with("/post_processor/single", document::array()),
                 "f.json.post_processor.single: expected a template with a Sequence");
  EXPECT_MESSAGE(with("/post_processor/special_tokens", document::object()),
                 "f.json.post_processor.special_tokens: <s>: missing");
  EXPECT_MESSAGE(with("/post_processor", {{"type", "BertProcessing"}, {"cls", {"x"}}, {"sep", {"x", 1}}}),
                 "f.json.post_processor.cls: expected an array of at least 2, got an array of 1");
}

TEST(tokenizer, ids_out_of_range_are_named) {
  for (const document& id : {document(-1), document(1ll << 28), document(1ull << 63), document(1e300), document("0"),
                             document(nullptr), document(1.5), document(true)}) {
    EXPECT_MESSAGE(with("/model/vocab/a", id), "f.json.model.vocab.a: expected a token id (0 to 268435455), got ");
    if (!id.is_null()) EXPECT_MESSAGE(with("/added_tokens/0/id", id), "f.json.added_tokens[0].id: expected a token id");
    EXPECT_MESSAGE(with("/post_processor/special_tokens/<s>/ids/0", id),
                   "f.json.post_processor.special_tokens.<s>.ids[0]: expected a token id");
  }
  EXPECT_MESSAGE(with("/post_processor/special_tokens/<s>/ids/0", 4),
                 "f.json.post_processor: expected ids of the vocabulary (at most 3), got 4");
  EXPECT_EQ(with("/model/vocab/b", 0).encode("bb", false), (list{2})); // two tokens of one id merge alike
  EXPECT_EQ(with("/model/vocab/b", (1 << 28) - 1).vocab_size(), 1 << 28);
}

// Nesting is bounded where it recurses: in the JSON text, and in Sequence components.
TEST(tokenizer, deep_nesting_is_refused) {
  const temporary_folder folder;
  const auto load = [&](const std::string& text) {
    folder.write("tokenizer.json", text);
    tokenizer::load(folder.path());
  };
  for (const char* open : {"[", "{\"model\":", "[{\"a\":"}) {
    std::string text;
    for (int i = 0; i < 300000; ++i) text += open;
    EXPECT_MESSAGE(load(text), "tokenizer.json: expected JSON nested at most 64 deep, got more");
  }
  for (const char* kind : {"normalizer", "pre_tokenizer", "post_processor"}) {
    document component{{"type", "Sequence"}};
    const std::string inside = kind[0] == 'n' ? "normalizers" : kind[1] == 'r' ? "pretokenizers" : "processors";
    component[inside] = document::array();
    for (int i = 0; i < 20; ++i) component = {{"type", "Sequence"}, {inside, document::array({component})}};
    document j = small();
    j[kind] = component;
    EXPECT_MESSAGE(from(j), "expected Sequence nested at most 16 deep, got more");
  }
}

// Every prefix of a good file, and every single byte of it changed: an llmap::error or a tokenizer that encodes.
TEST(tokenizer, damaged_files_never_crash) {
  const std::string good = small().dump();
  const auto attempt = [&](const std::string& text) {
    try {
      (void)tokenizer::from_json(parse_json(text, "f.json"), "f.json").encode("ab a<s>");
    } catch (const error&) {
      return false;
    }
    return true;
  };
  EXPECT_TRUE(attempt(good));
  for (std::size_t i = 0; i < good.size(); ++i) EXPECT_FALSE(attempt(good.substr(0, i))) << i;
  for (std::size_t i = 0; i < good.size(); ++i)
    for (const char c : {'\0', '"', '\\', '{', '}', '[', ']', ',', '9', '-', '\xff', 'x'}) {
      std::string text = good;
      text[i] = c;
      attempt(text);
    }
}

// Every value of the tree, one after the other, replaced by something of another type.
TEST(tokenizer, misplaced_values_never_crash) {
  for (const char* name : {"llama2", "gpt2", "qwen2"}) {
    document j = golden::read_json(golden::tokenizer_folder() / name / "tokenizer.json");
    j["model"]["merges"].erase(j["model"]["merges"].begin() + 3, j["model"]["merges"].end());
    const document flat = j.flatten();
    std::size_t number = 0;
    for (const auto& [pointer, value] : flat.items()) {
      if (pointer.starts_with("/model/vocab") && ++number % 100 != 0) continue;
      for (const document& other :
           {document(nullptr), document(-1), document(1e30), document("\xed\x9f\xbf<s>"), document::array(),
            document::object(), document(true), document(document::array({document::array({1})}))}) {
        for (document::json_pointer at(pointer); !at.empty(); at = at.parent_pointer()) {
          document changed = j;
          changed[at] = other;
          try {
            (void)tokenizer::from_json(golden::own(changed), "f.json").encode("ab <s> \xe2\x96\x81 12");
          } catch (const error&) {
          }
        }
      }
    }
  }
}

TEST(tokenizer, folders_and_files_that_are_none) {
  const temporary_folder folder;
  const auto load = [&] { tokenizer::load(folder.path()); };
  EXPECT_MESSAGE(tokenizer::load(folder.path() / "none"), "none: expected a model folder");
  EXPECT_MESSAGE(load(), "expected tokenizer.json, or vocab.json and merges.txt, tekken.json, tokenizer.model or "
                         "rwkv_vocab.txt, got none");
  folder.write("tokenizer.json", "");
  EXPECT_MESSAGE(load(), "tokenizer.json: not valid JSON: ");
  folder.write("tokenizer.json", "{\"model\":\"\xc3(\"}");
  EXPECT_MESSAGE(load(), "tokenizer.json: expected UTF-8, got an invalid sequence at byte 10");
  folder.write("tokenizer.json", "[]");
  EXPECT_MESSAGE(load(), "tokenizer.json: expected an object, got an array of 0");
  folder.write("tokenizer.json", "{\"model\":{\"vocab\":{\"\\ud800\":1}}}");
  EXPECT_MESSAGE(load(), "tokenizer.json: not valid JSON: ", "surrogate");
  std::filesystem::remove(folder.path() / "tokenizer.json");
  std::filesystem::create_directory(folder.path() / "tokenizer.json");
  EXPECT_MESSAGE(load(), "tokenizer.json: expected a file, got a directory");
  std::filesystem::remove(folder.path() / "tokenizer.json");
  std::filesystem::create_symlink("nowhere", folder.path() / "tokenizer.json");
  EXPECT_MESSAGE(load(), "tokenizer.json: no such file");
  std::filesystem::remove(folder.path() / "tokenizer.json");
  folder.write("tokenizer.json", small().dump());
  folder.write("tokenizer_config.json", R"({"tokenizer_class":"T5Tokenizer"})");
  EXPECT_MESSAGE(load(), "tokenizer_config.json.tokenizer_class: expected a known tokenizer class",
                 "got \"T5Tokenizer\"");
  folder.write("tokenizer_config.json", R"({"tokenizer_class":"LlamaTokenizer","bos_token":null})");
  EXPECT_MESSAGE(load(), "tokenizer_config.json.add_bos_token: true, but there is no such token");
  folder.write("tokenizer_config.json", R"({"added_tokens_decoder":{"x":{"content":"y"}}})");
  EXPECT_MESSAGE(load(), "tokenizer_config.json.added_tokens_decoder.x: expected a token id as the key");
}

TEST(tokenizer, huge_files_are_refused_unread) {
  for (const char* name : {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
                           "config.json", "vocab.json", "merges.txt"}) {
    const temporary_folder folder;
    const std::string_view file = name;
    const bool from_vocabulary = file == "vocab.json" || file == "merges.txt";
    folder.write(from_vocabulary ? "vocab.json" : "tokenizer.json", from_vocabulary ? "{}" : small().dump());
    if (from_vocabulary) folder.write("merges.txt", "");
    folder.write(name, "");
    std::filesystem::resize_file(folder.path() / name, large_file_bytes + 1);
    const std::string expected = std::string(name) + ": expected at most ";
    EXPECT_MESSAGE(tokenizer::load(folder.path()), expected.c_str(), " bytes, got 1073741825");
  }
}

// As every reader of a model folder does: transformers' files may hold NaN, and none a byte order mark.
TEST(tokenizer, files_that_python_writes_may_hold_nan) {
  const temporary_folder folder;
  folder.write("tokenizer.json", small().dump());
  for (const char* name : {"config.json", "tokenizer_config.json", "special_tokens_map.json"}) {
    folder.write(name, R"({"best_loss": NaN, "limits": [0.0, Infinity, -Infinity]})");
    EXPECT_EQ(tokenizer::load(folder.path()).encode("ab", false), (list{2})) << name;
    folder.write(name, "\xef\xbb\xbf{}");
    EXPECT_MESSAGE(tokenizer::load(folder.path()), name, ": expected JSON, got a byte order mark");
    std::filesystem::remove(folder.path() / name);
  }
}

TEST(tokenizer, invalid_text_is_refused) {
  EXPECT_MESSAGE(from(small()).encode("ab\xff"), "tokenizer: expected UTF-8, got an invalid sequence at byte 2");
}

TEST(tokenizer, replacements_that_explode_are_refused) {
  const document grow{{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", std::string(2000, 'a')}};
  const tokenizer t = with("/normalizer", {{"type", "Sequence"}, {"normalizers", document::array({grow, grow, grow})}});
  EXPECT_MESSAGE(t.encode("a"), "the normalized text grows beyond 1 GiB");
}

// 16 threads on one tokenizer give what one thread gives.
TEST(tokenizer, threads_agree) {
  const document texts = golden::read_json(golden::tokenizer_folder() / "texts.json");
  for (const char* name : {"llama2", "gpt2", "qwen2", "opt"}) {
    const tokenizer t = tokenizer::load(golden::tokenizer_folder() / name);
    std::vector<list> expected;
    for (const document& text : texts) expected.push_back(t.encode(text.at("text").get<std::string>()));
    std::vector<int> wrong(16, 0);
    std::vector<std::thread> threads;
    for (std::size_t k = 0; k < wrong.size(); ++k)
      threads.emplace_back([&, k] {
        for (std::size_t i = 0; i < texts.size(); ++i) {
          const std::size_t which = (i * 7 + k * 13) % texts.size();
          wrong[k] += t.encode(texts[which].at("text").get<std::string>()) != expected[which];
        }
      });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, std::vector<int>(16, 0)) << name;
  }
}

// A special token separates: the text before it and the text after it are encoded as if alone. Only where nothing
// depends on being first in the input.
TEST(tokenizer, special_tokens_separate) {
  const document texts = golden::read_json(golden::tokenizer_folder() / "texts.json");
  for (const auto& [name, special] :
       {std::pair{"gpt2", "<|endoftext|>"}, {"qwen2", "<|endoftext|>"}, {"llama2", "</s>"}}) {
    const tokenizer t = tokenizer::load(golden::tokenizer_folder() / name);
    const list middle = t.encode(special, false);
    ASSERT_EQ(middle.size(), 1u);
    for (std::size_t i = 0; i + 1 < texts.size(); ++i) {
      const std::string a = texts[i].at("text"), b = texts[i + 1].at("text");
      list expected = t.encode(a, false), after = t.encode(b, false);
      expected.insert(expected.end(), middle.begin(), middle.end());
      expected.insert(expected.end(), after.begin(), after.end());
      EXPECT_EQ(t.encode(a + special + b, false), expected) << name << " " << i;
    }
  }
}

TEST(tokenizer, copies_and_equal_files_have_equal_canonical_bytes) {
  const auto gpt2 = golden::tokenizer_folder() / "gpt2";
  EXPECT_EQ(tokenizer::load(gpt2).canonical(), tokenizer::load(gpt2).canonical());
  const temporary_folder folder;
  const auto load = [&] { return tokenizer::load(folder.path()).canonical(); };
  folder.write("tokenizer.json", small().dump());
  const std::string plain = load();
  folder.write("tokenizer_config.json", R"({"chat_template":"x"})");
  const std::string chat = load();
  folder.write("tokenizer_config.json", R"({"chat_template":"y"})");
  EXPECT_EQ(load(), chat); // a chat template changes no id
  EXPECT_EQ(plain, chat);
  folder.write("tokenizer_config.json", R"({"add_prefix_space":true})");
  EXPECT_NE(load(), plain);
}

} // namespace
