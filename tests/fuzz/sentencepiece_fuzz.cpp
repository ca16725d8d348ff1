// Any bytes are a tokenizer.model or an llmap::error; one that loads gives ids of its vocabulary, or an llmap::error.
#include "expect_own_ids.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const char* kind : {"LlamaTokenizer", "GemmaTokenizer", "XGLMTokenizer"}) {
    try {
      llmap::tokenizer_files files;
      files.where = "input";
      files.form = llmap::vocabulary_form::sentencepiece;
      files.tokenizer.assign(reinterpret_cast<const char*>(data), size);
      files.config = llmap::json::object{{"tokenizer_class", kind}};
      expect_own_ids(llmap::tokenizer::from_files(files));
    } catch (const llmap::error&) {
    }
  }
  return 0;
}
