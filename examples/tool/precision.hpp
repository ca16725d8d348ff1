// What --precision means, and the scoring code compiled once for each working precision.
#pragma once
#include "llmap/likelihood/score.hpp"
#include "llmap/weights/checkpoint.hpp"
#include <string>

inline llmap::arithmetic arithmetic_of(const std::string& precision) {
  return precision == "bf16" ? llmap::arithmetic::bf16 : llmap::arithmetic::working;
}

#define LLMAP_TOOL_PRECISION(KEYWORD, T)                                                                                               \
  KEYWORD template llmap::decoder<T> llmap::load_decoder<T>(const llmap::cpu_executor&, llmap::decoder_plan, const llmap::checkpoint&, \
                                                            const std::string&, const llmap::load_options&);                           \
  KEYWORD template std::vector<double> llmap::token_log_probabilities<T>(const llmap::cpu_executor&, const llmap::decoder<T>&,         \
                                                                         const llmap::ragged_batch&, llmap::score_workspace<T>&);
LLMAP_TOOL_PRECISION(extern, float)
LLMAP_TOOL_PRECISION(extern, double)
