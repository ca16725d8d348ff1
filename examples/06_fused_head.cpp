// The head alone: log-probabilities of targets from hidden states and a vocabulary matrix, without ever storing the
// logits. They would take M x V numbers; the fused head keeps a few hundred columns of them at a time.
// Random hidden states go once through linear_cross_entropy and once through plain loops in double.
// Usage: 06_fused_head
#include "llmap/core/random.hpp"
#include "llmap/likelihood/cpu/linear_cross_entropy.hpp"
#include <cstdio>
#include <vector>

namespace {

constexpr std::size_t M = 64, E = 96, V = 3000; // rows, width, vocabulary

/// log softmax(x w^T) at the target, in double, logits and all.
std::vector<double> plain(const std::vector<float>& x, const std::vector<float>& w,
                          const std::vector<std::int32_t>& targets) {
  std::vector<double> result;
  for (std::size_t r = 0; r < M; ++r) {
    std::vector<double> logits(V);
    for (std::size_t v = 0; v < V; ++v)
      for (std::size_t k = 0; k < E; ++k) logits[v] += double{x[r * E + k]} * double{w[v * E + k]};
    const double most = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (double z : logits) sum += std::exp(z - most);
    result.push_back(logits[static_cast<std::size_t>(targets[r])] - most - std::log(sum));
  }
  return result;
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

} // namespace

int main() {
  // 1. Hidden states (M, E), vocabulary (V, E), targets (M)
  const llmap::counter_random random{1};
  std::vector<float> x(M * E), w(V * E);
  std::vector<std::int32_t> targets(M);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(random.normal(0, i));
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = static_cast<float>(random.normal(1, i) / 4);
  for (std::size_t i = 0; i < M; ++i) targets[i] = static_cast<std::int32_t>(random.below(2, i, V));

  // 2. The vocabulary, packed for the matrix product
  const llmap::cpu_executor exec;
  const auto packed = llmap::pack<float>(exec, llmap::matrix_view<const float>(w.data(), V, E));

  // 3. Both ways, and the two halves of the rows separately: the same bits, whatever the batch
  std::vector<double> fused(M), halves(M);
  const llmap::matrix_view<const float> rows(x.data(), M, E);
  llmap::linear_cross_entropy(exec, rows, packed, targets, {}, fused);
  for (std::size_t first : {std::size_t{0}, M / 2})
    llmap::linear_cross_entropy(exec, rows.row_range(first, M / 2), packed, std::span(targets).subspan(first, M / 2),
                                {}, std::span(halves).subspan(first, M / 2));
  const std::vector<double> expected = plain(x, w, targets);
  std::printf("%zu rows, width %zu, vocabulary %zu\n", M, E, V);
  std::printf("log p of the first three targets: %.3f %.3f %.3f\n", fused[0], fused[1], fused[2]);
  // The exact figure depends on the width of the machine's vectors; its size does not.
  const double difference = largest_difference(fused, expected);
  std::printf("largest difference from plain loops in double: %s 1e-5 nats\n", difference < 1e-5 ? "below" : "above");
  std::printf("in two halves: %s\n", halves == fused ? "the same bits" : "other bits");
  std::fprintf(stderr, "largest difference %.2g nats\n", difference);
  return difference < 1e-5 && halves == fused ? 0 : 1;
}
