// Expressions over the names of modules, as adapters and quantized checkpoints have them.
#pragma once
#include "llmap/core/error.hpp"
#include <regex>
#include <string>

namespace llmap::detail {

/// Whether the name begins with a match. `where` starts the message if the expression is none.
inline bool begins_with_match(const std::string& name, const std::string& expression, const std::string& where) {
  try {
    return std::regex_search(name, std::regex(expression), std::regex_constants::match_continuous);
  } catch (const std::regex_error&) {
    fail(where, ": expected a regular expression, got ", expression);
  }
}

} // namespace llmap::detail
