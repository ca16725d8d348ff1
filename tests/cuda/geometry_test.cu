// The map's steps on the device against plain loops in double and against the CPU's contracts: odd sizes, both types,
// near and equal models, entries that are not finite, and the bits in every order of threads.
#include "cuda/support/device_matrix.hpp"
#include "llmap/geometry/affinities.hpp"
#include "llmap/geometry/cuda/center.cuh"
#include "llmap/geometry/cuda/clip.cuh"
#include "llmap/geometry/cuda/pca.cuh"
#include "llmap/geometry/cuda/squared_distances.cuh"
#include "llmap/geometry/cuda/tsne.cuh"
#include "llmap/reference/map_reference.hpp"
#include "support/golden.hpp"
#include <array>

using namespace llmap;
using namespace cuda_test;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
const cuda_executor exec;
const std::vector<std::array<std::size_t, 2>> shapes{{1, 2}, {2, 3}, {7, 300}, {67, 33}};

/// Log-likelihoods as they are: hundreds of nats, models near one another.
template <class T> matrix<T> scores(std::size_t K, std::size_t N) {
  const counter_random random{7};
  matrix<T> l(K, N);
  for (std::size_t i = 0; i < K; ++i)
    for (std::size_t s = 0; s < N; ++s)
      l(i, s) = static_cast<T>(-300 + 90 * random.normal(0, s) + 5 * random.normal(1, i * N + s));
  return l;
}
template <class T> reference::rows rows_of(const matrix<T>& m) { return reference::rows_of(matrix<double>(m.view())); }
/// Rows apart, with NaN between them.
template <class T> device_matrix<T> on_device(const matrix<T>& m) {
  return {exec, m.rows(), m.cols(), {m.span().begin(), m.span().end()}};
}
double largest(const reference::rows& x) {
  double most = 0;
  for (const auto& row : x)
    for (const double v : row) most = std::max(most, std::abs(v));
  return most;
}

template <class T> class cuda_geometry : public testing::Test {};
using types = testing::Types<float, double>;
TYPED_TEST_SUITE(cuda_geometry, types);

} // namespace

TYPED_TEST(cuda_geometry, the_threshold_is_that_of_the_cpu) {
  using T = TypeParam;
  for (const auto [K, N] : shapes) {
    matrix<T> l = scores<T>(K, N);
    if (N > 3) l(0, 1) = static_cast<T>(not_a_number), l(1, 2) = static_cast<T>(-inf), l(2, 2) = static_cast<T>(inf);
    if (N > 300) l(3, 4) = 0, l(3, 5) = static_cast<T>(-0.0), l(4, 4) = static_cast<T>(3);
    const device_matrix<T> x = on_device(l);
    for (const double q : {0.0, 0.02, 0.5, 1.0})
      EXPECT_EQ(clip_threshold<T>(exec, x, q), clip_threshold(cpu_executor{1}, l.view(), q)) << K << ' ' << N;
    EXPECT_NEAR(clip_threshold<T>(exec, x), reference::clip_threshold(rows_of(l), 0.02), 1e-10) << K << ' ' << N;
  }
  const matrix<T> ties{{-1, -1, -1, -2}, {-1, -1, -1, -1}}, none(2, 3, static_cast<T>(-inf)), empty;
  EXPECT_EQ(clip_threshold<T>(exec, on_device(ties), 0.5), -1);
  EXPECT_EQ(golden::message_of([&] { clip_threshold<T>(exec, on_device(none)); }), "quantile: no finite value");
  EXPECT_EQ(golden::message_of([&] { clip_threshold<T>(exec, on_device(empty)); }), "quantile: no finite value");
  EXPECT_EQ(golden::message_of([&] { clip_threshold<T>(exec, on_device(ties), 1.5); }),
            "quantile: q is 1.5, expected 0 to 1");
}

