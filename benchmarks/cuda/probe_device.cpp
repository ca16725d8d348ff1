#include "llmap/forward/cuda/cublas_lt.cuh"
#include "probe.hpp"

namespace llmap::bench {

bool counted() { return false; }

void measure(benchmark::State& state, const least_work& least, const std::function<void()>& op) {
  cudaEvent_t begin, end;
  LLMAP_CUDA_CHECK(cudaEventCreate(&begin));
  LLMAP_CUDA_CHECK(cudaEventCreate(&end));
  for (int i = 0; i < 3; ++i) op();
  double seconds = 0;
  for (auto _ : state) {
    LLMAP_CUDA_CHECK(cudaEventRecord(begin));
    op();
    LLMAP_CUDA_CHECK(cudaEventRecord(end));
    LLMAP_CUDA_CHECK(cudaEventSynchronize(end));
    float milliseconds = 0;
    LLMAP_CUDA_CHECK(cudaEventElapsedTime(&milliseconds, begin, end));
    state.SetIterationTime(milliseconds * 1e-3);
    seconds += milliseconds * 1e-3;
  }
  LLMAP_CUDA_CHECK(cudaEventDestroy(begin));
  LLMAP_CUDA_CHECK(cudaEventDestroy(end));
  const double runs = static_cast<double>(state.iterations());
  state.counters["GB/s"] = 1e-9 * least.bytes * runs / seconds;
  if (least.operations > 0) state.counters["TFLOP/s"] = 1e-12 * least.operations * runs / seconds;
}

std::shared_ptr<cublas_lt> library() try {
  static const auto loaded = std::make_shared<cublas_lt>("libcublasLt.so." + std::to_string(CUDART_VERSION / 1000));
  return loaded;
} catch (const error&) {
  return nullptr;
}

} // namespace llmap::bench
