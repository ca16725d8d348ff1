// Runs ops on the CPU. Ops are free functions whose first argument is the executor:
// linear(exec, ...), norm(exec, ...), attention(exec, ...).
#pragma once
#include "llmap/core/parallel.hpp"
#include "llmap/core/view.hpp"

namespace llmap {

struct cpu_executor {
  int threads = default_threads();
};

/// Calls body(first, count) for blocks of at most `block` of the n rows, in parallel.
template <class Body> void for_row_blocks(const cpu_executor& exec, std::size_t n, std::size_t block, const Body& body) {
  parallel_for(exec.threads, (n + block - 1) / block, [&](std::size_t b) {
    const std::size_t first = b * block;
    body(first, n - first < block ? n - first : block);
  });
}

} // namespace llmap
