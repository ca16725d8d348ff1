// Counter-based random numbers: value = f(seed, counter), so any item of any stream can be drawn by any
// thread in any order with the same result on every machine.
// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (the SplitMix64 finalizer).
#pragma once
#include <cmath>
#include <cstdint>

namespace llmap {

/// The streams of one seed. It has no state: equal arguments give equal numbers.
struct counter_random {
  std::uint64_t seed = 0; ///< all streams differ by it

  /// 64 uniform bits for (stream, counter).
  constexpr std::uint64_t bits(std::uint64_t stream, std::uint64_t counter) const {
    return mix(mix(mix(seed + golden) ^ (stream * golden + 1)) + counter * golden);
  }
  /// Uniform in (0, 1): never 0, never 1.
  constexpr double uniform(std::uint64_t stream, std::uint64_t counter) const {
    return (static_cast<double>(bits(stream, counter) >> 12) + 0.5) * 0x1p-52;
  }
  /// Uniform integer in [0, n), n >= 1; bias below n / 2^64.
  constexpr std::uint64_t below(std::uint64_t stream, std::uint64_t counter, std::uint64_t n) const {
    const std::uint64_t b = bits(stream, counter), low = (b & 0xffffffffu) * (n & 0xffffffffu);
    const std::uint64_t m1 = (b >> 32) * (n & 0xffffffffu) + (low >> 32), m2 = (b & 0xffffffffu) * (n >> 32);
    return (b >> 32) * (n >> 32) + (m1 >> 32) + ((m2 + (m1 & 0xffffffffu)) >> 32);
  }
  /// Standard normal (Box-Muller).
  double normal(std::uint64_t stream, std::uint64_t counter) const {
    constexpr double two_pi = 6.283185307179586476925286766559;
    return std::sqrt(-2 * std::log(uniform(stream, 2 * counter))) * std::cos(two_pi * uniform(stream, 2 * counter + 1));
  }

private:
  static constexpr std::uint64_t golden = 0x9e3779b97f4a7c15u;
  static constexpr std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
};

} // namespace llmap
