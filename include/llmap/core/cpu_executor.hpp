// Runs ops on CPU threads; it is the first argument of every op of the forward pass, the head and the map. It names the
// storage of the forward pass (forward/executor.hpp) without including it.
#pragma once
#include "llmap/core/arena.hpp"
#include "llmap/core/parallel.hpp"
#include "llmap/core/view.hpp"
#include <span>
#include <vector>

namespace llmap {

/// Defined in forward/cpu/packed_matrix.hpp.
template <class T> struct packed_matrix;
template <class T> class packed_rows;
template <class T> class cpu_keys_values;
template <class T> class expert_rows;
template <class T> struct cpu_head_room;
template <class T> struct cpu_scratch;

/// Memory that ops write results to.
template <class T> class cpu_host_buffer {
  std::vector<T> numbers_;

public:
  /// Room for `size` numbers, unspecified until something writes them.
  template <class Exec> std::span<T> resize(const Exec&, std::size_t size) {
    if (size > numbers_.size()) numbers_.resize(size);
    return std::span(numbers_).first(size);
  }
};

/// The CPU as an executor (forward/executor.hpp). The number of threads is all that it holds.
struct cpu_executor {
  int threads = default_threads(); ///< of a parallel loop, the caller's among them

  /// The storage that the concept executor asks for.
  template <class T> using matrix = packed_matrix<T>;
  template <class T> using vector = aligned_buffer<T>;
  template <class T> using rows = packed_rows<T>;
  template <class T> using buffer = matrix_buffer<T>;
  template <class T> using host_buffer = cpu_host_buffer<T>;
  template <class T> using keys_values = cpu_keys_values<T>;
  template <class T> using routing = expert_rows<T>;
  template <class T> using head_room = cpu_head_room<T>;
  template <class T> using scratch = cpu_scratch<T>;
  using weights_room = arena;
};

/// Any thread may call ops.
inline void enter(const cpu_executor&) {}
/// An op is done when it returns.
inline void synchronize(const cpu_executor&) {}

/// Calls body(first, count) for blocks of at most `block` of the n rows, in parallel.
template <class Body>
void for_row_blocks(const cpu_executor& exec, std::size_t n, std::size_t block, const Body& body) {
  parallel_for(exec.threads, (n + block - 1) / block, [&](std::size_t b) {
    const std::size_t first = b * block;
    body(first, n - first < block ? n - first : block);
  });
}

} // namespace llmap
