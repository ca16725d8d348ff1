// Products of the pass.
#include "llmap/forward/cuda/linear.cuh"
#include "operands.cuh"
#include "probe.hpp"

namespace llmap::bench {

namespace {

struct shape {
  std::size_t M, N, K;
  std::string name() const { return std::to_string(M) + "/" + std::to_string(N) + "/" + std::to_string(K); }
};

template <class Stored>
void product(benchmark::State& state, const shape& s, compute_type compute, std::shared_ptr<cublas_lt> with) {
  cuda_executor exec;
  exec.library = std::move(with);
  const operand<float> x(s.M, s.K), y(s.M, s.N);
  operand<Stored> weights(s.N, s.K);
  cuda_matrix<float> w{.type = dtype_of<Stored>, .compute = compute, .rows = s.N, .cols = s.K, .stride = s.K};
  w.bytes.resize(exec, s.N * s.K * sizeof(Stored));
  LLMAP_CUDA_CHECK(cudaMemcpyAsync(w.bytes.data(), weights.memory.data(), w.bytes.size(), cudaMemcpyDeviceToDevice));
  cuda_scratch<float> scratch;
  const double operations = 2.0 * static_cast<double>(s.M) * static_cast<double>(s.N) * static_cast<double>(s.K);
  measure(state, {x.bytes() + y.bytes() + weights.bytes(), operations},
          [&] { linear<float>(exec, matrix_view<const float>(x), w, y.view(), store_mode::overwrite, scratch); });
}

template <class Stored> void add_both(const std::string& name, const shape& s, compute_type compute) {
  add("linear/" + name + "/own/" + s.name(),
      [=](benchmark::State& state) { product<Stored>(state, s, compute, nullptr); });
  if (library())
    add("linear/" + name + "/cublas/" + s.name(),
        [=](benchmark::State& state) { product<Stored>(state, s, compute, library()); });
}

} // namespace

void add_products() {
  const auto shapes =
      counted()
          ? std::vector<shape>{{128, 256, 64}}
          : std::vector<shape>{
                {8192, 576, 576}, {8192, 1536, 576}, {8192, 6144, 4096}, {8192, 28672, 4096}, {8192, 4096, 14336}};
  for (const shape& s : shapes) {
    add_both<bf16>("bf16", s, compute_type::bf16);
    add_both<bf16>("float_by_bf16", s, compute_type::working);
    add("linear/float_by_f16/own/" + s.name(),
        [=](benchmark::State& state) { product<f16>(state, s, compute_type::working, nullptr); });
    add_both<float>("float", s, compute_type::working);
  }
}

} // namespace llmap::bench
