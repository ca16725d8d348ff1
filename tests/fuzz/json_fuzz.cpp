// Any bytes are a JSON value or an llmap::error; what is read is written and read again as the same.
#include "llmap/core/json.hpp"
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const llmap::json value = llmap::parse_json({reinterpret_cast<const char*>(data), size}, "input");
    const std::string text = canonical_text(value);
    if (canonical_text(llmap::parse_json(text, "again")) != text) __builtin_trap();
  } catch (const llmap::error&) {
  }
  return 0;
}
