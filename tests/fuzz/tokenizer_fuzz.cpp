// Any bytes are a tokenizer.json or an llmap::error; one that loads gives ids of its vocabulary, or an llmap::error.
#include "expect_own_ids.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const llmap::json content = llmap::parse_json({reinterpret_cast<const char*>(data), size}, "input");
    expect_own_ids(llmap::tokenizer::from_json(content, "input"));
  } catch (const llmap::error&) {
  }
  return 0;
}
