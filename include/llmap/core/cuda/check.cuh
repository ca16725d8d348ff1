// Calls of the CUDA runtime, checked: a failure is an llmap::error of one line.
#pragma once
#include "llmap/core/error.hpp"
#include <cstddef>
#include <cuda_runtime_api.h>

namespace llmap {

inline void cuda_check(cudaError_t result, const char* call) {
  if (result == cudaSuccess) return;
  cudaGetLastError(); // an error that was reported is not reported again by the next launch
  fail("CUDA: ", call, ": ", cudaGetErrorString(result));
}

/// The same of a call that takes memory: where there is none left, the message says how much was wanted of which.
inline void cuda_check_memory(cudaError_t result, const char* call, const char* which, std::size_t bytes) {
  if (result == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    fail("out of ", which, " memory: ", bytes, " bytes");
  }
  cuda_check(result, call);
}

} // namespace llmap

/// Calls a function of the CUDA runtime; what it refuses is an llmap::error.
#define LLMAP_CUDA_CHECK(call) ::llmap::cuda_check((call), #call)
