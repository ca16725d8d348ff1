// A matrix of K x N that is written once costs as much in page faults as in arithmetic: large pages, where
// the system has them, make these few.
#pragma once
#include <cstddef>
#include <cstdint>
#ifdef __linux__
#include <sys/mman.h>
#endif

namespace llmap::detail {

/// Asks for large pages under `size` elements at p that have not been written yet. A hint: it may do nothing.
template <class T> void advise_large([[maybe_unused]] T* p, [[maybe_unused]] std::size_t size) {
#ifdef __linux__
  constexpr std::uintptr_t page = 4096;
  const auto first = (reinterpret_cast<std::uintptr_t>(p) + page - 1) / page * page;
  const auto last = reinterpret_cast<std::uintptr_t>(p + size) / page * page;
  if (last > first + (std::uintptr_t{4} << 20))
    madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
}

} // namespace llmap::detail