TYPED_TEST(cuda_geometry, clipping_raises_what_is_below_and_keeps_nan) {
  using T = TypeParam;
  matrix<T> l = scores<T>(5, 300);
  l(0, 7) = static_cast<T>(not_a_number), l(3, 299) = static_cast<T>(-inf), l(4, 0) = static_cast<T>(inf);
  const double threshold = clip_threshold(cpu_executor{1}, l.view(), 0.1);
  const clipped_matrix<T> want = clip(cpu_executor{1}, l.view(), threshold);
  const auto same = [&](const cuda_clipped_matrix<T>& got) {
    EXPECT_EQ(got.raised, want.raised);
    EXPECT_EQ(got.threshold, threshold);
    const matrix<T> values = download(exec, got.values);
    for (std::size_t k = 0; k < values.size(); ++k)
      if (k == 7) EXPECT_TRUE(std::isnan(values.data()[k]));
      else ASSERT_EQ(values.data()[k], want.values.data()[k]) << k;
  };
  ASSERT_GT(want.raised, 100u);
  same(clip<T>(exec, on_device(l), threshold));
  same(clip(exec, upload(exec, l.view()), threshold));
  EXPECT_EQ(clip(exec, matrix_view<const T>(), -1).raised, 0u);
}

TYPED_TEST(cuda_geometry, centers_within_one_rounding) {
  using T = TypeParam;
  for (const auto [K, N] : shapes) {
    const matrix<T> l = scores<T>(K, N);
    const reference::rows rows = rows_of(l), want = reference::double_center(rows);
    const auto got = center<T>(exec, on_device(l));
    const matrix<T> q = download(exec, got.q);
    const double near = 16 * eps<double> * largest(rows);
    for (std::size_t i = 0; i < K; ++i) {
      ASSERT_NEAR(got.row_mean[i], reference::mean(rows[i]), near);
      for (std::size_t s = 0; s < N; ++s)
        ASSERT_NEAR(q(i, s), want[i][s], near + eps<T> * std::abs(want[i][s])) << K << ' ' << N << ' ' << i << ' ' << s;
    }
    for (std::size_t s = 0; s < N; ++s)
      ASSERT_NEAR(got.column_mean[s], rows[0][s] - got.row_mean[0] - want[0][s], 2 * near);
  }
  matrix<T> copies(37, 33);
  for (std::size_t i = 0; i < 37; ++i)
    for (std::size_t s = 0; s < 33; ++s) copies(i, s) = static_cast<T>(-0.1 * static_cast<double>(s));
  const matrix<T> centered = download(exec, center<T>(exec, on_device(copies)).q);
  for (const T v : centered.span()) ASSERT_EQ(v, 0);
}

TYPED_TEST(cuda_geometry, what_is_not_finite_is_refused_as_on_the_cpu) {
  using T = TypeParam;
  for (const double bad : {not_a_number, -inf}) {
    matrix<T> l = scores<T>(3, 290);
    l(2, 289) = static_cast<T>(bad);
    const device_matrix<T> x = on_device(l);
    EXPECT_EQ(golden::message_of([&] { center<T>(exec, x); }),
              golden::message_of([&] { center(cpu_executor{1}, l.view()); }));
    EXPECT_EQ(golden::message_of([&] { squared_distances<T>(exec, x); }),
              golden::message_of([&] { squared_distances(cpu_executor{1}, l.view()); }));
    EXPECT_EQ(golden::message_of([&] { pca<T>(exec, x); }),
              golden::message_of([&] { pca(cpu_executor{1}, l.view()); }));
  }
  const matrix_view<const T> empty;
  EXPECT_THROW(center(exec, empty), contract_error);
  EXPECT_THROW(squared_distances(exec, empty), contract_error);
  EXPECT_THROW(pca(exec, empty), contract_error);
  EXPECT_EQ(download(exec, gram(exec, empty)).size(), 0u);
  EXPECT_EQ(golden::message_of([&] { center<T>(exec, on_device(matrix<T>(3, 1, T(1)))); }),
            "center: expected at least 2 texts, got 1");
}

