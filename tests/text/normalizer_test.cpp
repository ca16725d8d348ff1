// Normal forms of texts are those of utf8proc on the whole text, however the text is cut on the way.
#include "llmap/core/random.hpp"
#include "llmap/text/normalizer.hpp"
#include <gtest/gtest.h>

using namespace llmap;

namespace {

constexpr std::pair<const char*, int> forms[] = {{"NFC", UTF8PROC_COMPOSE},
                                                 {"NFD", UTF8PROC_DECOMPOSE},
                                                 {"NFKC", UTF8PROC_COMPOSE | UTF8PROC_COMPAT},
                                                 {"NFKD", UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT}};

std::string whole(const std::string& text, int form) {
  std::string out;
  detail::append_normal_form(out, text, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | form));
  return out;
}
std::string normalized(const std::string& text, const char* name) {
  const json value = json::object{{"type", name}};
  return normalizer(component(value, "f"))(text);
}

// Every character between others with which it could compose or change places: a letter, a Hangul syllable, an accent.
TEST(normalizer, every_character_between_others) {
  for (const auto& [name, form] : forms) {
    std::string text;
    for (char32_t c = 1; c < 0x110000; ++c) {
      if ((c >= 0xd800 && c <= 0xdfff) || detail::is_newer_mark(c) || unicode::holds(unicode::kept, c)) continue;
      const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
      if (category == UTF8PROC_CATEGORY_CN || category == UTF8PROC_CATEGORY_CO) continue;
      for (const char* before : {"a", "\uac00", "\u0301"}) {
        text += before;
        append_utf8(text, c);
        text += "\u0301\u0323\u00e9";
      }
    }
    ASSERT_TRUE(normalized(text, name) == whole(text, form)) << name;
  }
}

TEST(normalizer, random_texts) {
  const std::vector<std::string> often{"a",      "e",      " ",      "\u00e9", "\u0301", "\u0323", "\u00df",
                                       "\uac00", "\u11a8", "\u1100", "\u1161", "\u0430", "\u0306", "\u304b",
                                       "\u3099", "\u4e2d", "\uff21", "\u2126", "\u0958", "\ufb01", "\U0001f600"};
  for (std::uint64_t trial = 0; trial < 20000; ++trial) {
    const auto draw = [&](std::uint64_t i, std::size_t below) { return counter_random{trial}.below(0, i, below); };
    std::string text;
    for (std::uint64_t i = 1; i <= draw(0, 12); ++i) text += often[draw(i, often.size())];
    for (const auto& [name, form] : forms)
      ASSERT_EQ(normalized(text, name), whole(text, form)) << name << " " << testing::PrintToString(text);
  }
}

} // namespace
