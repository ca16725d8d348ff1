// A cache of short pieces and their ids: one a thread, so it needs no locks, of fixed size, so it cannot grow.
// Direct-mapped: a piece that falls on an occupied slot takes its place. It changes speed, never results.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string_view>
#include <vector>

namespace llmap::detail {

/// A number for each model, so that a thread's cache knows whose ids it holds.
inline std::uint64_t next_cache_owner() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

class piece_cache {
  struct slot { // one cache line
    std::uint8_t bytes = 0, count = 0;
    char piece[22];
    std::int32_t ids[10];
  };
  static constexpr std::size_t slots = 1 << 13; // 512 KiB a thread
  std::uint64_t owner_ = 0;
  std::vector<slot> slots_;

public:
  /// The calling thread's cache, empty if it last served another owner.
  static piece_cache& of_this_thread(std::uint64_t owner) {
    static thread_local piece_cache cache;
    if (cache.owner_ != owner) {
      cache.slots_.assign(slots, slot{});
      cache.owner_ = owner;
    }
    return cache;
  }

  static bool fits(std::string_view piece) { return !piece.empty() && piece.size() <= sizeof slot::piece; }

  /// Appends the ids of `piece` (which fits), calling encode(ids) to append them if it is not here.
  template <class Encode> void encode(std::string_view piece, std::vector<std::int32_t>& ids, const Encode& encode) {
    slot& s = slots_[std::hash<std::string_view>{}(piece) % slots];
    if (s.bytes == piece.size() && std::memcmp(s.piece, piece.data(), piece.size()) == 0) {
      ids.insert(ids.end(), s.ids, s.ids + s.count);
      return;
    }
    const std::size_t before = ids.size();
    encode(ids);
    const std::size_t count = ids.size() - before;
    if (count > std::size(s.ids)) return;
    s.bytes = static_cast<std::uint8_t>(piece.size());
    s.count = static_cast<std::uint8_t>(count);
    std::memcpy(s.piece, piece.data(), piece.size());
    std::copy_n(ids.begin() + static_cast<std::ptrdiff_t>(before), count, s.ids);
  }
};

} // namespace llmap::detail
