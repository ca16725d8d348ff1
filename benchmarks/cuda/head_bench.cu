// The fused head, and log p from stored logits.
#include "llmap/forward/cuda/cublas_lt.cuh"
#include "llmap/likelihood/cuda/cross_entropy.cuh"
#include "llmap/likelihood/cuda/linear_cross_entropy.cuh"
#include "operands.cuh"
#include "probe.hpp"

namespace llmap::bench {

namespace {

struct shape {
  std::size_t M, E, V;
  std::string name() const { return std::to_string(M) + "/" + std::to_string(E) + "/" + std::to_string(V); }
  double operations() const { return 2.0 * static_cast<double>(M) * static_cast<double>(E) * static_cast<double>(V); }
};

struct predictions {
  cuda_buffer<std::int32_t> targets;
  cuda_buffer<double> result;
  explicit predictions(std::size_t M) : result(cuda_executor{}, M) {
    std::vector<std::int32_t> all(M);
    for (std::size_t i = 0; i < M; ++i) all[i] = static_cast<std::int32_t>(i * 7 % 100);
    targets = cuda_buffer<std::int32_t>(cuda_executor{}, std::span<const std::int32_t>(all));
  }
  std::span<const std::int32_t> wanted() const { return targets.span(); }
  double bytes() const { return static_cast<double>(targets.size() * 12); }
};

template <class X> void fused(benchmark::State& state, const shape& s) {
  const operand<X> x(s.M, s.E);
  const operand<bf16> w(s.V, s.E);
  const predictions to(s.M);
  cuda_head_room<float> room;
  measure(state, {x.bytes() + w.bytes() + to.bytes(), s.operations()}, [&] {
    linear_cross_entropy(cuda_executor{}, matrix_view<const X>(x), matrix_view<const bf16>(w), {}, to.wanted(), {},
                         to.result.span(), room);
  });
}

/// The product alone, logits in float stored: what the fused head does besides, it does in this time or more.
void by_library(benchmark::State& state, const shape& s) {
  const operand<bf16> x(s.M, s.E), w(s.V, s.E);
  const cuda_buffer<float> logits(cuda_executor{}, cublas_lt::slab_rows * s.V);
  measure(state, {x.bytes() + w.bytes() + 4.0 * static_cast<double>(s.M * s.V), s.operations()}, [&] {
    for (std::size_t first = 0; first < s.M; first += cublas_lt::slab_rows)
      library()->multiply({}, {dtype::bf16, x.view().row(first), w.memory.data(), s.V, s.E, s.E, s.E}, logits.data(),
                          s.V, false);
  });
}

template <class L> void given(benchmark::State& state, const shape& s) {
  const operand<L> logits(s.M, s.V);
  const predictions to(s.M);
  measure(state, {logits.bytes() + to.bytes(), 0},
          [&] { cross_entropy(cuda_executor{}, matrix_view<const L>(logits), to.wanted(), {}, to.result.span()); });
}

} // namespace

void add_heads() {
  const auto shapes = counted() ? std::vector<shape>{{128, 64, 1024}}
                                : std::vector<shape>{{8192, 576, 49152}, {8192, 2048, 128256}, {8192, 4096, 128256}};
  for (const shape& s : shapes) {
    add("head/bf16/" + s.name(), [s](benchmark::State& state) { fused<bf16>(state, s); });
    add("head/float_by_bf16/" + s.name(), [s](benchmark::State& state) { fused<float>(state, s); });
    if (library()) add("head/cublas_product/" + s.name(), [s](benchmark::State& state) { by_library(state, s); });
    const shape stored{std::min<std::size_t>(s.M, 2048), s.E, s.V};
    add("cross_entropy/bf16/" + stored.name(), [stored](benchmark::State& state) { given<bf16>(state, stored); });
    add("cross_entropy/float/" + stored.name(), [stored](benchmark::State& state) { given<float>(state, stored); });
  }
}

} // namespace llmap::bench
