// The templates that take long to compile, compiled once in the library llmap::kernels: loading, the forward pass with
// the head, and the map, on the CPU in float and double (the map in double). A program that links llmap::kernels gets
// this header through llmap/model.hpp, which adds whole models, and does not compile them again; its own loaders and
// executors are instantiated as usual.
#pragma once
#include "llmap/cpu.hpp"
#include "llmap/forward/load.hpp"
#include "llmap/geometry/make_map.hpp"
#include "llmap/likelihood/score.hpp"
#include "llmap/weights/any_tensors.hpp"

/// Loading and the forward pass on the CPU at working type T: KEYWORD is `extern`, or empty in the library.
#define LLMAP_INSTANTIATE_KERNELS(KEYWORD, T)                                                                          \
  KEYWORD template llmap::decoder<llmap::cpu_executor, T> llmap::load_decoder<T>(                                      \
      const llmap::cpu_executor&, llmap::decoder_plan, const llmap::any_tensors&, const std::string&,                  \
      const llmap::load_options&);                                                                                     \
  KEYWORD template std::vector<double> llmap::token_log_probabilities(                                                 \
      const llmap::cpu_executor&, const llmap::decoder<llmap::cpu_executor, T>&, const llmap::ragged_batch&,           \
      llmap::score_workspace<llmap::cpu_executor, T>&);
/// The map in double.
#define LLMAP_INSTANTIATE_MAP(KEYWORD)                                                                                 \
  KEYWORD template llmap::map_data llmap::make_map<double>(const llmap::cpu_executor&, llmap::score_matrix,            \
                                                           const llmap::map_options&);

#ifndef LLMAP_BUILDING_KERNELS
LLMAP_INSTANTIATE_KERNELS(extern, float)
LLMAP_INSTANTIATE_KERNELS(extern, double)
LLMAP_INSTANTIATE_MAP(extern)
#endif
