// The fused head on the device against plain loops in double, in every pairing of types that it has.
#include "cuda/support/cuda_test.hpp"
#include "llmap/core/random.hpp"
#include "llmap/likelihood/cuda/linear_cross_entropy.cuh"
#include "llmap/reference/forward_reference.hpp"
#include <algorithm>
#include <cmath>

using namespace llmap;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

template <class Stored> Stored stored(double x) {
  if constexpr (sizeof(Stored) == 2) return Stored(static_cast<float>(x));
  else return static_cast<Stored>(x);
}

template <class X, class W> struct pairing {
  using x_type = X;
  using w_type = W;
};

/// x (M, E) and w (V, E) of normals, rows `gap` apart beyond their length.
template <class P> struct problem {
  using X = typename P::x_type;
  using W = typename P::w_type;
  using T = gpu::working_t<X>;
  std::size_t M, E, V, gap;
  std::vector<X> x;
  std::vector<W> w;
  std::vector<T> bias;
  std::vector<std::int32_t> targets;

  problem(std::size_t M, std::size_t E, std::size_t V, bool with_bias = false, std::size_t gap = 0, double scale = 1)
      : M(M), E(E), V(V), gap(gap), x(M * (E + gap)), w(V * (E + gap)) {
    const counter_random random{11};
    for (std::size_t r = 0; r < M; ++r)
      for (std::size_t k = 0; k < E; ++k) x[r * (E + gap) + k] = stored<X>(scale * random.normal(r, k));
    for (std::size_t v = 0; v < V; ++v)
      for (std::size_t k = 0; k < E; ++k)
        w[v * (E + gap) + k] = stored<W>(random.normal(1000 + v, k) * 2 / std::sqrt(static_cast<double>(E)));
    if (with_bias)
      for (std::size_t v = 0; v < V; ++v) bias.push_back(static_cast<T>(random.normal(1, v)));
    for (std::size_t r = 0; r < M; ++r)
      targets.push_back(static_cast<std::int32_t>(r == 0 ? V - 1 : r == 1 ? 0 : random.below(2, r, V)));
  }
  std::vector<double> run(const head_options& options = {}) const {
    const cuda_executor exec;
    const cuda_buffer<X> rows(exec, std::span<const X>(x));
    const cuda_buffer<W> weights(exec, std::span<const W>(w));
    const cuda_buffer<T> biases(exec, std::span<const T>(bias));
    const cuda_buffer<std::int32_t> which(exec, std::span<const std::int32_t>(targets));
    const cuda_buffer<double> result(exec, M);
    linear_cross_entropy(exec, matrix_view<const X>(rows.data(), M, E, E + gap),
                         matrix_view<const W>(weights.data(), V, E, E + gap), std::span<const T>(biases.span()),
                         std::span<const std::int32_t>(which.span()), options, result.span());
    return result.download(exec);
  }
  double expected(std::size_t r, const head_options& o) const {
    std::vector<double> z(V);
    for (std::size_t v = 0; v < V; ++v) {
      double sum = 0;
      for (std::size_t k = 0; k < E; ++k)
        sum += static_cast<double>(x[r * (E + gap) + k]) * static_cast<double>(w[v * (E + gap) + k]);
      z[v] = o.scale * sum + (bias.empty() ? 0 : static_cast<double>(bias[v]));
      if (o.softcap != 0) z[v] = o.softcap * std::tanh(z[v] / o.softcap);
    }
    return reference::cross_entropy(z, static_cast<std::size_t>(targets[r]));
  }
  /// What a logit may be off by, summed over E products, and 8 eps of the logarithm.
  double bound() const {
    constexpr double eps = sizeof(T) == 8 ? 0x1p-52 : 0x1p-23;
    return eps * (static_cast<double>(E) * 4 + 8 * 40);
  }
};

template <class P> class fused_head : public testing::Test {};
using pairings = testing::Types<pairing<bf16, bf16>, pairing<f16, f16>, pairing<float, bf16>, pairing<float, float>,
                                pairing<double, double>>;
TYPED_TEST_SUITE(fused_head, pairings);

} // namespace

TYPED_TEST(fused_head, like_the_reference) {
  for (const std::size_t V : {1, 2, 255, 256, 257, 600})
    for (const std::size_t M : {1, 7, 130})
      for (const std::size_t E : {8, 33, 72}) {
        const problem<TypeParam> p(M, E, V, V % 2 == 1);
        const head_options o = M == 7 ? head_options{0.5, 3} : head_options{};
        const auto got = p.run(o);
        for (std::size_t r = 0; r < M; ++r)
          ASSERT_NEAR(got[r], p.expected(r, o), p.bound()) << "V " << V << " E " << E << " row " << r;
      }
}
