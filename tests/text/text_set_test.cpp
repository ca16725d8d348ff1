#include "llmap/text/chunk.hpp"
#include "llmap/text/text_set.hpp"
#include "support/golden.hpp"

using namespace llmap;

TEST(text_set, reads_what_is_there) {
  golden::scratch dir;
  const auto set = load_text_set(dir.write("t.jsonl", "{\"id\":\"a\",\"text\":\" x\\n\"}\n\n{\"id\":\"b\",\"text\":\"\",\"domain\":\"d\",\"document\":\"q\"}\r\n"));
  ASSERT_EQ(set.items.size(), 2u);
  EXPECT_EQ(set.items[0].text, " x\n");
  EXPECT_EQ(set.items[1].domain, "d");
  EXPECT_EQ(set.items[1].document, "q");
  EXPECT_EQ(load_text_set(golden::zoo() / "texts.jsonl").items.size(), 600u);
}
TEST(text_set, names_file_and_line) {
  golden::scratch dir;
  const std::string ok = "{\"id\":\"a\",\"text\":\"x\"}\n";
  const std::pair<std::string, const char*> table[] = {
      {ok + "{", "t.jsonl:2: not valid JSON"}, {ok + "[]", "t.jsonl:2: expected an object"},
      {ok + "{\"id\":\"b\"}", "t.jsonl:2: text: missing"}, {ok + "{\"id\":3,\"text\":\"\"}", "t.jsonl:2: id: expected a string"},
      {ok + ok, "t.jsonl:2: id a: already used in line 1"}, {ok + "{\"id\":\"\",\"text\":\"\"}", "non-empty"},
      {ok + "{\"id\":\"b\",\"text\":\"\xff\"}", "t.jsonl:2: invalid UTF-8 at byte 18"}, {"", "empty file"},
      {ok + "{\"id\":\"b\",\"text\":\"\\ud800\"}", "not valid JSON"}, {ok + "{\"id\":\"b\",\"text\":\"\",\"domain\":4}", "domain: expected a string"}};
  for (const auto& [content, message] : table) {
    const auto path = dir.write("t.jsonl", content);
    EXPECT_MESSAGE(load_text_set(path), message);
  }
  EXPECT_MESSAGE(load_text_set(dir.path), "directory");
  EXPECT_MESSAGE(load_text_set(dir.path / "none"), "cannot open");
}
TEST(chunk, cuts_at_characters_and_keeps_every_byte) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += i % 3 ? "a" : i % 2 ? "é" : "€";
  const auto pieces = chunk(text, {16, 0});
  std::string joined;
  for (const auto piece : pieces) {
    EXPECT_LE(piece.size(), 16u);
    EXPECT_GE(piece.size(), 1u);
    EXPECT_FALSE(invalid_utf8(piece));
    joined += piece;
  }
  EXPECT_EQ(joined, text);
  EXPECT_EQ(chunk(std::string(1024 + 256, 'x')).size(), 1u); // 256 bytes are not more than 256
  EXPECT_EQ(chunk(std::string(1024 + 257, 'x')).size(), 2u);
  EXPECT_TRUE(chunk("").empty());
}
TEST(utf8, what_is_valid) {
  for (const char* good : {"", "a", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"})
    EXPECT_FALSE(invalid_utf8(good)) << good;
  for (const char* bad : {"\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc2", "\xe2\x82"})
    EXPECT_EQ(invalid_utf8(bad), 0u);
}