TYPED_TEST(cuda_geometry, distances_of_near_models_are_as_right_as_far_ones) {
  using T = TypeParam;
  for (const auto [K, N] : {std::array<std::size_t, 2>{1, 2}, {3, 1}, {67, 33}, {130, 17}, {5, 700}}) {
    matrix<T> l = scores<T>(K, N);
    if (K > 4)
      for (std::size_t s = 0; s < N; ++s) {
        l(2, s) = l(0, s);                                              // a copy
        l(4, s) = static_cast<T>(l(0, s) * (1 + 4 * eps<T> * (s % 3))); // a last bit or two apart
      }
    const reference::rows want = reference::squared_distances(rows_of(l));
    const matrix<double> got = download(exec, squared_distances<T>(exec, on_device(l)));
    ASSERT_EQ(got.rows(), K);
    for (std::size_t i = 0; i < K; ++i)
      for (std::size_t j = 0; j < K; ++j) {
        ASSERT_NEAR(got(i, j), want[i][j], squared_distance_error * want[i][j])
            << K << ' ' << N << ' ' << i << ' ' << j;
        ASSERT_EQ(got(i, j), got(j, i));
      }
    if (K > 4) EXPECT_EQ(got(0, 2), 0);
    if (K > 4) EXPECT_GT(got(0, 4), 0);
  }
}

TYPED_TEST(cuda_geometry, gram_matrix) {
  using T = TypeParam;
  for (const auto [K, N] : {std::array<std::size_t, 2>{1, 1}, {66, 18}, {3, 600}}) {
    const matrix<T> x = scores<T>(K, N);
    const reference::rows rows = rows_of(x), want = reference::gram(rows);
    const matrix<double> got = download(exec, gram<T>(exec, on_device(x)));
    for (std::size_t i = 0; i < K; ++i)
      for (std::size_t j = 0; j < K; ++j) {
        double terms = 0;
        for (std::size_t s = 0; s < N; ++s) terms += std::abs(rows[i][s] * rows[j][s]);
        ASSERT_NEAR(got(i, j), want[i][j], (256 + static_cast<double>(N) / 256) * eps<double> * terms);
      }
  }
}

/// The images of eigenvectors: one block and several, its 32 rows at a time and its 8 of the result, whole and not.
TYPED_TEST(cuda_geometry, rows_combined) {
  using T = TypeParam;
  for (const auto [P, K, N] : {std::array<std::size_t, 3>{1, 1, 1}, {3, 70, 1100}, {8, 32, 512}, {9, 33, 257}}) {
    const matrix<T> rows = scores<T>(K, N);
    const matrix<double> weights = scores<double>(P, K);
    const matrix<double> got = gpu::combine_rows<T>(exec, weights.view(), on_device(rows));
    ASSERT_EQ(got.rows(), P);
    ASSERT_EQ(got.cols(), N);
    for (std::size_t p = 0; p < P; ++p)
      for (std::size_t s = 0; s < N; ++s) {
        double want = 0, terms = 0;
        for (std::size_t k = 0; k < K; ++k) {
          const double term = weights(p, k) * static_cast<double>(rows(k, s));
          want += term, terms += std::abs(term);
        }
        ASSERT_NEAR(got(p, s), want, static_cast<double>(K) * eps<double> * terms) << p << ' ' << s;
      }
  }
  EXPECT_EQ(gpu::combine_rows<T>(exec, matrix<double>(0, 3).view(), on_device(scores<T>(3, 5))).cols(), 5u);
}

