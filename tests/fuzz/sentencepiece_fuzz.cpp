// Any bytes are a tokenizer.model or an llmap::error; one that loads gives ids of its vocabulary, or an llmap::error.
#include "llmap/text/tokenizer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const char* kind : {"LlamaTokenizer", "GemmaTokenizer", "XGLMTokenizer"}) {
    try {
      llmap::tokenizer_files files;
      files.where = "input";
      files.form = llmap::vocabulary_form::sentencepiece;
      files.tokenizer.assign(reinterpret_cast<const char*>(data), size);
      files.config = llmap::json::object{{"tokenizer_class", kind}};
      const llmap::tokenizer words = llmap::tokenizer::from_files(files);
      for (const char* text : {"", "Hello  world \n 123", " \xc3\xa9 \xf0\x9f\x98\x80 <s>"})
        for (const std::int32_t id : words.encode(text))
          if (id < 0 || id >= words.vocab_size()) __builtin_trap();
    } catch (const llmap::error&) {
    }
  }
  return 0;
}
