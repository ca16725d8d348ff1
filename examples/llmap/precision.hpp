// What --precision means.
#pragma once
#include "llmap/kernels.hpp"
#include <string>

using model_tensors = llmap::mxfp4_tensors<llmap::checkpoint>;

inline llmap::arithmetic arithmetic_of(const std::string& precision) {
  return precision == "bf16" ? llmap::arithmetic::bf16 : llmap::arithmetic::working;
}
