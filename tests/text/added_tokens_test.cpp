// Added tokens beside blanks that are added tokens themselves. Expected ids: tokenizers 0.22.2.
#include "llmap/text/tokenizer.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"

using namespace llmap;

namespace {

constexpr const char* file = R"({"version":"1.0","added_tokens":[
  {"id":8,"content":"  ","normalized":false},{"id":9,"content":"\n","normalized":false},
  {"id":10,"content":"\n\n","normalized":false},{"id":11,"content":"\t","normalized":true,"lstrip":true},
  {"id":12,"content":"<e>","special":true,"normalized":false,"rstrip":true},
  {"id":13,"content":"<u>","special":true,"normalized":false,"lstrip":true,"rstrip":true},
  {"id":14,"content":"<n>","normalized":true,"rstrip":true},{"id":15,"content":"u>","normalized":false},
  {"id":16,"content":"\n ","normalized":false,"lstrip":true}],
"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":false,"trim_offsets":false},
"model":{"type":"BPE","vocab":{"a":0,"b":1,"\u0120":2,"\u010a":3,"\u0109":4,"<":5,">":6,"u":7},"merges":[]}})";
using list = std::vector<std::int32_t>;
struct expectation {
  const char* text;
  list ids;
};

TEST(added_tokens, blanks_that_rstrip_takes_can_be_tokens_too) {
  const tokenizer t = tokenizer::from_json(parse_json(file, "f.json"), "f.json");
  for (const auto& [text, ids] : std::vector<expectation>{
           {"<e>a", {12, 0}},
           {"<e> a", {12, 0}},
           {"<e>\na", {12, 9, 0}},
           {"<e>\n\na", {12, 10, 0}},
           {"<e>   a", {12, 8, 2, 0}},
           {"<e>  <e>\n", {12, 8, 12, 9}},
           {"a\n <u>a", {0, 16, 13, 0}},
           {"<e>\n<u>\na", {12, 9, 13, 9, 0}},
           {"<e> \n a", {12, 0}},
           {"<e>\n a", {12, 0}},
           {"<n>\ta", {14, 0}},
           {"a<u>a", {0, 13, 0}},
           {"<u>u>", {13, 15}},
       })
    EXPECT_EQ(t.encode(text), ids) << text;
}

// With lstrip the last token would begin behind its own end, and Hugging Face tokenizers abort.
TEST(added_tokens, a_token_inside_blanks_already_taken_is_refused) {
  const tokenizer t = tokenizer::from_json(parse_json(file, "f.json"), "f.json");
  for (const char* text : {"<u>\n  \n b", "<n>\t\ta", "<n> \t a"})
    EXPECT_MESSAGE(t.encode(text), "an added token with lstrip lies among blanks that the token before it took");
}

// A special token that is split stays text as a whole: no other token is found inside it.
TEST(added_tokens, special_tokens_that_are_split_stay_text) {
  const temporary_folder folder;
  folder.write("tokenizer.json", file);
  folder.write("tokenizer_config.json", R"({"split_special_tokens": true})");
  const tokenizer t = tokenizer::load(folder.path());
  for (const auto& [text, ids] : std::vector<expectation>{
           {"<e>a", {5, 6, 0}},
           {"<e> a", {5, 6, 2, 0}},
           {"<e>\na", {5, 6, 9, 0}},
           {"<e>\n\na", {5, 6, 10, 0}},
           {"<e>   a", {5, 6, 8, 2, 0}},
           {"<e>  <e>\n", {5, 6, 8, 5, 6, 9}},
           {"a\n <u>a", {0, 16, 5, 7, 6, 0}},
           {"<e>\n<u>\na", {5, 6, 9, 5, 7, 6, 9, 0}},
           {"<e> \n a", {5, 6, 16, 0}},
           {"<e>\n a", {5, 6, 16, 0}},
           {"<u>\n  \n b", {5, 7, 6, 16, 16, 1}},
           {"<n>\ta", {14, 0}},
           {"a<u>a", {0, 5, 7, 6, 0}},
           {"<u>u>", {5, 7, 6, 15}},
       })
    EXPECT_EQ(t.encode(text), ids) << text;
}

} // namespace
