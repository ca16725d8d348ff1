#include "llmap/core/utf8.hpp"
#include <gtest/gtest.h>

using namespace llmap;

namespace {

// Every code point, written and read back: the boundaries of all four lengths are among them.
TEST(utf8, every_code_point_survives_writing_and_reading) {
  for (char32_t c = 0; c <= 0x10ffff; ++c) {
    if (c >= 0xd800 && c <= 0xdfff) continue;
    std::string s;
    append_utf8(s, c);
    ASSERT_EQ(utf8_sequence(s), s.size()) << std::hex << static_cast<unsigned>(c);
    ASSERT_EQ(code_point_at(s, 0).value, c);
    ASSERT_EQ(code_point_at(s, 0).size, s.size());
    ASSERT_EQ(code_point_before("x" + s, s.size() + 1).value, c);
    ASSERT_FALSE(invalid_utf8(s));
  }
}

TEST(utf8, the_first_bad_byte_is_named) {
  const std::pair<std::string, std::size_t> cases[] = {{"\x80", 0},
                                                       {"ab\xc0\x80", 2}, // lone continuation, overlong NUL
                                                       {"a\xe0\x9f\xbf", 1},
                                                       {"\xed\xa0\x80", 0}, // overlong, surrogate
                                                       {"\xf4\x90\x80\x80", 0},
                                                       {"\xf0\x8f\xbf\xbf", 0}, // above U+10FFFF, overlong
                                                       {"ok\xe4\xb8", 2},
                                                       {"\xc3", 0},
                                                       {"\xf0\x9f\x98", 0}, // cut off
                                                       {"\xc3\xa9\xff", 2},
                                                       {"\xc3(", 0},
                                                       {"\xf8\x88\x80\x80\x80", 0}};
  for (const auto& [text, at] : cases) EXPECT_EQ(invalid_utf8(text), std::optional<std::size_t>(at)) << at;
  EXPECT_FALSE(invalid_utf8(""));
  EXPECT_FALSE(invalid_utf8(std::string("\0a\0", 3)));
}

// Validation goes by words through ASCII: the bad byte may be at any place of a word, or behind the last whole one.
TEST(utf8, a_bad_byte_is_found_anywhere) {
  for (std::size_t size = 1; size < 40; ++size)
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, 'x');
      text[at] = '\x80';
      ASSERT_EQ(invalid_utf8(text), std::optional(at)) << size;
      ASSERT_EQ(ascii_end(text, 0), at);
      ASSERT_EQ(ascii_end(text, at), at);
      ASSERT_EQ(ascii_end(text, at + 1), size);
    }
}

// Any two bytes after any first byte: valid exactly if a decoder written from the definition says so.
TEST(utf8, agrees_with_the_definition_on_all_three_byte_strings) {
  const auto by_definition = [](const unsigned char* s, std::size_t n) -> std::size_t {
    const std::size_t size = s[0] < 0x80 ? 1 : (s[0] >> 5) == 6 ? 2 : (s[0] >> 4) == 14 ? 3 : 0;
    if (size == 0 || size > n) return 0;
    std::uint32_t v = size == 1 ? s[0] : s[0] & (0x7fu >> size);
    for (std::size_t i = 1; i < size; ++i) {
      if ((s[i] >> 6) != 2) return 0;
      v = v << 6 | (s[i] & 0x3fu);
    }
    const std::uint32_t least[] = {0, 0, 0x80, 0x800};
    return v < least[size] || (v >= 0xd800 && v <= 0xdfff) ? 0 : size;
  };
  for (unsigned a = 0; a < 0xf0; ++a)
    for (unsigned b = 0; b < 256; ++b)
      for (unsigned c = 0; c < 256; ++c) {
        const unsigned char s[] = {static_cast<unsigned char>(a), static_cast<unsigned char>(b),
                                   static_cast<unsigned char>(c)};
        ASSERT_EQ(utf8_sequence({reinterpret_cast<const char*>(s), 3}), by_definition(s, 3))
            << a << " " << b << " " << c;
      }
}

TEST(utf8, white_space_has_25_code_points) {
  int count = 0;
  for (char32_t c = 0; c <= 0x10ffff; ++c) count += is_white_space(c);
  EXPECT_EQ(count, 25);
  EXPECT_FALSE(is_white_space(0x180e));
  EXPECT_FALSE(is_white_space(0x200b));
}

} // namespace
