// Random weights and activations of a given shape.
#pragma once
#include "llmap/core/random.hpp"
#include "llmap/forward/cpu/pack.hpp"
#include <vector>

namespace bench {

template <class Stored> llmap::packed_matrix<float> random_matrix(std::size_t rows, std::size_t cols) {
  std::vector<Stored> w(rows * cols);
  for (std::size_t i = 0; i < w.size(); ++i)
    w[i] = static_cast<Stored>(static_cast<float>(llmap::counter_random{1}.uniform(0, i) - 0.5));
  return llmap::pack<float>(llmap::cpu_executor{}, llmap::matrix_view<const Stored>(w.data(), rows, cols));
}
inline llmap::aligned_buffer<float> random_rows(std::size_t size) {
  llmap::aligned_buffer<float> x(size);
  for (std::size_t i = 0; i < size; ++i) x[i] = static_cast<float>(llmap::counter_random{2}.uniform(0, i) - 0.5);
  return x;
}

} // namespace bench
