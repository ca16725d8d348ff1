// The frequencies of a rotary position embedding, in radians per position. Sources: transformers
// modeling_rope_utils.py; Peng et al., "YaRN" (2023). Computed in double.
#pragma once
#include "llmap/architectures/decoder_plan.hpp"
#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace llmap {

/// The r / 2 frequencies for a text of `tokens` tokens, in radians per position.
inline std::vector<double> rope_frequencies(const rope_plan& plan, std::size_t tokens) {
  using kind = rope_plan::scaling;
  const double r = static_cast<double>(plan.dims), s = plan.factor, n0 = plan.original_positions;
  double theta = plan.theta;
  if (plan.kind == kind::dynamic) {
    const double n = std::max(static_cast<double>(tokens), n0);
    theta *= std::pow(s * n / n0 - (s - 1), r / (r - 2));
  }
  const auto correction = [&](double beta) {
    return r * std::log(n0 / (2 * std::numbers::pi * beta)) / (2 * std::log(theta));
  };
  double low = 0, high = 0;
  if (plan.kind == kind::yarn) {
    low = correction(plan.beta_fast), high = correction(plan.beta_slow);
    if (plan.truncate) low = std::floor(low), high = std::ceil(high);
    low = std::max(low, 0.0), high = std::min(high, r - 1);
    if (low == high) high += 0.001;
  }
  std::vector<double> frequency(static_cast<std::size_t>(plan.dims / 2));
  for (std::size_t i = 0; i < frequency.size(); ++i) {
    const double f = std::pow(theta, -2 * static_cast<double>(i) / r);
    switch (plan.kind) {
    case kind::none:
    case kind::dynamic:
      frequency[i] = f;
      break;
    case kind::linear:
      frequency[i] = f / s;
      break;
    case kind::llama3: {
      const double wavelength = 2 * std::numbers::pi / f, lo = plan.low_frequency_factor,
                   hi = plan.high_frequency_factor;
      const double turns = n0 / wavelength; // within the original length
      // 0: stretched, 1: as trained
      const double t = lo == hi ? (turns < lo ? 0 : 1) : std::clamp((turns - lo) / (hi - lo), 0.0, 1.0);
      frequency[i] = (1 - t) * f / s + t * f;
      break;
    }
    case kind::yarn: {
      const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
      frequency[i] = f * (1 - ramp) + f / s * ramp;
      break;
    }
    case kind::proportional:
      frequency[i] = i < static_cast<std::size_t>(plan.share * r / 2) ? f / s : 0;
      break;
    case kind::longrope:
      frequency[i] = f / (static_cast<double>(tokens) > n0 ? plan.long_factor : plan.short_factor)[i];
      break;
    }
  }
  return frequency;
}

/// The factor of cosines and sines for a text of `tokens` tokens.
inline double attention_factor(const rope_plan& plan, std::size_t tokens) {
  const bool far = plan.kind == rope_plan::scaling::longrope && static_cast<double>(tokens) > plan.original_positions;
  return far ? plan.long_attention_factor : plan.attention_factor;
}

/// Whether the frequencies depend on the length of the text.
inline bool depends_on_length(const rope_plan& plan) {
  return plan.kind == rope_plan::scaling::dynamic || plan.kind == rope_plan::scaling::longrope;
}

} // namespace llmap
