// The error for an unexpected JSON value: where it is, what was expected and what was found.
#pragma once
#include "llmap/core/error.hpp"
#include "llmap/core/json.hpp"
#include <string>
#include <string_view>

namespace llmap {

/// At most 80 bytes of UTF-8, cut between characters.
inline std::string shortened(const std::string& text) {
  constexpr std::size_t most = 80;
  if (text.size() <= most) return text;
  std::size_t end = most - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

/// Always throws. `place` is a file with the path of the field in it.
[[noreturn]] inline void fail_field(const std::string& place, std::string_view expected, const json& value) {
  std::string got;
  if (value.members()) got = "an object";
  else if (value.items()) got = "an array of " + std::to_string(value.items()->size());
  else if (value.string()) got = '"' + *value.string() + '"';
  else got = canonical_text(value);
  fail(place, ": expected ", expected, ", got ", shortened(got));
}

} // namespace llmap
