// Calls of the CUDA runtime, checked: a failure is an llmap::error of one line.
#pragma once
#include "llmap/core/error.hpp"
#include <cuda_runtime_api.h>

namespace llmap {

inline void cuda_check(cudaError_t result, const char* call) {
  if (result == cudaSuccess) return;
  cudaGetLastError(); // an error that was reported is not reported again by the next launch
  fail("CUDA: ", call, ": ", cudaGetErrorString(result));
}

} // namespace llmap

/// Calls a function of the CUDA runtime; what it refuses is an llmap::error.
#define LLMAP_CUDA_CHECK(call) ::llmap::cuda_check((call), #call)
