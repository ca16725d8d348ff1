#include "llmap/core/utf8.hpp"
#include "llmap/text/chunk.hpp"
#include <gtest/gtest.h>
#include <numeric>
#include <string>

using namespace llmap;

namespace {

// 1024 bytes a piece; 300 bytes are left and kept, 256 are left and dropped.
TEST(chunk, cuts_greedily_and_keeps_what_is_longer_than_the_least) {
  const auto sizes = [](std::size_t n) {
    std::vector<std::size_t> out;
    const std::string text(n, 'a');
    for (const auto piece : chunk(text)) out.push_back(piece.size());
    return out;
  };
  using list = std::vector<std::size_t>;
  EXPECT_EQ(sizes(0), list{});
  EXPECT_EQ(sizes(256), list{});
  EXPECT_EQ(sizes(257), list{257});
  EXPECT_EQ(sizes(1024), list{1024});
  EXPECT_EQ(sizes(1025), list{1024});
  EXPECT_EQ(sizes(2348), (list{1024, 1024, 300}));
  EXPECT_EQ(sizes(2304), (list{1024, 1024}));
}

// 1023 letters and a three-byte character: the character begins the next piece.
TEST(chunk, never_cuts_a_character) {
  const std::string text = std::string(1023, 'a') + "\xe4\xb8\xad" + std::string(400, 'b');
  const auto pieces = chunk(text);
  ASSERT_EQ(pieces.size(), 2u);
  EXPECT_EQ(pieces[0].size(), 1023u);
  EXPECT_EQ(pieces[1].substr(0, 3), "\xe4\xb8\xad");
}

// With nothing dropped, the pieces in order are the document, each valid and as long as it can be.
TEST(chunk, pieces_join_to_the_document) {
  std::string text;
  for (char32_t c = 1; text.size() < 20000; c = c * 5 % 0xd7ff + 1) append_utf8(text, c % 3 ? c : c + 0x10000);
  for (const std::size_t most : {4u, 5u, 6u, 7u, 64u, 1024u, 19999u, 40000u}) {
    const auto pieces = chunk(text, {most, 0});
    std::string joined;
    for (const auto piece : pieces) {
      EXPECT_LE(piece.size(), most);
      EXPECT_FALSE(invalid_utf8(piece));
      joined += piece;
      if (joined.size() < text.size()) {
        EXPECT_GT(piece.size() + code_point_at(text, joined.size()).size, most);
      }
    }
    EXPECT_EQ(joined, text);
  }
}

TEST(chunk, a_piece_that_holds_no_character_is_a_contract_violation) {
  EXPECT_THROW(chunk("abc", {3, 0}), contract_error);
}

} // namespace
