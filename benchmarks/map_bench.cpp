// The steps of the map of K models over N texts, each at the size of a real map and at 2 and 4 times fewer models
// or texts, which shows how the cost grows. Products are also shares of the double-precision probe.
#include "llmap/core/random.hpp"
#include "llmap/geometry/center.hpp"
#include "llmap/geometry/clip.hpp"
#include "llmap/geometry/kl.hpp"
#include "llmap/geometry/pca.hpp"
#include "llmap/geometry/trees.hpp"
#include "llmap/geometry/tsne.hpp"
#include "probe.hpp"

namespace {
/// Seven families of models; benchmarks/peers/map_peers.py makes the same.
const llmap::row_matrix& matrix(const benchmark::State& state) {
  static llmap::row_matrix l;
  if (l.rows() == state.range(0) && l.cols() == state.range(1)) return l;
  l.resize(state.range(0), state.range(1));
  llmap::parallel_for(llmap::default_threads(), static_cast<std::size_t>(l.rows()), [&](std::size_t i) {
    for (Eigen::Index s = 0; s < l.cols(); ++s) {
      const auto text = static_cast<std::uint64_t>(s);
      l(static_cast<Eigen::Index>(i), s) =
          -600 + 30 * llmap::counter_random{1}.normal(i % 7, text) + 10 * llmap::counter_random{2}.normal(i, text);
    }
  });
  return l;
}
llmap::kl_table table(const benchmark::State& state) {
  return llmap::kl(matrix(state), std::vector<std::int64_t>(static_cast<std::size_t>(state.range(1)), 972));
}
/// Multiply-adds of all pairs of models over all texts, each pair once.
double pair_operations(const benchmark::State& state) {
  const auto K = static_cast<double>(state.range(0));
  return K * (K + 1) * static_cast<double>(state.range(1));
}

void clip_threshold(benchmark::State& state) {
  const auto& l = matrix(state);
  for (auto _ : state) benchmark::DoNotOptimize(llmap::clip_threshold(l));
}
void clip(benchmark::State& state) {
  const auto& l = matrix(state);
  for (auto _ : state) benchmark::DoNotOptimize(llmap::clip(l, -650).raised);
}
void clip_in_place(benchmark::State& state) {
  const auto& l = matrix(state);
  llmap::row_matrix copy(l.rows(), l.cols());
  llmap::advise_large_pages(copy.data(), static_cast<std::size_t>(copy.size()) * sizeof(double));
  for (auto _ : state) {
    state.PauseTiming();
    copy = l;
    state.ResumeTiming();
    copy = llmap::clip(std::move(copy), -650).values;
    benchmark::DoNotOptimize(copy.data());
  }
}
void center(benchmark::State& state) {
  const auto& l = matrix(state);
  for (auto _ : state) benchmark::DoNotOptimize(llmap::center(l).q.data());
}
void gram(benchmark::State& state) {
  const auto q = llmap::center(matrix(state)).q;
  for (auto _ : state) benchmark::DoNotOptimize(llmap::detail::gram_matrix(q, llmap::default_threads()).data());
  bench::report<double>(state, pair_operations(state));
}
void kl(benchmark::State& state) {
  matrix(state);
  for (auto _ : state) benchmark::DoNotOptimize(table(state).nats.data());
  bench::report<double>(state, pair_operations(state));
}
void kl_errors(benchmark::State& state) {
  const auto& l = matrix(state);
  const auto t = table(state);
  for (auto _ : state) benchmark::DoNotOptimize(llmap::kl_errors(l, t).standard_error.data());
}
void pca(benchmark::State& state) { // two components
  const auto q = llmap::center(matrix(state)).q;
  for (auto _ : state) benchmark::DoNotOptimize(llmap::pca(q, {2}).scores.data());
}
void pca_ten(benchmark::State& state) { // those of a map
  const auto q = llmap::center(matrix(state)).q;
  for (auto _ : state) benchmark::DoNotOptimize(llmap::pca(q, {10}).scores.data());
}
void affinities(benchmark::State& state) {
  const auto squared = squared_distance(table(state));
  for (auto _ : state) benchmark::DoNotOptimize(llmap::affinities(squared, 30).joint.data());
}
struct tsne_problem {
  llmap::row_matrix joint;
  llmap::coordinates_2d start;
  explicit tsne_problem(const benchmark::State& state)
      : joint(llmap::affinities(squared_distance(table(state)), 30).joint),
        start(llmap::tsne_start(llmap::pca(llmap::center(matrix(state)).q, {2}).scores)) {}
};
void tsne(benchmark::State& state) { // one descent of 1000 steps, as other libraries make
  const tsne_problem problem(state);
  const llmap::tsne_options options;
  for (auto _ : state) {
    llmap::detail::tsne_forces forces(problem.joint, options.threads);
    benchmark::DoNotOptimize(llmap::detail::descend(forces, problem.start, 50, options).objective);
  }
}
void tsne_best(benchmark::State& state) { // of several descents, polished: the default
  const tsne_problem problem(state);
  for (auto _ : state) benchmark::DoNotOptimize(llmap::tsne(problem.joint, problem.start).objective);
}
void tree(benchmark::State& state) {
  const auto bits = kl_bits_per_byte(table(state));
  for (auto _ : state) benchmark::DoNotOptimize(llmap::agglomerate(bits, llmap::linkage_kind::average).merges.data());
}
void sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"models", "texts"})->UseRealTime()->Unit(benchmark::kMillisecond);
  for (const auto& size : {std::pair{1018, 10000}, {509, 10000}, {254, 10000}, {1018, 5000}, {1018, 2500}})
    b->Args({size.first, size.second});
}
void sizes_of_models(benchmark::internal::Benchmark* b) { // the cost does not hang on the texts
  b->ArgNames({"models", "texts"})->UseRealTime()->Unit(benchmark::kMillisecond);
  for (const int models : {1018, 509, 254}) b->Args({models, 10000});
}
} // namespace
BENCHMARK(clip_threshold)->Apply(sizes);
BENCHMARK(clip)->Apply(sizes);
BENCHMARK(clip_in_place)->Apply(sizes);
BENCHMARK(center)->Apply(sizes);
BENCHMARK(gram)->Apply(sizes);
BENCHMARK(kl)->Apply(sizes);
BENCHMARK(kl_errors)->Apply(sizes);
BENCHMARK(pca)->Apply(sizes);
BENCHMARK(pca_ten)->Apply(sizes);
BENCHMARK(affinities)->Apply(sizes_of_models);
BENCHMARK(tsne)->Apply(sizes_of_models);
BENCHMARK(tsne_best)->Apply(sizes_of_models);
BENCHMARK(tree)->Apply(sizes_of_models);
