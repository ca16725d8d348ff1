// Text sets in the forms that people keep them in: every form gives the same texts, and every fault is named.
#include "llmap/text/text_set.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"
#include <fstream>
#include <sys/stat.h>
#include <thread>

using namespace llmap;

namespace {

const temporary_folder place;

std::filesystem::path put(const std::string& name, const std::string& content) { return place.write(name, content); }

std::string gzip(const std::string& text) {
  z_stream s{};
  deflateInit2(&s, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&s, text.size()) + 64, '\0');
  s.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  s.avail_in = static_cast<uInt>(text.size());
  s.next_out = reinterpret_cast<Bytef*>(out.data());
  s.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&s, Z_FINISH), Z_STREAM_END);
  out.resize(s.total_out);
  deflateEnd(&s);
  return out;
}
std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

std::string all(const text_set& set) {
  std::string out;
  for (const text_item& t : set.items) out += t.id + "=" + t.text + "[" + t.domain + "," + t.document + "];";
  return out;
}
std::string read(const std::string& name, const std::string& content, const text_set_options& options = {}) {
  return all(load_text_set(put(name, content), options));
}

TEST(text_forms, json) {
  const std::string lines = "{\"id\":\"a\",\"text\":\"x\"}\n{\"id\":\"b\",\"text\":\"y\\n\"}\n";
  const std::string want = "a=x[,];b=y\n[,];";
  EXPECT_EQ(read("t.jsonl", lines), want);
  EXPECT_EQ(read("t.json", lines), want);
  EXPECT_EQ(read("t", lines), want);
  EXPECT_EQ(read("t.json", "\n [{\"id\":\"a\",\"text\":\"x\"},\n{\"id\":\"b\",\"text\":\"y\\n\"}]"), want);
  EXPECT_EQ(read("t.jsonl", "\xef\xbb\xbf\r\n" + lines + "\n \n{\"id\":\"c\",\"text\":\"\"}"), want + "c=[,];");
  EXPECT_EQ(read("t.json", R"(["x", "y"])"), "0=x[,];1=y[,];");
  EXPECT_EQ(read("t.jsonl", "\"x\"\n\"y\"\n"), "0=x[,];1=y[,];");
  EXPECT_EQ(read("t.jsonl", R"({"id":7,"text":"x"})"), "7=x[,];");
  EXPECT_EQ(read("t.jsonl", "{\"text\":\"x\"}\n{\"text\":\"y\"}"), "0=x[,];1=y[,];");
  EXPECT_EQ(read("t.jsonl", R"({"body":"x","key":"k","text":"no"})", {{"body", "key"}}), "k=x[,];");
  EXPECT_EQ(read("t.jsonl", lines, {{}, 1}), "a=x[,];");
}
TEST(text_forms, fields_of_other_tools) {
  EXPECT_EQ(read("t.jsonl", R"({"index":5,"text":"x","pile_set_name":"ArXiv","pile_idx":11,"chunk_idx":2})"),
            "5=x[ArXiv,11];");
  EXPECT_EQ(read("t.jsonl", R"({"content":"int x;","id":"f.c"})"), "f.c=int x;[,];");
  // Samples of lm-eval: a request for each answer, and the sample again for another filter.
  EXPECT_EQ(read("t.jsonl", R"({"doc_id":3,"doc":{"q":1},"arguments":[["Q: a", " yes"],["Q: a", " no"]],"filter":"none"}
{"doc_id":3,"doc":{"q":1},"arguments":[["Q: a", " yes"],["Q: a", " no"]],"filter":"flexible"}
{"doc_id":4,"arguments":{"gen_args_0":{"arg_0":"Q: b","arg_1":{"until":["\n"]}}}})"),
            "3#0=Q: a yes[,3];3#1=Q: a no[,3];4#0=Q: b[,4];");
  EXPECT_MESSAGE(read("t.jsonl", R"({"id":"a#0","text":"x"}
{"id":"a#0","text":"x"})"),
                 "t.jsonl:2: id: expected a new one, got a#0 of ");
}
TEST(text_forms, tables) {
  EXPECT_EQ(read("t.csv", "id,text,domain\r\na,\"x, \"\"y\"\"\nz\",web\r\n\r\nb,,\r\n"), "a=x, \"y\"\nz[web,];b=[,];");
  EXPECT_EQ(read("t.tsv", "text\tid\nx, y\ta"), "a=x, y[,];");
  EXPECT_EQ(read("t.csv", "\xef\xbb\xbftext\nx\ny"), "0=x[,];1=y[,];");
  EXPECT_MESSAGE(read("t.csv", "id,text\na,x\n\"b\",\"y"), "t.csv:3: expected a closing quote");
  EXPECT_MESSAGE(read("t.csv", "id,text\na,\"x\"y\n"), "t.csv:2: expected a delimiter after a field in quotes");
  EXPECT_MESSAGE(read("t.csv", "id,text\na,\"x\n\"\nb\n"), "t.csv:4: expected 2 fields, got 1");
  EXPECT_MESSAGE(read("t.csv", "id,body\na,x\n"), "t.csv:2: text: expected a field of this name, got id, body");
  EXPECT_MESSAGE(read("t.csv", "id,text,id\na,x,b\n"), "expected columns of different names, got id twice");
  EXPECT_MESSAGE(read("t.csv", "id,text\na,\xff\n"), "expected UTF-8, got an invalid sequence at byte 10");
}
TEST(text_forms, folders) {
  std::filesystem::create_directories(place.path() / "texts/sub");
  put("texts/b.txt", "two\n");
  put("texts/a.txt.gz", gzip("one"));
  put("texts/sub/c.txt", "three");
  put("texts/notes.md", "no text");
  EXPECT_EQ(all(load_text_set(place.path() / "texts")), "a.txt.gz=one[,];b.txt=two\n[,];sub/c.txt=three[,];");
  std::filesystem::create_directories(place.path() / "none");
  EXPECT_MESSAGE(load_text_set(place.path() / "none"), "none: expected a text set, or a folder of .txt files");
}
TEST(text_forms, packed) {
  std::string lines, want;
  for (int i = 0; i < 20000; ++i) {
    const std::string text = std::string(static_cast<std::size_t>(i % 97), static_cast<char>('a' + i % 26));
    lines += "{\"text\":\"" + text + "\"}\n";
    want += std::to_string(i) + "=" + text + "[,];";
  }
  const std::string half = lines.substr(0, lines.find("\n", lines.size() / 2) + 1), rest = lines.substr(half.size());
  EXPECT_EQ(read("t.jsonl.gz", gzip(lines)), want);
  EXPECT_EQ(read("t.jsonl.gz", gzip(half) + gzip(rest)), want); // two members
  EXPECT_EQ(read("t.jsonl.zst", zstd(lines)), want);
  EXPECT_EQ(read("t.jsonl.zst", zstd(half) + zstd(rest)), want);
  EXPECT_EQ(read("unnamed", zstd(lines)), want);
  for (const std::string& packed : {gzip(lines), zstd(lines)}) {
    EXPECT_MESSAGE(read("t.gz", packed.substr(0, packed.size() - 5)), "file, got one that ends early");
    std::string broken = packed;
    broken[broken.size() / 2] ^= 0x55;
    EXPECT_THROW(read("t.gz", broken), error);
  }
}
TEST(text_forms, a_pipe) {
  const std::filesystem::path pipe = place.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::thread writer([&] { std::ofstream(pipe) << "{\"id\":\"a\",\"text\":\"x\"}\n"; });
  EXPECT_EQ(all(load_text_set(pipe)), "a=x[,];");
  writer.join();
}
TEST(text_forms, what_is_none_is_named) {
  EXPECT_MESSAGE(read("t.txt", "Once upon a time"), "got a .txt file; llmap chunk cuts it into pieces");
  EXPECT_MESSAGE(read("t.jsonl", std::string("\xff\xfe{\0", 4)), "t.jsonl: expected UTF-8, got UTF-16; perhaps: iconv");
  EXPECT_MESSAGE(read("t.parquet", "PAR1xxxx"), "got a Parquet file; perhaps: duckdb -c");
  EXPECT_MESSAGE(read("t.arrow", "ARROW1xx"), "t.arrow').to_json('t.jsonl', orient='records', lines=True)");
  EXPECT_MESSAGE(read("t", "Once upon a time"), "t: expected a text set (JSON Lines, a JSON array");
  EXPECT_MESSAGE(read("t.jsonl", "<!DOCTYPE html><html>"), "t.jsonl:1: expected JSON, got a page of HTML");
  EXPECT_MESSAGE(read("t.jsonl", "version https://git-lfs.github.com/spec/v1\noid sha256:0"),
                 "t.jsonl:1: expected JSON, got a pointer of Git LFS");
  EXPECT_MESSAGE(read("t.jsonl", R"({"id":1.5,"text":"x"})"), "id: expected a string or an integer, got number");
  EXPECT_MESSAGE(read("t.jsonl", R"({"id":"a","body":"x"})"),
                 "t.jsonl:1: text: expected a field of this name, got id, body");
}

} // namespace