TYPED_TEST(cuda_geometry, principal_components) {
  using T = TypeParam;
  for (const auto [K, N] : {std::array<std::size_t, 2>{9, 70}, {70, 9}}) { // either Gram matrix
    const matrix<T> q = center(cpu_executor{1}, scores<T>(K, N).view()).q;
    const pca_result got = pca<T>(exec, on_device(q), 5), want = pca(cpu_executor{1}, q.view(), 5);
    ASSERT_EQ(got.scores.cols(), 5u);
    const reference::rows plain = reference::pca_scores(rows_of(q), 5);
    for (std::size_t i = 0; i < K; ++i)
      for (std::size_t p = 0; p < 5; ++p) ASSERT_NEAR(got.scores(i, p), plain[i][p], 1e-9) << i << ' ' << p;
    for (std::size_t k = 0; k < got.loadings.size(); ++k)
      ASSERT_NEAR(got.loadings.data()[k], want.loadings.data()[k], 1e-11) << k;
    for (std::size_t p = 0; p < 5; ++p)
      EXPECT_NEAR(got.explained_variance_ratio[p], want.explained_variance_ratio[p], 1e-13);
  }
  EXPECT_EQ(pca<T>(exec, on_device(matrix<T>(3, 4, T(0)))).scores.cols(), 0u);
  EXPECT_EQ(pca<T>(exec, on_device(matrix<T>(1, 4, T(1)))).scores.cols(), 0u);
}

namespace {
matrix<double> some_places(std::size_t K) {
  matrix<double> y(K, 2);
  for (std::size_t k = 0; k < y.size(); ++k) y.data()[k] = counter_random{9}.normal(0, k);
  return y;
}
template <class T> matrix<T> some_affinities(std::size_t K) {
  const matrix<double> l = scores<double>(K, 12);
  const auto squared = squared_distances(cpu_executor{1}, l.view());
  return matrix<T>(affinities(cpu_executor{1}, squared.view(), 4).joint.view());
}
} // namespace

TYPED_TEST(cuda_geometry, forces_between_models) {
  using T = TypeParam;
  for (const std::size_t K : {6, 33, 261}) {
    const matrix<T> p = some_affinities<T>(K);
    const matrix<double> y = some_places(K);
    const tsne_step got = tsne_gradient<T>(exec, on_device(p), y);
    const reference::rows want = reference::tsne_gradient(rows_of(p), reference::rows_of(y));
    for (std::size_t i = 0; i < K; ++i)
      for (std::size_t c = 0; c < 2; ++c)
        ASSERT_NEAR(got.gradient(i, c), want[i][c], 1e-15 * static_cast<double>(K)) << i;
    EXPECT_NEAR(got.objective, reference::tsne_objective(rows_of(p), reference::rows_of(y)), 1e-12);
    const tsne_step exaggerated = tsne_gradient<T>(exec, on_device(p), y, 12, false);
    EXPECT_EQ(exaggerated.objective, inf);
    EXPECT_GT(std::abs(exaggerated.gradient(0, 0) - got.gradient(0, 0)), 1e-6);
  }
  EXPECT_THROW(tsne_gradient<T>(exec, on_device(matrix<T>(3, 4, T(0))), some_places(3)), contract_error);
}

TYPED_TEST(cuda_geometry, a_map_descends_like_the_cpus) {
  using T = TypeParam;
  const std::size_t K = 20;
  const matrix<T> p = some_affinities<T>(K);
  matrix<double> start = some_places(K);
  for (double& x : start.span()) x *= 1e-4;
  tsne_options options;
  options.iterations = 20, options.exaggerated = 10, options.descents = 1;
  const device_matrix<T> joint = on_device(p);
  const tsne_result got = tsne<T>(exec, joint, start, options), want = tsne(cpu_executor{1}, p.view(), start, options);
  EXPECT_NEAR(got.objective, want.objective, 1e-9);
  for (std::size_t k = 0; k < start.size(); ++k) EXPECT_NEAR(got.y.data()[k], want.y.data()[k], 1e-7);
  EXPECT_EQ(got.y, tsne<T>(exec, joint, start, options).y);
  const matrix<T> alone(1, 1, T(0));
  EXPECT_EQ(tsne<T>(exec, on_device(alone), matrix<double>(1, 2, 0), options).y, matrix<double>(1, 2, 0));
}

