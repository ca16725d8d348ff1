// Oniguruma patterns run by PCRE2: what is rewritten means the same, what could mean something else is refused.
#include "llmap/text/byte_level.hpp"
#include "llmap/text/patterns.hpp"
#include "llmap/text/regex.hpp"
#include "support/message_of.hpp"
#include <vector>

using namespace llmap;

namespace {

std::vector<std::string> matches(const std::string& pattern, const std::string& text) {
  std::vector<std::string> out;
  const regex r(pattern, "p");
  r.each_match(text, regex::scratch(r),
               [&](std::size_t begin, std::size_t end) { out.push_back(text.substr(begin, end - begin)); });
  return out;
}
using list = std::vector<std::string>;

TEST(regex, white_space_is_the_unicode_property) {
  EXPECT_EQ(matches("\\s", "a\xe1\xa0\x8e"
                           "b\xc2\xa0\xe3\x80\x80"),
            (list{"\xc2\xa0", "\xe3\x80\x80"})); // not U+180E
  EXPECT_EQ(matches("[^\\s]+", "ab \xc2\x85 c"), (list{"ab", "c"}));
  EXPECT_EQ(matches("\\S+", "ab\tc"), (list{"ab", "c"}));
}

TEST(regex, an_interval_before_plus_is_repeated_and_before_question_optional) {
  EXPECT_EQ(matches("\\p{N}{1,3}+", "12345 6"), (list{"12345", "6"}));
  EXPECT_EQ(matches("(?:ab){2}+c", "ababababc"), (list{"ababababc"}));
  EXPECT_EQ(matches("[a-c]{2}?x", "abx x"), (list{"abx", "x"}));
  EXPECT_EQ(matches("\xc3\xa9{2}+", "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"), (list{"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"}));
  EXPECT_EQ(matches("a{,2}b", "aab b"), (list{"aab", "b"}));
}

TEST(regex, possessive_quantifiers_do_not_give_back) {
  EXPECT_EQ(matches("[^\\r\\n\\p{L}]?+\\p{L}+", " ab"), (list{" ab"}));
  EXPECT_EQ(matches("a++a|b", "aaab"), (list{"b"}));
}

// The outer class leaves out ( | ) and white space, the inner one adds . and , to them.
TEST(regex, a_nested_class_is_a_union) {
  EXPECT_EQ(matches(" ?[^(\\s|[.,])]+", "ab, (c) d"), (list{"ab", "c", " d"}));
  EXPECT_EQ(matches("[a[bc]]+", "xabcx["), (list{"abc"}));
}

TEST(regex, unicode_escapes_and_case) {
  EXPECT_EQ(matches("[\\u4e00-\\u9fff]+", "a\xe4\xb8\xad\xe6\x96\x87z"), (list{"\xe4\xb8\xad\xe6\x96\x87"}));
  EXPECT_EQ(matches("(?i:'s)", "'S 's '\xc5\xbf"), (list{"'S", "'s", "'\xc5\xbf"}));
}

// A search goes on at the end of the last match; an empty match right there is skipped by one character.
TEST(regex, empty_matches) {
  EXPECT_EQ(matches("(?=b)", "abab"), (list{"", ""}));
  EXPECT_EQ(matches("a*", "aab"), (list{"aa", ""}));
  EXPECT_EQ(matches("x*", "\xc3\xa9"), (list{"", ""}));
}

TEST(regex, what_means_something_else_is_refused_by_name) {
  for (const char* construct :
       {"\\W",      "\\b",        "\\H",      "\\v",     "\\1",     "\\G",       "\\K",       "\\Q",
        "\\pL",     "\\p{Greek}", "\\p{Lul}", "\\p{L&}", "[^a&&b]", "[a&&b&&c]", "[[a&&b]c]", "[[:alpha:]]",
        "[a[^b]]",  "[\\S]",      "(?m)",     "(?s:.)",  "(*UTF)",  "(?1)",      "(?R)",      "(?<n>a)",
        "(?P<n>a)", "(?#c)",      "(?|a)",    "\\u12",   "\\xg"})
    EXPECT_MESSAGE(regex(construct, "file.pattern"), "file.pattern: pattern construct ", "is not covered");
  for (const char* broken : {"(a", "a)", "[a", "a\\", "*a", "[b-a]", "(?i", "a{3,1}"})
    EXPECT_MESSAGE(regex(broken, "file.pattern"), "file.pattern: pattern ");
  std::string deep(100000, '[');
  EXPECT_MESSAGE(regex(deep, "file.pattern"), "class nested deeper than 16");
  EXPECT_MESSAGE(regex(std::string(100000, '(') + std::string(100000, ')'), "file.pattern"),
                 "file.pattern: pattern does not compile");
}

// Categories have the characters of Unicode 16, whatever the library knows; \w and \h are Oniguruma's.
TEST(regex, classes_do_not_depend_on_the_library) {
  const std::string letter = "\xf0\x90\x97\x80",
                    number = "\xf0\x91\xbd\x90"; // U+105C0 and U+11F50, of Unicode 16 and 15
  EXPECT_EQ(matches("\\p{L}+", "a" + letter + "1"), (list{"a" + letter}));
  EXPECT_EQ(matches("[^\\p{L}]+", letter + "1"), (list{"1"}));
  EXPECT_EQ(matches("\\P{L}+", letter + "1"), (list{"1"}));
  EXPECT_EQ(matches("\\p{Lo}", letter), (list{letter}));
  EXPECT_EQ(matches("\\p{Lu}", letter), (list{}));
  EXPECT_EQ(matches("\\d+|\\p{N}+", "1" + number), (list{"1" + number}));
  EXPECT_EQ(matches("[\\w]+", "a_1\xc2\xb2-" + letter), (list{"a_1\xc2\xb2", letter}));
  EXPECT_EQ(matches("\\h+", "xAf09g"), (list{"Af09"}));
  EXPECT_EQ(matches("\\p{Han}+", "a\xe4\xb8\xad\xf0\xb1\x8d\x90z"), (list{"\xe4\xb8\xad\xf0\xb1\x8d\x90"})); // U+31350
}
TEST(regex, an_intersection_is_both) {
  EXPECT_EQ(matches("[a-z&&[^aeiou]]+", "hello"), (list{"h", "ll"}));
  EXPECT_EQ(matches("[a-z&&aeiou]+x?", "zaex"), (list{"aex"}));
}

// The search of a pattern that explodes ends with an error: never with "no match".
TEST(regex, giving_up_is_an_error) {
  EXPECT_MESSAGE(matches("(?:a+)+[bc]", std::string(2000, 'a')), "p: matching failed: ", "limit");
}

TEST(regex, long_runs_are_linear_enough) {
  for (const std::string_view pattern :
       {gpt2_pattern, llama3_pattern, qwen2_pattern, bloom_pattern, gpt4o_pattern, tekken_pattern})
    for (const char* unit : {" ", "a", "1", "!", "\n", "\xe4\xb8\xad", "A", "\t "}) {
      std::string text;
      while (text.size() < 300000) text += unit;
      std::size_t covered = 0;
      for (const std::string& m : matches(std::string(pattern), text)) covered += m.size();
      EXPECT_LE(covered, text.size());
    }
}

} // namespace
