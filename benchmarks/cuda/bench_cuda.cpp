// Every kernel of the head and of the pass at shapes of real models, products beside those of cuBLASLt.
#include "probe.hpp"
#include <cstdio>

int main(int argc, char** argv) {
  using namespace llmap;
  if (cuda_devices().empty()) {
    std::fprintf(stderr, "bench_cuda: no CUDA device\n");
    return 77;
  }
  bench::add_rows();
  bench::add_scans();
  bench::add_products();
  bench::add_heads();
  bench::add_attention();
  benchmark::AddCustomContext("device", cuda_devices().front().name);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
