// What --precision means, and the scoring code compiled once for each working precision.
#pragma once
#include "llmap/cpu.hpp"
#include "llmap/forward/load.hpp"
#include "llmap/likelihood/score.hpp"
#include "llmap/weights/checkpoint.hpp"
#include "llmap/weights/mxfp4.hpp"
#include <string>

inline llmap::arithmetic arithmetic_of(const std::string& precision) {
  return precision == "bf16" ? llmap::arithmetic::bf16 : llmap::arithmetic::working;
}

using model_tensors = llmap::mxfp4_tensors<llmap::checkpoint>;

#define LLMAP_TOOL_PRECISION(KEYWORD, T)                                                                                               \
  KEYWORD template llmap::decoder<llmap::cpu_executor, T> llmap::load_decoder<T>(const llmap::cpu_executor&, llmap::decoder_plan,        \
                                                                                 const model_tensors&, const std::string&,             \
                                                                                 const llmap::load_options&);                          \
  KEYWORD template std::vector<double> llmap::token_log_probabilities(const llmap::cpu_executor&,                                       \
                                                                      const llmap::decoder<llmap::cpu_executor, T>&,                   \
                                                                      const llmap::ragged_batch&, llmap::score_workspace<llmap::cpu_executor, T>&);
LLMAP_TOOL_PRECISION(extern, float)
LLMAP_TOOL_PRECISION(extern, double)
