// What --precision means.
#pragma once
#include "llmap/kernels.hpp"
#include <string>

inline llmap::compute_type compute_type_of(const std::string& precision) {
  return precision == "bf16" ? llmap::compute_type::bf16 : llmap::compute_type::working;
}
