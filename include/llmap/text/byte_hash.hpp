// A hash of short byte strings for tables in memory: words of 8 bytes, multiplied and folded. Its values depend on the
// machine and are never stored.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace llmap::detail {

template <class Word> Word word_at(const char* p) {
  Word w;
  std::memcpy(&w, p, sizeof w);
  return w;
}

inline std::uint64_t hash_bytes(std::string_view s) {
  const char *p = s.data(), *const end = p + s.size();
  std::uint64_t h = s.size() * 0x9e3779b97f4a7c15u;
  const auto mix = [&](std::uint64_t word) {
    h = (h ^ word) * 0xd6e8feb86659fd93u;
    h ^= h >> 32;
  };
  if (s.size() >= 8) {
    for (; end - p > 8; p += 8) mix(word_at<std::uint64_t>(p));
    mix(word_at<std::uint64_t>(end - 8)); // the last word overlaps the one before
  } else if (s.size() >= 4) {
    mix(std::uint64_t{word_at<std::uint32_t>(p)} << 32 | word_at<std::uint32_t>(end - 4));
  } else if (!s.empty()) {
    const auto byte = [&](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(p[i])}; };
    mix(byte(0) | byte(s.size() / 2) << 8 | byte(s.size() - 1) << 16);
  }
  return h;
}

} // namespace llmap::detail
