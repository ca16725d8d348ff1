// The most that this machine can do: multiply-adds in registers, on all threads at once. Speeds are printed as a share
// of it, measured in the same run, because machines differ and are shared.
#pragma once
#include "llmap/core/parallel.hpp"
#include "llmap/core/simd.hpp"
#include <algorithm>
#include <benchmark/benchmark.h>
#include <chrono>
#include <vector>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bench {

template <class T> struct multiply_adds {
  static constexpr int chains = 10; // enough to hide the latency of a multiply-add, few enough for 16 registers
  std::size_t rounds;
  T factor, term; // not constants: a chain that stays at a fixed point would be optimized away
  T* out;
  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = llmap::simd::width<Isa, T>;
    llmap::simd::vec<T, W> c[chains], a = llmap::simd::broadcast<T, W>(factor), b = llmap::simd::broadcast<T, W>(term);
#pragma GCC unroll 16
    for (int i = 0; i < chains; ++i) c[i] = llmap::simd::broadcast<T, W>(static_cast<T>(i));
    for (std::size_t r = 0; r < rounds; ++r)
#pragma GCC unroll 16
      for (int i = 0; i < chains; ++i) c[i] = c[i] * a + b;
    for (int i = 1; i < chains; ++i) c[0] += c[i];
    llmap::simd::store_partial<T, W>(out, 1, c[0]);
  }
};

/// Lanes of T in a vector on this machine.
template <class T> int lanes() {
  using llmap::simd::isa;
  const isa set = llmap::simd::active_isa();
  return (set == isa::avx512 ? 64 : set == isa::avx2 ? 32 : 16) / static_cast<int>(sizeof(T));
}

/// Floating-point operations per second, the best of a few tries.
template <class T> double measure_peak(int threads) {
  constexpr std::size_t rounds = 4'000'000;
  double best = 0;
  const volatile T hidden[] = {T(0.999), T(1e-3)};
  const T factor = hidden[0], term = hidden[1];
  for (int attempt = 0; attempt < 5; ++attempt) {
    std::vector<T> out(static_cast<std::size_t>(threads) * 64);
    const auto start = std::chrono::steady_clock::now();
    llmap::parallel_for(threads, static_cast<std::size_t>(threads), [&](std::size_t t) {
      llmap::simd::run(multiply_adds<T>{rounds, factor, term, &out[t * 64]});
    });
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    benchmark::DoNotOptimize(out.data());
    best = std::max(best, 2.0 * rounds * multiply_adds<T>::chains * lanes<T>() * threads / seconds);
  }
  return best;
}
template <class T> double peak() {
  static const double value = measure_peak<T>(llmap::default_threads());
  return value;
}

#if defined(__x86_64__)
/// The same with bf16 pairs: 64 operations per instruction. Only if llmap::simd::has_bf16_products().
[[gnu::target("avx512f,avx512bf16"), gnu::noinline]] inline void bf16_multiply_adds(std::size_t rounds, int pair,
                                                                                    float* out) {
  constexpr int chains = 12;
  __m512 c[chains];
  const auto a = (__m512bh)_mm512_set1_epi32(pair);
#pragma GCC unroll 16
  for (int i = 0; i < chains; ++i) c[i] = _mm512_set1_ps(static_cast<float>(i));
  for (std::size_t r = 0; r < rounds; ++r)
#pragma GCC unroll 16
    for (int i = 0; i < chains; ++i) c[i] = _mm512_dpbf16_ps(c[i], a, a);
  for (int i = 1; i < chains; ++i) c[0] = _mm512_add_ps(c[0], c[i]);
  _mm512_storeu_ps(out, c[0]);
}
inline double measure_bf16_peak(int threads) {
  constexpr std::size_t rounds = 2'000'000;
  double best = 0;
  const volatile int hidden = 0x3c003c00;
  const int pair = hidden;
  for (int attempt = 0; attempt < 5; ++attempt) {
    std::vector<float> out(static_cast<std::size_t>(threads) * 64);
    const auto start = std::chrono::steady_clock::now();
    llmap::parallel_for(threads, static_cast<std::size_t>(threads),
                        [&](std::size_t t) { bf16_multiply_adds(rounds, pair, &out[t * 64]); });
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    benchmark::DoNotOptimize(out.data());
    best = std::max(best, 64.0 * 12 * rounds * threads / seconds);
  }
  return best;
}
#else
inline double measure_bf16_peak(int) { return 0; }
#endif

/// Times calls (UseManualTime) of `operations` operations each; at the end sets GFLOP/s and the share of the float
/// probe, which is measured before and after.
class measured {
  benchmark::State& state_;
  double operations_, peak_ = measure_peak<float>(llmap::default_threads()), seconds_ = 0;
  int calls_ = 0;

public:
  measured(benchmark::State& state, double operations) : state_(state), operations_(operations) {}
  measured(const measured&) = delete;
  measured& operator=(const measured&) = delete;
  ~measured() {
    const double rate = operations_ * calls_ / seconds_,
                 peak = std::max(peak_, measure_peak<float>(llmap::default_threads()));
    state_.counters["GFLOP/s"] = rate * 1e-9;
    state_.counters["share"] = rate / peak;
  }
  template <class Call> void operator()(const Call& call) {
    const auto start = std::chrono::steady_clock::now();
    call();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    benchmark::ClobberMemory();
    state_.SetIterationTime(seconds);
    seconds_ += seconds;
    ++calls_;
  }
};

/// Sets GFLOP/s and the share of the probe.
template <class T> void report(benchmark::State& state, double operations) {
  state.counters["GFLOP/s"] = benchmark::Counter(operations * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["share"] = benchmark::Counter(operations / peak<T>(), benchmark::Counter::kIsIterationInvariantRate);
}

} // namespace bench
