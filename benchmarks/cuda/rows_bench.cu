// Ops that only move: beside a copy by the device, which is what memory gives, and one from the host.
#include "llmap/forward/cuda/activate.cuh"
#include "llmap/forward/cuda/norm.cuh"
#include "llmap/forward/cuda/rope.cuh"
#include "llmap/forward/cuda/rows.cuh"
#include "operands.cuh"
#include "probe.hpp"

namespace llmap::bench {

void add_rows() {
  const std::size_t S = counted() ? 16 : 8160, C = counted() ? 256 : 4096;
  const std::string name = "/" + std::to_string(S) + "/" + std::to_string(C);
  if (!counted()) {
    add("copy" + name, [=](benchmark::State& state) {
      const operand<float> x(S, C), y(S, C);
      measure(state, {x.bytes() + y.bytes(), 0}, [&] {
        LLMAP_CUDA_CHECK(
            cudaMemcpyAsync(y.memory.data(), x.memory.data(), S * C * sizeof(float), cudaMemcpyDeviceToDevice));
      });
    });
    add("upload" + name, [=](benchmark::State& state) {
      const operand<float> y(S, C);
      float* pinned = nullptr;
      LLMAP_CUDA_CHECK(cudaMallocHost(&pinned, S * C * sizeof(float)));
      measure(state, {y.bytes(), 0}, [&] {
        LLMAP_CUDA_CHECK(cudaMemcpyAsync(y.memory.data(), pinned, S * C * sizeof(float), cudaMemcpyHostToDevice));
      });
      LLMAP_CUDA_CHECK(cudaFreeHost(pinned));
    });
  }
  add("add_scaled" + name, [=](benchmark::State& state) {
    const operand<float> x(S, C), y(S, C);
    measure(state, {x.bytes() + 2 * y.bytes(), 0},
            [&] { add_scaled<float>({}, x.view(), 1.f, y.view(), store_mode::add); });
  });
  const std::size_t rows = counted() ? 2048 : S; // so many that a team takes several
  add("rms_norm/" + std::to_string(rows) + "/" + std::to_string(C), [=](benchmark::State& state) {
    const operand<float> x(rows, C), y(rows, C), weight(1, C);
    norm_weights<cuda_executor, float> w{.epsilon = 1e-6, .width = C};
    w.weight = cuda_buffer<float>(cuda_executor{}, std::span<const float>(std::vector<float>(C, 1.f)));
    measure(state, {x.bytes() + y.bytes() + weight.bytes(), 0},
            [&] { norm<float>(cuda_executor{}, x.view(), w, y.view()); });
  });
  add("swiglu" + name, [=](benchmark::State& state) {
    const operand<float> x(S, 2 * C), y(S, C);
    measure(state, {x.bytes() + y.bytes(), 0},
            [&] { activate<float>({}, activation::silu, true, x.view(), y.view()); });
  });
  add("rope" + name, [=](benchmark::State& state) {
    const std::size_t D = 128;
    const operand<float> x(S, C), angles(S, D);
    measure(state, {2 * x.bytes() + angles.bytes(), 0}, [&] {
      rope<float>({}, x.view(), rotated_heads{C / D, D, 0, false}, angles.view());
    });
  });
}

} // namespace llmap::bench
