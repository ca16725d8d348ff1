// cross_entropy over given logits on the device, against plain loops in double.
#include "cuda/support/cuda_test.hpp"
#include "llmap/core/random.hpp"
#include "llmap/likelihood/cuda/cross_entropy.cuh"
#include "llmap/reference/forward_reference.hpp"

using namespace llmap;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

template <class Stored> Stored stored(double x) {
  if constexpr (sizeof(Stored) == 2) return Stored(static_cast<float>(x));
  else return static_cast<Stored>(x);
}

/// Rows of normals, each shifted by what the row is; `first` elements lie before the first row.
template <class Stored> struct problem {
  std::size_t M, V, stride, first;
  std::vector<Stored> logits;
  std::vector<std::int32_t> targets;

  problem(std::size_t M, std::size_t V, double spread = 3, std::size_t gap = 0, std::size_t first = 0)
      : M(M), V(V), stride(V + gap), first(first), logits(first + M * stride) {
    const counter_random random{7};
    for (std::size_t r = 0; r < M; ++r) {
      for (std::size_t v = 0; v < V; ++v)
        row(r)[v] = stored<Stored>(spread * random.normal(r, v) + 4 * static_cast<double>(r));
      targets.push_back(static_cast<std::int32_t>(r == 0 ? 0 : r == 1 ? V - 1 : random.below(100, r, V)));
    }
  }
  Stored* row(std::size_t r) { return logits.data() + first + r * stride; }

  std::vector<double> run(const head_options& options = {}) const {
    const cuda_executor exec;
    const cuda_buffer<Stored> on_device(exec, std::span<const Stored>(logits));
    const cuda_buffer<std::int32_t> which(exec, std::span<const std::int32_t>(targets));
    const cuda_buffer<double> result(exec, M);
    cross_entropy(exec, matrix_view<const Stored>(on_device.data() + first, M, V, stride), which.span(), options,
                  result.span());
    return result.download(exec);
  }
  double expected(std::size_t r, const head_options& o) const {
    std::vector<double> z(V);
    for (std::size_t v = 0; v < V; ++v) {
      z[v] = o.scale * static_cast<double>(logits[first + r * stride + v]);
      if (o.softcap != 0) z[v] = o.softcap * std::tanh(z[v] / o.softcap);
    }
    return reference::cross_entropy(z, static_cast<std::size_t>(targets[r]));
  }
};

/// The largest error a row may have: 8 eps of what the sum's logarithm and the target's logit are made of.
template <class Stored> double bound(double most) {
  constexpr double eps = sizeof(gpu::working_t<Stored>) == 8 ? 0x1p-52 : 0x1p-23;
  return 8 * eps * (1 + most);
}

template <class Stored> class given_logits : public testing::Test {};
using stored_types = testing::Types<double, float, bf16, f16>;
TYPED_TEST_SUITE(given_logits, stored_types);

} // namespace

TYPED_TEST(given_logits, like_the_reference) {
  for (const std::size_t V : {1, 2, 3, 31, 255, 256, 257, 2047, 2048, 2049, 5000})
    for (const std::size_t M : {1, 5})
      for (const head_options o : {head_options{1, 0}, head_options{0.5, 7}}) {
        const problem<TypeParam> p(M, V);
        const auto got = p.run(o);
        for (std::size_t r = 0; r < M; ++r)
          ASSERT_NEAR(got[r], p.expected(r, o), bound<TypeParam>(40)) << V << ' ' << r;
      }
}
