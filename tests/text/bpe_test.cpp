#include "llmap/core/random.hpp"
#include "llmap/text/bpe.hpp"
#include "support/message_of.hpp"
#include "support/own_json.hpp"
#include <map>

using namespace llmap;
using document = nlohmann::json;

namespace {

std::vector<std::int32_t> ids(const bpe& model, std::string_view piece) {
  std::vector<std::int32_t> out;
  model.encode(piece, out);
  return out;
}
bpe make(const document& j) { return bpe(component(golden::own(j), "f")); }
using list = std::vector<std::int32_t>;

// The lowest rank first, then the leftmost, one occurrence at a time: with aa+a before a+a, aaaa is aaa a.
TEST(bpe, merges_one_occurrence_at_a_time) {
  const bpe model = make({{"vocab", {{"a", 0}, {"aa", 1}, {"aaa", 2}}}, {"merges", {"aa a", "a a"}}});
  EXPECT_EQ(ids(model, "aaaa"), (list{2, 0}));
  EXPECT_EQ(ids(model, ""), list{});
}

TEST(bpe, unknown_characters) {
  document j{{"vocab", {{"a", 0}, {"b", 1}, {"ab", 2}, {"<unk>", 3}, {"<0xC3>", 4}, {"<0xA9>", 5}}},
             {"merges", {"a b"}}};
  EXPECT_EQ(ids(make(j), "axb"), (list{2})); // no unknown token: x disappears
  j["unk_token"] = "<unk>";
  EXPECT_EQ(ids(make(j), "axxb"), (list{0, 3, 3, 1}));
  j["fuse_unk"] = true;
  EXPECT_EQ(ids(make(j), "axxb"), (list{0, 3, 1}));
  j["byte_fallback"] = true;
  EXPECT_EQ(ids(make(j), "a\xc3\xa9"), (list{0, 4, 5}));
  EXPECT_EQ(ids(make(j), "\xc3\xaa"), (list{3})); // not all of its bytes are there
  j["unk_token"] = "<none>";
  EXPECT_EQ(ids(make(j), "ab"), (list{2}));
  EXPECT_MESSAGE(ids(make(j), "x"), "unk_token <none> is needed, but is not in the vocabulary");
}

TEST(bpe, whole_pieces_prefixes_and_suffixes) {
  EXPECT_EQ(
      ids(make({{"vocab", {{"a", 0}, {"b", 1}, {"ab", 2}}}, {"merges", document::array()}, {"ignore_merges", true}}),
          "ab"),
      (list{2}));
  EXPECT_EQ(ids(make({{"vocab", {{"a", 0}, {"##b", 1}, {"ab", 2}}},
                      {"merges", {"a ##b"}},
                      {"continuing_subword_prefix", "##"}}),
                "ab"),
            (list{2}));
  EXPECT_EQ(ids(make({{"vocab", {{"a", 0}, {"b</w>", 1}, {"ab</w>", 2}}},
                      {"merges", {"a b</w>"}},
                      {"end_of_word_suffix", "</w>"}}),
                "ab"),
            (list{2}));
}

/// The definition: look at all pairs, merge the best one, again.
list by_definition(const std::map<std::pair<int, int>, std::pair<int, int>>& rules, list symbols) {
  while (true) {
    const std::pair<int, int>* best = nullptr;
    std::size_t at = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto it = rules.find({symbols[i], symbols[i + 1]});
      if (it != rules.end() && (!best || it->second.first < best->first)) best = &it->second, at = i;
    }
    if (!best) return symbols;
    symbols[at] = best->second;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
}

// Random vocabularies over a, b, c; lengths around the border of scan and heap and far beyond. Asked twice, so that
// the second answer for short pieces comes from the cache.
TEST(bpe, scan_heap_and_cache_agree_with_the_definition) {
  const counter_random random{11};
  for (std::uint64_t trial = 0; trial < 60; ++trial) {
    std::vector<std::string> tokens{"a", "b", "c"};
    std::map<std::string, int> id{{"a", 0}, {"b", 1}, {"c", 2}};
    std::map<std::pair<int, int>, std::pair<int, int>> rules;
    document j{{"vocab", document::object()}, {"merges", document::array()}};
    for (std::uint64_t k = 0; k < 40; ++k) {
      const auto l = static_cast<int>(random.below(trial, 2 * k, tokens.size())),
                 r = static_cast<int>(random.below(trial, 2 * k + 1, tokens.size()));
      const std::string joined = tokens[static_cast<std::size_t>(l)] + tokens[static_cast<std::size_t>(r)];
      if (joined.size() > 12 || rules.count({l, r})) continue;
      if (id.emplace(joined, static_cast<int>(tokens.size())).second) tokens.push_back(joined);
      rules[{l, r}] = {static_cast<int>(j["merges"].size()), id[joined]};
      j["merges"].push_back({tokens[static_cast<std::size_t>(l)], tokens[static_cast<std::size_t>(r)]});
    }
    for (const auto& [token, number] : id) j["vocab"][token] = number;
    const bpe model = make(j);
    for (const std::size_t length : {1u, 2u, 3u, 7u, 21u, 22u, 23u, 31u, 32u, 33u, 34u, 200u, 1500u}) {
      std::string text;
      list symbols;
      for (std::size_t i = 0; i < length; ++i) {
        symbols.push_back(static_cast<std::int32_t>(random.below(1000 + trial, length * 10000 + i, 3)));
        text += static_cast<char>('a' + symbols.back());
      }
      const list expected = by_definition(rules, symbols);
      ASSERT_EQ(ids(model, text), expected) << length;
      ASSERT_EQ(ids(model, text), expected) << length;
    }
  }
}

// Bytes are encoded as the characters that stand for them, of any length, the second time from the cache.
TEST(bpe, pieces_of_bytes) {
  document j{{"vocab", document::object()}, {"merges", document::array()}};
  for (unsigned b = 0; b < 256; ++b) j["vocab"][byte_characters()[b]] = b;
  const auto join = [&](unsigned a, unsigned b) {
    j["vocab"][byte_characters()[a] + byte_characters()[b]] = j["vocab"].size();
    j["merges"].push_back({byte_characters()[a], byte_characters()[b]});
  };
  for (unsigned k = 0; k < 100; ++k) join(k * 7 % 256, k * 13 % 256);
  const bpe characters = make(j), bytes(component(golden::own(j), "f"), true);
  for (std::uint64_t trial = 0; trial < 3000; ++trial) {
    std::string piece, written;
    for (std::uint64_t i = 0; i < 1 + trial % 40; ++i)
      piece += static_cast<char>(counter_random{trial}.below(0, i, trial % 3 ? 256 : 3));
    append_byte_characters(written, piece);
    const list expected = ids(characters, written);
    ASSERT_EQ(ids(bytes, piece), expected);
    ASSERT_EQ(ids(bytes, piece), expected);
  }
}

// Pieces that differ in two bytes side by side and fall on the same slot, as some do: each gets its own ids.
TEST(piece_cache, tells_pieces_apart) {
  detail::piece_cache& cache = detail::piece_cache::of_this_thread();
  for (std::size_t size = 1; size <= 22; ++size)
    for (std::size_t at = 0; at < size; ++at)
      for (std::uint64_t base = 0; base < 4; ++base) {
        const std::uint32_t owner = detail::next_cache_owner();
        std::string piece(size, ' ');
        for (std::size_t i = 0; i < size; ++i) piece[i] = static_cast<char>(counter_random{base}.below(size, i, 256));
        ASSERT_TRUE(cache.fits(piece));
        for (std::int32_t value = 0; value < (size == 1 ? 256 : size < 8 ? 65536 : 1024); ++value) {
          piece[at] = static_cast<char>(value);
          if (size > 1) piece[(at + 1) % size] = static_cast<char>(value >> 8);
          const list expected(1 + static_cast<std::size_t>(value) % 9, value);
          for (int twice = 0; twice < 2; ++twice) {
            list got;
            cache.encode(owner, piece, got,
                         [&](list& out) { out.insert(out.end(), expected.begin(), expected.end()); });
            ASSERT_EQ(got, expected);
          }
        }
      }
  EXPECT_FALSE(cache.fits(std::string(23, 'x')));
  EXPECT_FALSE(cache.fits(""));
}

// Against a map: tokens that begin, end or are as long as others; the last id of a repeated token counts.
TEST(token_table, finds_what_was_set_and_nothing_else) {
  const auto token = [](std::uint64_t i) {
    std::string t;
    for (std::uint64_t k = 0; k < counter_random{5}.below(0, i, 20); ++k)
      t += static_cast<char>('a' + counter_random{5}.below(i + 1, k, 2));
    return t;
  };
  token_table table(3000);
  std::map<std::string, std::int32_t> expected;
  for (std::uint64_t i = 0; i < 3000; ++i) {
    const auto id = static_cast<std::int32_t>(i);
    table.set(token(i), id);
    expected[token(i)] = id;
  }
  EXPECT_EQ(table.size(), expected.size());
  for (const auto& [text, id] : expected) ASSERT_EQ(table.find(text), std::optional(id)) << text;
  for (std::uint64_t i = 3000; i < 6000; ++i) {
    const auto it = expected.find(token(i));
    ASSERT_EQ(table.find(token(i)), it == expected.end() ? std::nullopt : std::optional(it->second)) << token(i);
  }
  EXPECT_FALSE(token_table().find(""));
}

// The hash takes words one after the other, so a second word can undo what another first word changed.
TEST(token_table, equal_hashes_are_not_equal_tokens) {
  const auto bytes_of = [](std::uint64_t word) { return std::string(reinterpret_cast<const char*>(&word), 8); };
  const auto after_first_word = [&](std::uint64_t word) { // as in a hash of 16 bytes
    return detail::hash_bytes(bytes_of(word ^ 16 * 0x9e3779b97f4a7c15u ^ 8 * 0x9e3779b97f4a7c15u));
  };
  const std::string a = bytes_of(1) + bytes_of(5),
                    b = bytes_of(2) + bytes_of(5 ^ after_first_word(1) ^ after_first_word(2));
  ASSERT_EQ(detail::hash_bytes(a), detail::hash_bytes(b));
  token_table table(2);
  table.set(a, 3);
  EXPECT_FALSE(table.find(b));
  table.set(b, 4);
  EXPECT_EQ(table.find(a), std::optional(3));
  EXPECT_EQ(table.find(b), std::optional(4));
}

// A quadratic merge of a million symbols would take hours.
TEST(bpe, a_piece_of_a_million_characters) {
  const bpe model = make({{"vocab", {{"a", 0}, {"aa", 1}, {"aaaa", 2}}}, {"merges", {"a a", "aa aa"}}});
  EXPECT_EQ(ids(model, std::string(1 << 20, 'a')), list(1 << 18, 2));
}

// Two models on one thread, in turn: neither sees the other's ids.
TEST(bpe, models_do_not_share_cached_ids) {
  const bpe one = make({{"vocab", {{"a", 0}}}, {"merges", document::array()}}),
            two = make({{"vocab", {{"a", 7}}}, {"merges", document::array()}});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ids(one, "a"), (list{0}));
    EXPECT_EQ(ids(two, "a"), (list{7}));
  }
}

TEST(bpe, a_repeated_pair_keeps_its_last_rank) {
  EXPECT_EQ(
      ids(make({{"vocab", {{"a", 0}, {"b", 1}, {"c", 2}, {"ab", 3}, {"bc", 4}}}, {"merges", {"a b", "b c", "a b"}}}),
          "abc"),
      (list{0, 4}));
}

} // namespace
