// Memory that is written once costs as much in page faults as in arithmetic: large pages, where the system has them, make
// these few.
#pragma once
#include <cstddef>
#include <cstdint>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace llmap {

inline constexpr std::size_t large_page = std::size_t{2} << 20;

/// Asks for large pages under the whole ones of `bytes` bytes at p that have not been written yet, if these are at least two;
/// what is left over stays in small pages, so that no memory is spent on it. A hint: it may do nothing.
inline void advise_large_pages([[maybe_unused]] void* p, [[maybe_unused]] std::size_t bytes) {
#if defined(MADV_HUGEPAGE)
  const auto first = (reinterpret_cast<std::uintptr_t>(p) + large_page - 1) / large_page * large_page;
  const auto last = (reinterpret_cast<std::uintptr_t>(p) + bytes) / large_page * large_page;
  if (last >= first + 2 * large_page) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
}

} // namespace llmap
