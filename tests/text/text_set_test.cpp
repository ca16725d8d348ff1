#include "llmap/text/text_set.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"

using namespace llmap;

namespace {

text_set read(const std::string& content) {
  const temporary_folder folder;
  return load_text_set(folder.write("t.jsonl", content));
}

TEST(text_set, texts_are_taken_byte_for_byte) {
  const text_set set = read("{\"id\":\"a\",\"text\":\" \\u0000x\\n\\u00e9\xc3\xa9 \"}\r\n"
                            "{\"document\":\"d\",\"text\":\"\",\"domain\":\"web\",\"id\":\"b\",\"more\":[1]}\n"
                            "{\"id\":\"c\",\"text\":\"\\ud83d\\ude00\",\"domain\":null}");
  ASSERT_EQ(set.items.size(), 3u);
  EXPECT_EQ(set.items[0].text, std::string(" \0x\n\xc3\xa9\xc3\xa9 ", 9));
  EXPECT_EQ(set.items[0].domain, "");
  EXPECT_EQ(set.items[1].id, "b");
  EXPECT_EQ(set.items[1].text, "");
  EXPECT_EQ(set.items[1].domain, "web");
  EXPECT_EQ(set.items[1].document, "d");
  EXPECT_EQ(set.items[2].text, "\xf0\x9f\x98\x80");
  EXPECT_EQ(read("{\"id\":\"a\",\"text\":\"x\"}\n\n \n").items.size(), 1u);
}

TEST(text_set, every_fault_is_named_with_its_line) {
  const std::string good = "{\"id\":\"a\",\"text\":\"x\"}\n";
  EXPECT_MESSAGE(read(good + "{\"id\":\"b\",\"text\":"), "t.jsonl:2: not valid JSON: ");
  EXPECT_MESSAGE(read(good + "{\"id\":\"b\",\"text\":\"x\"} {}"), "t.jsonl:2: not valid JSON: ");
  EXPECT_MESSAGE(read(good + "[1]"), "t.jsonl:2: expected an object with id and text, or a string, got array");
  EXPECT_MESSAGE(read("{\"id\":\"a\"}"), "t.jsonl:1: text: expected a field of this name, got id");
  EXPECT_MESSAGE(read("{\"id\":\"\",\"text\":\"x\"}"), "t.jsonl:1: id: expected at least one character");
  EXPECT_MESSAGE(read("{\"id\":\"a\",\"text\":null}"), "t.jsonl:1: text: expected a string, got null");
  EXPECT_MESSAGE(read("{\"id\":\"a\",\"text\":\"x\",\"domain\":[3]}"),
                 "t.jsonl:1: domain: expected a string or an integer, got array");
  EXPECT_MESSAGE(read("{\"id\":\"a\",\"id\":\"b\",\"text\":\"x\"}"), "t.jsonl:1: JSON key \"id\" appears twice");
  EXPECT_MESSAGE(read(good + "{\"id\":\"b\",\"text\":\"y\"}\n" + good), "t.jsonl:3: id: expected a new one, got a of ");
  EXPECT_MESSAGE(read(good + "{\"id\":\"b\",\"text\":\"\xc3(\"}"),
                 "t.jsonl:2: expected UTF-8, got an invalid sequence at byte 18");
  EXPECT_MESSAGE(read("{\"id\":\"a\",\"text\":\"\\ud800\"}"), "t.jsonl:1: not valid JSON", "surrogate");
  EXPECT_MESSAGE(read("{\"id\":\"a\",\"text\":\"\\udc00x\"}"), "t.jsonl:1: not valid JSON", "surrogate");
  EXPECT_MESSAGE(read("{\"id\":\"a\",\"text\":" + std::string(200000, '[') + "}"),
                 "t.jsonl:1: expected JSON nested at most 64 deep");
  EXPECT_MESSAGE(read(""), "t.jsonl: expected texts, got an empty file");
  EXPECT_MESSAGE(read("\n\n"), "t.jsonl: expected texts, got an empty file");
}

TEST(text_set, huge_files_are_refused_unread) {
  const temporary_folder folder;
  const auto path = folder.write("t.jsonl", "");
  std::filesystem::resize_file(path, std::uintmax_t{8} << 30);
  EXPECT_MESSAGE(load_text_set(path), "t.jsonl: expected at most 4294967296 bytes, got 8589934592");
}

TEST(text_set, files_that_are_none_are_named) {
  const temporary_folder folder;
  EXPECT_MESSAGE(load_text_set(folder.path() / "no.jsonl"), "no.jsonl: expected a text set, got no such file");
  EXPECT_MESSAGE(load_text_set(folder.path()), "expected a text set, or a folder of .txt files, got a folder without");
  EXPECT_MESSAGE(load_text_set("/dev/null"), "/dev/null: expected texts, got an empty file");
}

} // namespace
