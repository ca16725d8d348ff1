// What --precision and --activations mean.
#pragma once
#include "llmap/kernels.hpp"
#include <string>

inline llmap::activation_mode activation_mode_of(const std::string& activations) {
  return activations == "deployed" ? llmap::activation_mode::deployed : llmap::activation_mode::full;
}

inline llmap::compute_type compute_type_of(const std::string& precision) {
  return precision == "bf16" ? llmap::compute_type::bf16 : llmap::compute_type::working;
}
