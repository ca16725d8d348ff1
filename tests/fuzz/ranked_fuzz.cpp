// Any bytes are a tekken.json, lines of tiktoken, or an llmap::error; what loads gives ids of its vocabulary.
#include "llmap/text/tokenizer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using enum llmap::vocabulary_form;
  for (const auto form : {tekken, tiktoken}) {
    try {
      llmap::tokenizer_files files;
      files.where = "input";
      files.form = form;
      files.tokenizer.assign(reinterpret_cast<const char*>(data), size);
      files.config = llmap::json::object{{"added_tokens_decoder", llmap::json::object{}}};
      const llmap::tokenizer words = llmap::tokenizer::from_files(files);
      for (const char* text : {"", "Hello  world \n 123", " \xc3\xa9 \xf0\x9f\x98\x80 <s>"})
        for (const std::int32_t id : words.encode(text))
          if (id < 0 || id >= words.vocab_size()) __builtin_trap();
    } catch (const llmap::error&) {
    }
  }
  return 0;
}
