// The executor of the CPU in the forward pass: that of core, and how numbers get into its vectors.
#pragma once
#include "llmap/core/cpu_executor.hpp"
#include <algorithm>
#include <vector>

namespace llmap {

/// The numbers (n) where the ops of this executor read them.
template <class T> aligned_buffer<T> upload(const cpu_executor&, const std::vector<T>& numbers) {
  aligned_buffer<T> to(numbers.size());
  std::copy(numbers.begin(), numbers.end(), to.data());
  return to;
}

} // namespace llmap
