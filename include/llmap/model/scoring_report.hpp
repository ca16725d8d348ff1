// The result of scoring one model into a store.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace llmap {

/// What a run did, for the reader of `llmap score`.
struct scoring_report {
  std::string model;                   ///< name
  std::size_t scored = 0, present = 0; // texts scored now, and found in the store
  bool complete = true;                // false: the watch ended it
  std::int64_t tokens = 0;             // scored tokens of all texts
  std::int64_t tokens_now = 0;         // of those scored now
  double seconds = 0;                  // spent on scoring now
  double bits_per_byte = 0;            // over texts without a flag
  std::vector<std::string> flagged;    // texts with a flag
  std::size_t without_value = 0;       // texts of which no score can be used: no token, NaN or infinite
};

} // namespace llmap
