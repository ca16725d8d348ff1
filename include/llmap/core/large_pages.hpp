// Memory that is written once costs as much in page faults as in arithmetic. Large pages, where the system has them,
// make the faults few.
#pragma once
#include <cstddef>
#include <cstdint>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace llmap {

inline constexpr std::size_t large_page = std::size_t{2} << 20; ///< bytes

/// Advises large pages for the aligned part of [p, p + bytes) if it spans at least two of them. The memory must not
/// have been written yet. The rest stays in small pages. A hint: it may do nothing.
inline void advise_large_pages([[maybe_unused]] void* p, [[maybe_unused]] std::size_t bytes) {
#if defined(MADV_HUGEPAGE)
  const auto first = (reinterpret_cast<std::uintptr_t>(p) + large_page - 1) / large_page * large_page;
  const auto last = (reinterpret_cast<std::uintptr_t>(p) + bytes) / large_page * large_page;
  if (last >= first + 2 * large_page) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
}

} // namespace llmap
