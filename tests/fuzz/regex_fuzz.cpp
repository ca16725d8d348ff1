// Any UTF-8 is an expression or an llmap::error; its matches lie in the text, from left to right.
#include "llmap/core/utf8.hpp"
#include "llmap/text/regex.hpp"
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view pattern(reinterpret_cast<const char*>(data), size);
  if (size > 200 || llmap::invalid_utf8(pattern)) return 0;
  try {
    const llmap::regex expression(pattern, "input");
    const llmap::regex::scratch scratch(expression);
    const std::string_view text = "It's 123 \xc3\xa9t\xc3\xa9s,\n  don't-stop aaaa";
    std::size_t last = 0;
    expression.each_match(text, scratch, [&](std::size_t begin, std::size_t end) {
      if (begin < last || end < begin || end > text.size()) __builtin_trap();
      last = end;
    });
  } catch (const llmap::error&) {
  }
  return 0;
}
