// A cache of short pieces and their ids. There is one per thread, so it needs no locks, and its size is fixed.
// Direct-mapped: a piece replaces the one in its slot. It changes speed, never results.
#pragma once
#include "llmap/text/byte_hash.hpp"
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace llmap::detail {

/// A number for each model, never 0: models share a thread's cache but not each other's ids.
inline std::uint32_t next_cache_owner() {
  static std::atomic<std::uint32_t> last{0};
  return ++last;
}

class piece_cache {
  struct alignas(64) slot { // one cache line
    std::uint32_t owner = 0;
    std::uint8_t bytes = 0, count = 0;
    char piece[22];
    std::int32_t ids[9];

    /// Whether it holds `s`, of 1 to 22 bytes; overlapping words cover them all.
    bool holds(std::uint32_t whose, std::string_view s) const {
      const std::size_t n = s.size();
      if (owner != whose || bytes != n) return false;
      const auto same = [&]<class Word>(Word, std::size_t at) {
        return word_at<Word>(piece + at) == word_at<Word>(s.data() + at);
      };
      constexpr std::uint64_t eight = 0;
      constexpr std::uint32_t four = 0;
      if (n > 16) return same(eight, 0) && same(eight, 8) && same(eight, n - 8);
      if (n >= 8) return same(eight, 0) && same(eight, n - 8);
      if (n >= 4) return same(four, 0) && same(four, n - 4);
      return piece[0] == s[0] && piece[n / 2] == s[n / 2] && piece[n - 1] == s[n - 1];
    }
  };
  static constexpr std::size_t slots = 1 << 14; // 1 MiB per thread
  std::vector<slot> slots_{slots};

public:
  static piece_cache& of_this_thread() {
    static thread_local piece_cache cache;
    return cache;
  }

  static bool fits(std::string_view piece) { return !piece.empty() && piece.size() <= sizeof slot::piece; }

  /// Appends the ids of `piece` (which fits), calling encode(ids) to append them if they are not cached.
  template <class Encode>
  void encode(std::uint32_t owner, std::string_view piece, std::vector<std::int32_t>& ids, const Encode& encode) {
    slot& s = slots_[hash_bytes(piece) % slots];
    if (s.holds(owner, piece)) {
      if (s.count == 1) ids.push_back(s.ids[0]);
      else ids.insert(ids.end(), s.ids, s.ids + s.count);
      return;
    }
    const std::size_t before = ids.size();
    encode(ids);
    const std::size_t count = ids.size() - before;
    if (count > std::size(s.ids)) return;
    s.owner = owner;
    s.bytes = static_cast<std::uint8_t>(piece.size());
    s.count = static_cast<std::uint8_t>(count);
    std::memcpy(s.piece, piece.data(), piece.size());
    std::copy_n(ids.begin() + static_cast<std::ptrdiff_t>(before), count, s.ids);
  }
};

} // namespace llmap::detail
