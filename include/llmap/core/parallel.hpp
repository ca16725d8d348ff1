// Parallel loops. Work is handed out dynamically, item by item; an item computes the same bits whichever
// thread runs it, and results are combined by item number, never by arrival: same bits for any thread count.
// Threads come from OpenMP; compiled without it, the loops run in order on the calling thread.
#pragma once
#include <cstddef>
#include <exception>
#ifdef _OPENMP
#include <omp.h>
#endif

namespace llmap {

/// Number of threads that a loop may use when the caller does not say (>= 1).
inline int default_threads() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}

/// Calls body(i) for i in [0, n) on up to `threads` threads. The first exception (lowest i among those
/// caught) is thrown again on the calling thread after all items have been started or skipped.
template <class Body>
void parallel_for(int threads, std::size_t n, const Body& body) {
  if (threads <= 1 || n <= 1) {
    for (std::size_t i = 0; i < n; ++i) body(i);
    return;
  }
#ifdef _OPENMP
  std::exception_ptr failure;
  std::size_t failed_item = n;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
  for (std::size_t i = 0; i < n; ++i) {
    try {
      body(i);
    } catch (...) {
#pragma omp critical(llmap_parallel_for)
      if (i < failed_item) failed_item = i, failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
#else
  for (std::size_t i = 0; i < n; ++i) body(i);
#endif
}

} // namespace llmap
