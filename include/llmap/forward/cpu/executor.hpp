// The CPU's executor in the forward pass: that of core, and the upload of numbers into its vectors.
#pragma once
#include "llmap/core/cpu_executor.hpp"
#include <algorithm>
#include <vector>

namespace llmap {

/// The numbers (n) in the form that the ops of this executor read.
template <class T> aligned_buffer<T> upload(const cpu_executor&, const std::vector<T>& numbers) {
  aligned_buffer<T> to(numbers.size());
  std::copy(numbers.begin(), numbers.end(), to.data());
  return to;
}

} // namespace llmap
