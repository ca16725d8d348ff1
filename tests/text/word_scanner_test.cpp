// The scanner gives the pieces of the expressions it stands for, as PCRE2 finds them.
#include "llmap/core/random.hpp"
#include "llmap/text/regex.hpp"
#include "llmap/text/word_scanner.hpp"
#include <gtest/gtest.h>
#include <map>
#include <vector>

namespace {

using namespace llmap;
using pieces = std::vector<std::pair<std::size_t, std::size_t>>;

constexpr std::string_view known[] = {
    gpt2_pattern,  qwen2_pattern, qwen2_possessive_pattern, llama3_pattern, llama3_possessive_pattern, qwen3_5_pattern,
    gpt4o_pattern, tekken_pattern};

pieces scanned(std::string_view pattern, std::string_view text) {
  pieces out;
  word_scanner::of(pattern)->each_match(text,
                                        [&](std::size_t begin, std::size_t end) { out.emplace_back(begin, end); });
  return out;
}
pieces matched(const regex& r, std::string_view text) {
  pieces out;
  r.each_match(text, regex::scratch(r), [&](std::size_t begin, std::size_t end) { out.emplace_back(begin, end); });
  return out;
}

/// All code points by class, as PCRE2 has it. Those that utf8proc, which may be of another Unicode version, puts
/// elsewhere are left out.
std::map<character_class::mask, std::vector<std::string>> characters_by_class(std::size_t& different) {
  using namespace character_class;
  const std::pair<mask, const char*> classes[] = {
      {upper, "[\\p{Lu}\\p{Lt}]"}, {lower, "\\p{Ll}"}, {uncased, "[\\p{Lm}\\p{Lo}]"}, {mark, "\\p{M}"},
      {number, "\\p{N}"},          {blank, "\\s"},     {newline, "[\\r\\n]"},         {slash, "/"}};
  std::string all;
  for (char32_t c = 0; c < 0x110000; ++c)
    if (c < 0xd800 || c > 0xdfff) append_utf8(all, c);
  std::vector<mask> found(all.size(), 0);
  for (const auto& [kind, expression] : classes) // newlines are blanks first, then newlines
    for (const auto& [begin, end] : matched(regex(expression, "class"), all)) found[begin] = kind;
  std::map<mask, std::vector<std::string>> out;
  for (std::size_t i = 0; i < all.size();) {
    const auto [c, size] = code_point_at(all, i);
    if (classify(c) == found[i]) out[found[i]].push_back(all.substr(i, size));
    else ++different;
    i += size;
  }
  return out;
}

TEST(word_scanner, knows_its_expressions_only) {
  for (const std::string_view pattern : known) EXPECT_TRUE(word_scanner::of(pattern)) << pattern;
  EXPECT_FALSE(word_scanner::of(""));
  EXPECT_FALSE(word_scanner::of(bloom_pattern));
  EXPECT_FALSE(word_scanner::of(std::string(gpt2_pattern) + " "));
}

TEST(word_scanner, gives_the_known_pieces_of_a_sentence) {
  const auto cut = [](std::string_view pattern, const std::string& text) {
    std::string out;
    for (const auto& [begin, end] : scanned(pattern, text)) out += text.substr(begin, end - begin) + "|";
    return out;
  };
  const std::string text = "It's  5000 (km)\n\n  I'LL\tGo";
  EXPECT_EQ(cut(gpt2_pattern, text), "It|'s| | 5000| (|km|)|\n\n | I|'|LL|\t|Go|");
  EXPECT_EQ(cut(qwen2_pattern, text), "It|'s| | |5|0|0|0| (|km|)\n\n| | I|'LL|\tGo|");
  EXPECT_EQ(cut(llama3_pattern, text), "It|'s| | |500|0| (|km|)\n\n| | I|'LL|\tGo|");
  EXPECT_EQ(cut(tekken_pattern, "aB camelCase ABc a/\n"), "a|B| camel|Case| ABc| a|/\n|");
  EXPECT_EQ(cut(gpt4o_pattern, "it's X'S"), "it's| X'S|");
}

TEST(word_scanner, equals_the_expression_on_random_texts) {
  std::size_t different = 0;
  const auto by_class = characters_by_class(different);
  EXPECT_EQ(by_class.size(), 9u); // eight, and all others
  EXPECT_LT(different, 10000u);   // what a Unicode version adds
  std::vector<const std::vector<std::string>*> classes;
  for (const auto& [kind, members] : by_class) classes.push_back(&members);
  const std::vector<std::string> often{
      " ",       " ", " ", "\n", "\r", "\t", "'", "'s",     "'T",     "'ll",    "'Ve",    "'re",    "'M", "'d",
      "'\u017f", "a", "B", "5",  "/",  ".",  "e", "\u0301", "\u4e2d", "\u00a0", "\u01c5", "\u02b0", "'L", "'r"};
  std::vector<regex> expressions;
  for (const std::string_view pattern : known) expressions.emplace_back(pattern, "known");
  for (std::uint64_t round = 0; round < 20000; ++round) {
    std::string text;
    const auto draw = [&](std::uint64_t i, std::size_t below) { return counter_random{round}.below(0, i, below); };
    const std::size_t length = 1 + draw(0, 24);
    for (std::uint64_t i = 1; i <= length; ++i) {
      const auto& pool = draw(3 * i, 2) ? often : *classes[draw(3 * i + 1, classes.size())];
      text += pool[draw(3 * i + 2, pool.size())];
    }
    for (std::size_t k = 0; k < std::size(known); ++k)
      ASSERT_EQ(scanned(known[k], text), matched(expressions[k], text))
          << known[k] << "\ntext: " << testing::PrintToString(text);
  }
}

TEST(word_scanner, equals_the_expression_around_every_character) {
  std::size_t different = 0;
  const auto by_class = characters_by_class(different);
  for (const std::string_view pattern : known) {
    const regex expression(pattern, "known");
    for (const auto& [kind, members] : by_class) {
      std::string text;
      const std::size_t step = members.size() > 200'000 ? 17 : 1; // of the unassigned ones some are enough
      for (std::size_t i = 0; i < members.size(); i += step)
        text += "a" + members[i] + "b " + members[i] + members[i] + " \n";
      ASSERT_EQ(scanned(pattern, text), matched(expression, text)) << pattern << ", class " << int(kind);
    }
  }
}

} // namespace
