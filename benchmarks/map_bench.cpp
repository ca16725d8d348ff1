// The steps of the map of K models over N texts, each at the size of a real map and at 2 and 4 times fewer models or
// texts, which shows how the cost grows. Products are also shares of the double-precision probe. If a solver is our
// own, that of Eigen is measured too.
#include "llmap/core/random.hpp"
#include "llmap/geometry/center.hpp"
#include "llmap/geometry/clip.hpp"
#include "llmap/geometry/kl.hpp"
#include "llmap/geometry/linkage.hpp"
#include "llmap/geometry/pca.hpp"
#include "llmap/geometry/tsne.hpp"
#include "probe.hpp"
#include <Eigen/Eigenvalues>

namespace {
const llmap::cpu_executor exec;

/// Seven families of models; benchmarks/peers/map_peers.py makes the same.
llmap::matrix_view<const double> matrix(const benchmark::State& state) {
  static llmap::matrix<double> l;
  const auto K = static_cast<std::size_t>(state.range(0)), N = static_cast<std::size_t>(state.range(1));
  if (l.rows() == K && l.cols() == N) return l.view();
  l.resize(K, N);
  llmap::parallel_for(exec.threads, K, [&](std::size_t i) {
    for (std::size_t s = 0; s < N; ++s)
      l(i, s) = -600 + 30 * llmap::counter_random{1}.normal(i % 7, s) + 10 * llmap::counter_random{2}.normal(i, s);
  });
  return l.view();
}
llmap::kl_table table(const benchmark::State& state) {
  return llmap::kl(exec, matrix(state), std::vector<std::int64_t>(static_cast<std::size_t>(state.range(1)), 972));
}
/// Multiply-adds of all pairs of models over all texts, each pair once.
double pair_operations(const benchmark::State& state) {
  const auto K = static_cast<double>(state.range(0));
  return K * (K + 1) * static_cast<double>(state.range(1));
}

void clip_threshold(benchmark::State& state) {
  const auto l = matrix(state);
  for (auto _ : state) benchmark::DoNotOptimize(llmap::clip_threshold(exec, l));
}
void clip(benchmark::State& state) {
  const auto l = matrix(state);
  for (auto _ : state) benchmark::DoNotOptimize(llmap::clip(exec, l, -650).raised);
}
void clip_in_place(benchmark::State& state) {
  const auto l = matrix(state);
  llmap::matrix<double> copy(l);
  for (auto _ : state) {
    state.PauseTiming();
    std::copy_n(l.data, copy.size(), copy.data());
    state.ResumeTiming();
    copy = llmap::clip(exec, std::move(copy), -650).values;
    benchmark::DoNotOptimize(copy.data());
  }
}
void center(benchmark::State& state) {
  const auto l = matrix(state);
  for (auto _ : state) benchmark::DoNotOptimize(llmap::center(exec, l).q.data());
}
void gram(benchmark::State& state) {
  const auto q = llmap::center(exec, matrix(state)).q;
  for (auto _ : state) benchmark::DoNotOptimize(llmap::gram(exec, q.view()).data());
  bench::report<double>(state, pair_operations(state));
}
void kl(benchmark::State& state) {
  matrix(state);
  for (auto _ : state) benchmark::DoNotOptimize(table(state).nats.data());
  bench::report<double>(state, pair_operations(state));
}
void kl_errors(benchmark::State& state) {
  const auto l = matrix(state);
  const auto t = table(state);
  for (auto _ : state) benchmark::DoNotOptimize(llmap::kl_errors(exec, l, t).standard_error.data());
}
void pca(benchmark::State& state) { // two components
  const auto q = llmap::center(exec, matrix(state)).q;
  for (auto _ : state) benchmark::DoNotOptimize(llmap::pca(exec, q.view(), 2).scores.data());
}
void pca_ten(benchmark::State& state) { // those of a map
  const auto q = llmap::center(exec, matrix(state)).q;
  for (auto _ : state) benchmark::DoNotOptimize(llmap::pca(exec, q.view(), 10).scores.data());
}
/// The part of pca that is not a product: ten vectors of a Gram matrix.
void eigenvectors(benchmark::State& state) {
  const auto products = llmap::gram(exec, llmap::center(exec, matrix(state)).q.view());
  for (auto _ : state) benchmark::DoNotOptimize(llmap::detail::solve_symmetric(exec, products, 10).vectors.data());
}
void eigenvectors_of_eigen(benchmark::State& state) { // all of them, on one thread
  const auto products = llmap::gram(exec, llmap::center(exec, matrix(state)).q.view());
  const Eigen::MatrixXd dense = Eigen::Map<const Eigen::MatrixXd>(products.data(), state.range(0), state.range(0));
  for (auto _ : state)
    benchmark::DoNotOptimize(Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(dense).eigenvectors().data());
}
void affinities(benchmark::State& state) {
  const auto squared = squared_distances(table(state));
  for (auto _ : state) benchmark::DoNotOptimize(llmap::affinities(exec, squared.view(), 30).joint.data());
}
struct tsne_problem {
  llmap::matrix<double> joint, start;
  explicit tsne_problem(const benchmark::State& state)
      : joint(llmap::affinities(exec, squared_distances(table(state)).view(), 30).joint),
        start(llmap::tsne_start(llmap::pca(exec, llmap::center(exec, matrix(state)).q.view(), 2).scores)) {}
};
void tsne(benchmark::State& state) { // one descent of 1000 steps, as other libraries make
  const tsne_problem problem(state);
  const llmap::tsne_options options;
  for (auto _ : state) {
    llmap::detail::tsne_forces forces(exec, problem.joint.view());
    benchmark::DoNotOptimize(llmap::detail::descend(forces, problem.start, 50, options).objective);
  }
}
void tsne_best(benchmark::State& state) { // of several descents, polished: the default
  const tsne_problem problem(state);
  for (auto _ : state) benchmark::DoNotOptimize(llmap::tsne(exec, problem.joint.view(), problem.start).objective);
}
void tree(benchmark::State& state) {
  const auto bits = kl_bits_per_byte(table(state));
  for (auto _ : state)
    benchmark::DoNotOptimize(llmap::linkage(exec, bits.view(), llmap::linkage_kind::average).merges.data());
}
void sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"models", "texts"})->UseRealTime()->Unit(benchmark::kMillisecond);
  for (const auto& size : {std::pair{1018, 10000}, {509, 10000}, {254, 10000}, {1018, 5000}, {1018, 2500}})
    b->Args({size.first, size.second});
}
void sizes_of_models(benchmark::internal::Benchmark* b) { // the cost does not depend on the texts
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
BENCHMARK(eigenvectors)->Apply(sizes_of_models);
BENCHMARK(eigenvectors_of_eigen)->Apply(sizes_of_models);
BENCHMARK(affinities)->Apply(sizes_of_models);
BENCHMARK(tsne)->Apply(sizes_of_models);
BENCHMARK(tsne_best)->Apply(sizes_of_models);
BENCHMARK(tree)->Apply(sizes_of_models);
