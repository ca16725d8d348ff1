// The paper's chunker: a document is cut greedily into pieces of at most `most` bytes, each cut moved back to a
// character boundary; pieces of more than `least` bytes are kept. Byte-exact: nothing trimmed or normalized.
// Source: Oyama et al., "Mapping 1,000+ Language Models via the Log-Likelihood Vector", 2025 (1024 and 256 bytes).
#pragma once
#include "llmap/core/error.hpp"
#include <cstddef>
#include <string_view>
#include <vector>

namespace llmap {

/// The sizes of pieces, in bytes.
struct chunk_options {
  std::size_t most = 1024; ///< most bytes in a piece; at least 4, so that any character fits
  std::size_t least = 256; ///< pieces must be longer than this
};

/// Views into `document`, which is valid UTF-8.
inline std::vector<std::string_view> chunk(std::string_view document, const chunk_options& options = {}) {
  LLMAP_EXPECTS(options.most >= 4, "chunk: most");
  std::vector<std::string_view> pieces;
  for (std::size_t begin = 0; begin < document.size();) {
    std::size_t end = begin + options.most;
    if (end >= document.size()) end = document.size();
    else
      while (end > begin && (static_cast<unsigned char>(document[end]) & 0xc0) == 0x80) --end;
    LLMAP_EXPECTS(end > begin, "chunk: valid UTF-8");
    if (end - begin > options.least) pieces.push_back(document.substr(begin, end - begin));
    begin = end;
  }
  return pieces;
}

} // namespace llmap
