// The score of a text, as scoring makes it and a store keeps it.
#pragma once
#include <cstdint>

namespace llmap {

/// Why a score is not simply the likelihood of the whole text; bits that may be combined.
enum score_flag : std::uint8_t {
  flag_truncated = 1, ///< longer than the model's positions: only its first tokens were scored
  flag_nan = 2,       ///< the sum is NaN
  flag_infinite = 4,  ///< the sum is infinite: some token has probability 0
  flag_nothing = 8,   ///< fewer than two ids: no token could be scored
  flag_missing = 16,  ///< never scored
};

/// What one model says about one text.
struct text_score {
  double log_likelihood = 0;      ///< nats
  std::int32_t tokens_scored = 0; ///< terms of the sum
  std::uint8_t flags = 0;         ///< score_flags, joined by |
};

} // namespace llmap
