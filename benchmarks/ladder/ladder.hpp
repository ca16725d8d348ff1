// Prints the rungs of a ladder: time, speed, share of what the machine can do, gain over the previous rung.
#pragma once
#include "../probe.hpp"
#include "llmap/core/random.hpp"
#include "llmap/forward/cpu/pack.hpp"
#include <cstdio>
#include <vector>

namespace ladder {

/// Values in (-0.5, 0.5), the same in every run.
inline std::vector<float> random_values(std::uint64_t seed, std::size_t size) {
  std::vector<float> out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<float>(llmap::counter_random{seed}.uniform(0, i) - 0.5);
  return out;
}

/// W (rows, cols) and b (rows) in the library's own layout.
inline llmap::packed_matrix<float> pack(std::span<const float> w, std::span<const float> b, std::size_t rows,
                                        std::size_t cols) {
  return llmap::pack<float>(llmap::cpu_executor{}, llmap::matrix_view<const float>(w.data(), rows, cols), b);
}

class printer {
public:
  /// `operations`: floating-point operations of one run of a rung.
  printer(const char* title, double operations) : operations_(operations) {
    std::printf("\n%s\n%9s %9s %7s %6s  %s\n", title, "ms", "GFLOP/s", "probe", "gain", "step");
  }

  /// Times `work` and prints its line; the probe is measured with it on as many threads. `error` returns how far the
  /// result is from the right one, in units of what is allowed.
  template <class Work, class Error> void rung(const char* idea, int threads, const Work& work, const Error& error) {
    work();
    const double wrong = error();
    double best = 1e300, total = 0, peak = bench::measure_peak<float>(threads);
    for (int i = 0; i < 3 || (i < 50 && total < 0.5); ++i) {
      const auto start = std::chrono::steady_clock::now();
      work();
      const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      best = std::min(best, seconds);
      total += seconds;
    }
    peak = std::max(peak, bench::measure_peak<float>(threads));
    const double rate = operations_ / best;
    char gain[16] = "";
    if (last_ > 0) std::snprintf(gain, sizeof gain, "%5.2fx", rate / last_);
    std::printf("%9.2f %9.2f %5.1f %% %6s  %s%s\n", 1e3 * best, 1e-9 * rate, 100 * rate / peak, gain, idea,
                wrong <= 1 ? "" : "  WRONG RESULT");
    if (!(wrong <= 1)) failed_ = true;
    last_ = rate;
  }
  bool failed() const { return failed_; }

private:
  double operations_, last_ = 0;
  bool failed_ = false;
};

} // namespace ladder
