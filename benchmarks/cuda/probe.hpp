// What the benchmarks of kernels share. One set of them is linked twice: bench_cuda times them on a device by its own
// events (probe_device.cpp), emu_bench_cuda counts what their kernels ask for on the interpreter (probe_counted.cpp).
#pragma once
#include "llmap/core/cuda/executor.cuh"
#include <benchmark/benchmark.h>
#include <cstddef>
#include <functional>
#include <string>

namespace llmap::bench {

/// The least that an op moves to and from memory, and what it multiplies and adds.
struct least_work {
  double bytes = 0, operations = 0;
};

/// Whether kernels are counted, not timed: shapes are small then.
bool counted();
/// Runs `op`, which queues on the default stream, until its time is known, or once to count.
void measure(benchmark::State& state, const least_work& least, const std::function<void()>& op);
/// cuBLASLt, to stand beside; null where it is not there.
std::shared_ptr<cublas_lt> library();

/// Registers `run(state)`, timed by the device.
template <class Run> void add(const std::string& name, const Run& run) {
  benchmark::internal::Benchmark* const made = benchmark::RegisterBenchmark(name.c_str(), run);
  made->UseManualTime()->Unit(benchmark::kMicrosecond);
  if (counted()) made->Iterations(1);
}

void add_heads();
void add_products();
void add_attention();
void add_rows();
void add_scans();

} // namespace llmap::bench
