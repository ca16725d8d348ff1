// Any bytes are a tekken.json, lines of tiktoken, or an llmap::error; what loads gives ids of its vocabulary.
#include "expect_own_ids.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using enum llmap::vocabulary_form;
  for (const auto form : {tekken, tiktoken}) {
    try {
      llmap::tokenizer_files files;
      files.where = "input";
      files.form = form;
      files.tokenizer.assign(reinterpret_cast<const char*>(data), size);
      files.config = llmap::json::object{{"added_tokens_decoder", llmap::json::object{}}};
      expect_own_ids(llmap::tokenizer::from_files(files));
    } catch (const llmap::error&) {
    }
  }
  return 0;
}