#ifdef LLMAP_EMULATED
TYPED_TEST(cuda_geometry, every_order_of_threads_gives_the_same_bits) {
  using T = TypeParam;
  const matrix<T> l = scores<T>(67, 290), p = some_affinities<T>(33);
  const auto all = [&](ptx::order order) {
    ptx::launch_options options;
    options.first = order;
    stand_in::use(options);
    const device_matrix<T> x = on_device(l);
    const auto centered = center<T>(exec, x);
    const matrix<T> q = download(exec, centered.q);
    const tsne_step step = tsne_gradient<T>(exec, on_device(p), some_places(33));
    std::vector<double> numbers(q.span().begin(), q.span().end());
    for (const auto& more : {download(exec, squared_distances<T>(exec, x)), download(exec, gram<T>(exec, x)),
                             gpu::combine_rows<T>(exec, scores<double>(9, 67).view(), x), step.gradient})
      numbers.insert(numbers.end(), more.span().begin(), more.span().end());
    numbers.insert(numbers.end(), centered.row_mean.begin(), centered.row_mean.end());
    numbers.push_back(step.objective);
    set_order();
    return numbers;
  };
  const auto forward = all(ptx::order::forward);
  EXPECT_EQ(all(ptx::order::backward), forward);
  EXPECT_EQ(all(ptx::order::shuffled), forward);
}

TYPED_TEST(cuda_geometry, counted) {
  using T = TypeParam;
  const std::size_t K = 128, N = 512;
  const matrix<T> l = scores<T>(K, N);
  const auto x = upload(exec, l.view());
  const matrix_view<const T> view = x.view();
  const double matrix_bytes = static_cast<double>(K * N * sizeof(T));
  const auto traffic = [&](const auto& body, double loads, double stores, const char* what) {
    const ptx::counters did = count([&] {
      body();
      synchronize(exec);
    });
    const double loaded = 32 * static_cast<double>(did.loads.sectors),
                 stored = 32 * static_cast<double>(did.stores.sectors);
    const double beyond = static_cast<double>(did.loads.passed_sectors + did.stores.sectors) /
                          static_cast<double>(did.loads.distinct_sectors + did.stores.distinct_sectors);
    std::printf(
        "%s: %.3f matrices loaded, %.3f stored, beyond the first-level cache %.3f of the least; %llu conflicts\n", what,
        loaded / matrix_bytes, stored / matrix_bytes, beyond, static_cast<unsigned long long>(did.bank_conflicts));
    EXPECT_LE(loaded, loads * matrix_bytes) << what;
    EXPECT_LE(stored, stores * matrix_bytes) << what;
    EXPECT_EQ(did.local_requests, 0u) << what;
    EXPECT_EQ(did.with("atom.") + did.with("red.global"), 0u) << what;
    EXPECT_EQ(did.bank_conflicts, 0u) << what;
    return beyond;
  };
  EXPECT_LE(traffic([&] { clip(exec, view, -400); }, 1.01, 1.02, "clip"), 1.05);
  // Three readings, and of doubles the means: of columns once each 32 rows, of rows once each 32 or 64 columns.
  EXPECT_LE(traffic([&] { center(exec, view); }, 3 + 0.6 * 8 / sizeof(T), 1.05, "center"), 1.05);
  EXPECT_LE(traffic([&] { gpu::transposed(exec, view); }, 1.01, 1.01, "transposed"), 1.05);
  traffic([&] { squared_distances(exec, view); }, 4.2, 0.7, "squared_distances");

  const std::size_t wide = 4 * N; // several blocks, of which each reads the weights
  const auto y = upload(exec, scores<T>(K, wide).view());
  const matrix<double> eight = scores<double>(8, K);
  const double of_a_row = 4 * 8.0 / sizeof(T) * 8 / K; // what is written, of doubles
  EXPECT_LE(traffic([&] { gpu::combine_rows<T>(exec, eight.view(), y.view()); }, 4.2, of_a_row, "combine_rows"), 1.05);
}
#endif
