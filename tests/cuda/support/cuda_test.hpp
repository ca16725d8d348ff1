// What the tests of kernels share: main(), which leaves without a device and sets the order of threads where the
// interpreter runs them, and the counters, which exist only there.
#pragma once
#include "llmap/core/cuda/buffer.cuh"
#include <cstdio>
#include <cstdlib>
#include <gtest/gtest.h>
#include <string_view>
#ifdef LLMAP_EMULATED
#include "cuda/runtime/stand_in.hpp"
#endif

namespace cuda_test {

#ifdef LLMAP_EMULATED
inline constexpr bool emulated = true;
inline void set_order() {
  const char* const name = std::getenv("LLMAP_ORDER");
  const std::string_view order = name ? name : "forward";
  ptx::launch_options options;
  options.first = order == "backward"   ? ptx::order::backward
                  : order == "shuffled" ? ptx::order::shuffled
                                        : ptx::order::forward;
  options.most_instructions = 20'000'000;
  stand_in::use(options);
}
/// What body's launches did, in the order in which lanes that part meet again soonest, as on a device.
template <class Body> ptx::counters count(const Body& body) {
  ptx::launch_options options;
  options.sectors = true;
  stand_in::use(options);
  stand_in::reset_counters();
  body();
  set_order();
  return stand_in::counted();
}
#else
inline constexpr bool emulated = false;
inline void set_order() {}
#endif

} // namespace cuda_test

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (llmap::cuda_devices().empty()) {
    std::puts("skipped: no CUDA device");
    return 77;
  }
  cuda_test::set_order();
  return RUN_ALL_TESTS();
}
