// Tokenizers from lists in memory: the ids of the same tokenizer read from its own files.
#include "llmap/text/tokenizer.hpp"
#include "llmap/text/vocabulary_lists.hpp"
#include "support/golden_tokenizers.hpp"
#include "support/message_of.hpp"
#include <cstring>

using namespace llmap;
using document = nlohmann::json;

namespace {

/// The lists of a tokenizer.json with byte-level BPE.
vocabulary_lists lists_of(const std::string& name, const std::string& pre_tokenizer) {
  const document file = golden::read_json(golden::tokenizer_folder() / name / "tokenizer.json");
  vocabulary_lists v;
  v.pre_tokenizer = pre_tokenizer;
  const auto place = [&](const std::string& token, std::size_t id) {
    if (v.tokens.size() <= id) v.tokens.resize(id + 1), v.types.resize(id + 1, token_type::normal);
    v.tokens[id] = token;
  };
  for (const auto& [token, id] : file["model"]["vocab"].items()) place(token, id);
  for (const document& added : file["added_tokens"]) {
    place(added["content"], added["id"]);
    v.types[added["id"].get<std::size_t>()] = added["special"] ? token_type::control : token_type::user_defined;
  }
  for (const document& merge : file["model"]["merges"])
    v.merges.push_back(merge.is_string() ? merge.get<std::string>()
                                         : merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  return v;
}

void expect_golden(const tokenizer& t, const std::filesystem::path& folder) {
  const document expected = golden::read_json(folder / "expected.json"),
                 texts = golden::read_json(golden::tokenizer_folder() / "texts.json");
  ASSERT_GE(expected["samples"].size(), 200u);
  for (const document& sample : expected["samples"]) {
    const document& which = sample["text"];
    const std::string text = which.is_string() ? which : texts.at(which.get<std::size_t>()).at("text");
    EXPECT_TRUE(golden::same_ids(sample["ids"], t.encode(text, false))) << folder << " text " << which.dump();
  }
}

TEST(vocabulary_lists, byte_level_gives_the_golden_ids) {
  for (const auto& [name, pre_tokenizer] : {std::pair{"gpt2", "gpt-2"},
                                            {"qwen2", "qwen2"},
                                            {"smollm2", "smollm"},
                                            {"bloom", "bloom"},
                                            {"llama3", "llama-bpe"},
                                            {"gpt_oss", "gpt-4o"},
                                            {"mistral_tekken", "tekken"},
                                            {"stablelm2", "stablelm2"}})
    expect_golden(tokenizer::from_files(byte_level_files(lists_of(name, pre_tokenizer), name)),
                  golden::tokenizer_folder() / name);
}

/// The pieces of a SentencePiece model file: field 1 of the message, each {1: piece, 2: score, 3: type}.
vocabulary_lists read_pieces(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  vocabulary_lists v;
  const auto varint = [&](std::size_t& at) {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes.at(at++));
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  for (std::size_t at = 0; at < bytes.size();) {
    const std::uint64_t tag = varint(at);
    const std::size_t size = varint(at), end = at + size;
    if (tag == (1 << 3 | 2)) {
      v.tokens.emplace_back(), v.scores.push_back(0), v.types.push_back(token_type::normal);
      while (at < end) {
        const std::uint64_t field = varint(at) >> 3;
        if (field == 1) {
          const std::size_t length = varint(at);
          v.tokens.back() = bytes.substr(at, length), at += length;
        } else if (field == 2) {
          std::memcpy(&v.scores.back(), bytes.data() + at, 4), at += 4;
        } else {
          v.types.back() = static_cast<token_type>(varint(at));
        }
      }
    }
    at = end;
  }
  return v;
}

TEST(vocabulary_lists, sentencepiece_gives_the_golden_ids) {
  const std::filesystem::path folder = std::filesystem::path(LLMAP_SOURCE_DIR) / "tests/golden/sentencepiece";
  for (const char* name : {"spm_bpe_legacy", "spm_gemma"}) {
    vocabulary_lists v = read_pieces(folder / name / "tokenizer.model");
    ASSERT_GT(v.tokens.size(), 300u);
    const auto id_of = [&](const char* token) {
      return static_cast<std::int32_t>(std::find(v.tokens.begin(), v.tokens.end(), token) - v.tokens.begin());
    };
    const bool gemma = std::string(name) == "spm_gemma";
    v.add_space_prefix = !gemma;
    v.bos = id_of(gemma ? "<bos>" : "<s>"), v.eos = id_of(gemma ? "<eos>" : "</s>"), v.unknown = id_of("<unk>");
    v.add_bos = true;
    const tokenizer t = tokenizer::from_files(sentencepiece_files(v, name));
    EXPECT_TRUE(t.adds_bos());
    EXPECT_EQ(t.bos_id(), v.bos);
    EXPECT_EQ(t.eos_id(), v.eos);
    expect_golden(t, folder / name);
  }
}

// Expected: tokenizers 0.22 with the same expressions. Punctuation and groups of three digits stand alone, so that
// neither "a!" nor " !" nor "34" is merged.
TEST(vocabulary_lists, the_default_of_gguf_cuts_punctuation_and_digits) {
  vocabulary_lists v;
  v.tokens = {"1", "2", "3", "4", "5", "a", "!", "\u0120", "12", "34", "45", "\u0120a", "!!", "a!", "\u0120!"};
  v.merges = {"1 2", "3 4", "4 5", "\u0120 a", "! !", "a !", "\u0120 !"};
  v.pre_tokenizer = "default";
  const tokenizer t = tokenizer::from_files(byte_level_files(v, "lists"));
  EXPECT_EQ(t.encode("12345 a!!"), (std::vector<std::int32_t>{8, 2, 10, 11, 12}));
  EXPECT_EQ(t.encode("a! 345"), (std::vector<std::int32_t>{5, 6, 7, 9, 4}));
  EXPECT_EQ(t.encode("a !"), (std::vector<std::int32_t>{5, 7, 6}));
}

TEST(vocabulary_lists, wrong_lists_are_named) {
  vocabulary_lists good;
  good.tokens = {"a", "b", "ab"}, good.merges = {"a b"}, good.pre_tokenizer = "gpt-2", good.scores = {0, -1, -2};
  EXPECT_EQ(tokenizer::from_files(byte_level_files(good, "m.gguf")).encode("ab"), (std::vector<std::int32_t>{2}));
  const auto byte_level = [&](const auto& change) {
    vocabulary_lists v = good;
    change(v);
    tokenizer::from_files(byte_level_files(v, "m.gguf"));
  };
  const auto sentencepiece = [&](const auto& change) {
    vocabulary_lists v = good;
    change(v);
    tokenizer::from_files(sentencepiece_files(v, "m.gguf"));
  };
  EXPECT_MESSAGE(byte_level([](auto& v) { v.tokens.clear(); }), "m.gguf: tokens: expected at least one");
  EXPECT_MESSAGE(byte_level([](auto& v) { v.tokens[2] = "a"; }),
                 "m.gguf: tokens[2]: expected distinct tokens, got the same as tokens[0]");
  EXPECT_MESSAGE(byte_level([](auto& v) { v.tokens[1] = "\xff"; }), "m.gguf: tokens[1]: expected UTF-8");
  EXPECT_MESSAGE(byte_level([](auto& v) { v.merges = {"\xff a"}; }), "m.gguf: merges[0]: expected UTF-8");
  EXPECT_MESSAGE(byte_level([](auto& v) { v.merges = {"a x"}; }),
                 "m.gguf.model.merges[0]: expected tokens of the vocabulary, got x");
  EXPECT_MESSAGE(byte_level([](auto& v) { v.types = {token_type::normal}; }),
                 "m.gguf: token types: expected 3 as many as tokens, got 1");
  EXPECT_MESSAGE(byte_level([](auto& v) { v.types.assign(3, static_cast<token_type>(9)); }),
                 "m.gguf: token types[0]: expected 1 to 6, got 9");
  EXPECT_MESSAGE(byte_level([](auto& v) { v.pre_tokenizer = "fancy"; }), "m.gguf: expected a pre-tokenizer among gpt-2",
                 "got fancy");
  EXPECT_MESSAGE(byte_level([](auto& v) { v.bos = 3; }), "m.gguf: BOS id: expected 0 to 2, got 3");
  EXPECT_MESSAGE(byte_level([](auto& v) { v.eos = -1; }), "m.gguf: EOS id: expected 0 to 2, got -1");
  EXPECT_MESSAGE(byte_level([](auto& v) { v.add_bos = true; }), "m.gguf: expected a BOS id");
  EXPECT_MESSAGE(sentencepiece([](auto& v) { v.scores.pop_back(); }),
                 "m.gguf: scores: expected 3 as many as tokens, got 2");
  EXPECT_MESSAGE(sentencepiece([](auto& v) { v.scores[1] = NAN; }), "m.gguf: scores[1]: expected a number, got NaN");
}

} // namespace
