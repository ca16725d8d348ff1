// The fused head on a GPU, of numbers that lie there: hidden states in float, a vocabulary in bf16. The product runs on
// tensor cores with the hidden states in three parts of bf16, so that nothing of them is lost.
// Usage: 09_fused_head_cuda
#include "llmap/core/random.hpp"
#include "llmap/likelihood/cuda/linear_cross_entropy.cuh"
#include "llmap/reference/forward_reference.hpp"
#include <cstdio>
#include <vector>

using namespace llmap;

namespace {

constexpr std::size_t M = 64, E = 96, V = 3000; // rows, width, vocabulary

/// log softmax(x w^T) at the target, in double, logits and all.
double plain(const std::vector<float>& x, const std::vector<bf16>& w, std::size_t row, std::int32_t target) {
  std::vector<double> logits(V);
  for (std::size_t v = 0; v < V; ++v)
    for (std::size_t k = 0; k < E; ++k) logits[v] += double{x[row * E + k]} * double{w[v * E + k]};
  return reference::cross_entropy(logits, static_cast<std::size_t>(target));
}

} // namespace

int main() try {
  if (cuda_devices().empty()) fail("no CUDA device");
  // 1. Hidden states (M, E), vocabulary (V, E), targets (M)
  const counter_random random{1};
  std::vector<float> x(M * E);
  std::vector<bf16> w(V * E);
  std::vector<std::int32_t> targets(M);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(random.normal(0, i));
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = bf16(static_cast<float>(random.normal(1, i) / 4));
  for (std::size_t i = 0; i < M; ++i) targets[i] = static_cast<std::int32_t>(random.below(2, i, V));

  // 2. On the device, where a program of your own may have them already: any pointer will do
  const cuda_executor exec; // the default stream; yours: cuda_executor{stream}
  const cuda_buffer<float> hidden(exec, std::span<const float>(x));
  const cuda_buffer<bf16> vocabulary(exec, std::span<const bf16>(w));
  const cuda_buffer<std::int32_t> which(exec, std::span<const std::int32_t>(targets));
  const cuda_buffer<double> result(exec, M), halves(exec, M);

  // 3. Queued on the stream: nothing waits. Room is kept from call to call
  const matrix_view<const float> rows(hidden.data(), M, E);
  const matrix_view<const bf16> weights(vocabulary.data(), V, E);
  const std::span<const std::int32_t> wanted = which.span();
  cuda_head_room<float> room;
  linear_cross_entropy(exec, rows, weights, {}, wanted, {}, result.span(), room);
  for (const std::size_t first : {std::size_t{0}, M / 2})
    linear_cross_entropy(exec, rows.row_range(first, M / 2), weights, {}, wanted.subspan(first, M / 2), {},
                         halves.span().subspan(first, M / 2), room);

  // 4. Back to the host, which waits for the stream
  const std::vector<double> nats = result.download(exec);
  double difference = 0;
  for (std::size_t r = 0; r < M; ++r) difference = std::max(difference, std::abs(nats[r] - plain(x, w, r, targets[r])));
  std::printf("%zu rows, width %zu, vocabulary %zu\n", M, E, V);
  std::printf("log p of the first three targets: %.3f %.3f %.3f\n", nats[0], nats[1], nats[2]);
  std::printf("largest difference from plain loops in double: %s 1e-5 nats\n", difference < 1e-5 ? "below" : "above");
  std::printf("in two halves: %s\n", halves.download(exec) == nats ? "the same bits" : "other bits");
  return 0;
} catch (const llmap::error& problem) {
  std::fprintf(stderr, "%s\n", problem.what());
  return 1;
}
