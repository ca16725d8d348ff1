// The map of K models over N texts: KL, PCA, t-SNE, tree.
#include "llmap/geometry/center.hpp"
#include "llmap/geometry/clip.hpp"
#include "llmap/geometry/kl.hpp"
#include "llmap/geometry/pca.hpp"
#include "llmap/geometry/trees.hpp"
#include "llmap/geometry/tsne.hpp"
#include "llmap/core/random.hpp"
#include <benchmark/benchmark.h>

namespace {
llmap::row_matrix matrix(Eigen::Index K, Eigen::Index N) {
  llmap::row_matrix l(K, N);
  for (Eigen::Index i = 0; i < K; ++i)
    for (Eigen::Index s = 0; s < N; ++s)
      l(i, s) = -600 + 30 * llmap::counter_random{1}.normal(static_cast<std::uint64_t>(i % 7), static_cast<std::uint64_t>(s)) +
                10 * llmap::counter_random{2}.normal(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(s));
  return l;
}
void kl(benchmark::State& state) {
  const auto l = matrix(state.range(0), state.range(1));
  const std::vector<std::int64_t> bytes(static_cast<std::size_t>(state.range(1)), 972);
  for (auto _ : state) benchmark::DoNotOptimize(llmap::kl(l, bytes).nats(0, 1));
}
void pca(benchmark::State& state) {
  const auto q = llmap::center(matrix(state.range(0), state.range(1))).q;
  for (auto _ : state) benchmark::DoNotOptimize(llmap::pca(q, {}).scores(0, 0));
}
void tsne(benchmark::State& state) {
  const auto l = matrix(state.range(0), state.range(1));
  const std::vector<std::int64_t> bytes(static_cast<std::size_t>(state.range(1)), 972);
  const llmap::row_matrix squared = squared_distance(llmap::kl(l, bytes));
  const auto start = llmap::tsne_start(llmap::pca(llmap::center(l).q, {}).scores);
  const auto joint = llmap::affinities(squared, 30, llmap::affinity_kind::euclidean, llmap::default_threads()).joint;
  for (auto _ : state) benchmark::DoNotOptimize(llmap::tsne(joint, start, {}).objective);
}
} // namespace
BENCHMARK(kl)->Args({200, 2000})->Args({1018, 10000})->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(pca)->Args({200, 2000})->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(tsne)->Args({200, 2000})->UseRealTime()->Unit(benchmark::kMillisecond);
