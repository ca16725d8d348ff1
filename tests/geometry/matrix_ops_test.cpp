// What geometry computes from any matrix, float or double, beside plain loops over the same numbers in double.
#include "llmap/core/random.hpp"
#include "llmap/geometry/linkage.hpp"
#include "llmap/geometry/mds.hpp"
#include "llmap/geometry/pca.hpp"
#include "llmap/geometry/squared_distances.hpp"
#include "llmap/geometry/tsne.hpp"
#include "llmap/reference/map_reference.hpp"
#include "support/message_of.hpp"
#include <gtest/gtest.h>

using namespace llmap;

namespace {
const cpu_executor exec;
constexpr double epsilon = std::numeric_limits<double>::epsilon();

template <class T> class matrix_ops : public testing::Test {};
using types = testing::Types<float, double>;
TYPED_TEST_SUITE(matrix_ops, types);

/// Rows about `mean`; from the third on each is `near` beside one of the first two.
template <class T> matrix<T> random_rows(std::size_t K, std::size_t N, double mean = 0, double near = 1) {
  const counter_random r{31};
  matrix<T> x(K, N);
  for (std::size_t i = 0; i < K; ++i)
    for (std::size_t s = 0; s < N; ++s)
      x(i, s) =
          static_cast<T>(i < 2 ? mean + r.normal(i, s) : static_cast<double>(x(i % 2, s)) + near * r.normal(i, s));
  return x;
}
/// Points whose principal axes have lengths well apart.
template <class T> matrix<T> long_cloud(std::size_t K, std::size_t N) {
  matrix<T> x = random_rows<T>(K, N);
  for (std::size_t i = 0; i < K; ++i)
    for (std::size_t s = 0; s < N; ++s) x(i, s) *= static_cast<T>(std::pow(0.6, s));
  return x;
}
double largest_difference(const matrix<double>& found, const reference::rows& wanted) {
  EXPECT_EQ(found.rows(), wanted.size());
  double worst = 0;
  for (std::size_t i = 0; i < found.rows(); ++i)
    for (std::size_t j = 0; j < found.cols(); ++j) worst = std::max(worst, std::abs(found(i, j) - wanted[i].at(j)));
  return worst;
}
double largest_entry(const reference::rows& x) {
  double largest = 0;
  for (const auto& row : x)
    for (const double v : row) largest = std::max(largest, std::abs(v));
  return largest;
}
template <class T> matrix<T> distances(std::size_t K) {
  matrix<T> out(squared_distances(exec, random_rows<T>(K, 5).view()).view());
  for (T& x : out.span()) x = std::sqrt(x);
  return out;
}
} // namespace

TYPED_TEST(matrix_ops, squared_distances) {
  for (const std::size_t K : {1u, 2u, 7u, 25u, 40u})
    for (const std::size_t N : {1u, 2u, 9u, 300u})
      for (const double mean : {0.0, 1e4})
        for (const double near : {1.0, 1e-3, 0.0}) {
          const matrix<TypeParam> x = random_rows<TypeParam>(K, N, mean, near);
          const matrix<double> found = squared_distances(exec, x.view());
          const auto wanted = reference::squared_distances(reference::rows_of(x));
          for (std::size_t i = 0; i < K; ++i)
            for (std::size_t j = 0; j < K; ++j)
              EXPECT_NEAR(found(i, j), wanted[i][j], squared_distance_error * wanted[i][j])
                  << K << " " << N << " " << mean << " " << near;
        }
  const matrix<TypeParam> wide = random_rows<TypeParam>(6, 40);
  EXPECT_EQ(squared_distances(exec, wide.view().column_range(3, 20)),
            squared_distances(exec, matrix<TypeParam>(wide.view().column_range(3, 20)).view()));
  EXPECT_EQ(squared_distances(exec, matrix<TypeParam>(4, 3, 0).view()), matrix<double>(4, 4, 0));
  EXPECT_MESSAGE(squared_distances(exec, matrix<TypeParam>{{1, NAN}}.view()),
                 "squared_distances: the matrix has entries that are not finite");
}

TYPED_TEST(matrix_ops, gram) {
  for (const std::size_t K : {1u, 2u, 7u, 25u, 40u})
    for (const std::size_t N : {1u, 2u, 9u, 300u, 700u}) {
      const matrix<TypeParam> x = random_rows<TypeParam>(K, N, 3);
      reference::rows wanted = reference::rows_of(x), magnitudes = wanted;
      for (auto& row : magnitudes)
        for (double& v : row) v = std::abs(v);
      magnitudes = reference::gram(magnitudes), wanted = reference::gram(wanted);
      const matrix<double> found = gram(exec, x.view());
      const double chain = 256 + static_cast<double>(N) / 256, plain = static_cast<double>(N);
      for (std::size_t i = 0; i < K; ++i)
        for (std::size_t j = 0; j < K; ++j)
          EXPECT_NEAR(found(i, j), wanted[i][j], (chain + plain) * epsilon * magnitudes[i][j]);
    }
}

TYPED_TEST(matrix_ops, center) { // float is rounded once, at the end
  for (const std::size_t K : {1u, 2u, 17u, 40u})
    for (const std::size_t N : {2u, 9u, 300u}) {
      const matrix<TypeParam> x = random_rows<TypeParam>(K, N, -900);
      const auto wanted = reference::double_center(reference::rows_of(x));
      const matrix<TypeParam> q = center(exec, x.view()).q;
      for (std::size_t i = 0; i < K; ++i)
        for (std::size_t s = 0; s < N; ++s)
          EXPECT_NEAR(q(i, s), wanted[i][s],
                      1e-12 * 900 + std::numeric_limits<TypeParam>::epsilon() / 2 * std::abs(wanted[i][s]));
    }
}

TYPED_TEST(matrix_ops, pca) {
  for (const auto& [K, N] : {std::pair<std::size_t, std::size_t>{12, 9}, {9, 12}, {40, 6}}) {
    const matrix<TypeParam> x = long_cloud<TypeParam>(K, N);
    const auto wanted = reference::pca_scores(reference::rows_of(x), 4);
    const pca_result found = pca(exec, x.view(), 4);
    ASSERT_EQ(found.scores.cols(), 4u);
    EXPECT_LT(largest_difference(found.scores, wanted), 1e-10 * largest_entry(wanted));
    double whole = 0;
    for (const TypeParam v : x.span()) whole += static_cast<double>(v) * v;
    for (std::size_t p = 0; p < 4; ++p) {
      double square = 0;
      for (const auto& row : wanted) square += row[p] * row[p];
      EXPECT_NEAR(found.explained_variance[p], square / static_cast<double>(K - 1), 1e-10 * square);
      EXPECT_NEAR(found.explained_variance_ratio[p], square / whole, 1e-10);
    }
  }
}

TYPED_TEST(matrix_ops, classical_mds) { // gives back the distances of points
  const matrix<TypeParam> points = long_cloud<TypeParam>(20, 3);
  const matrix<TypeParam> squared(squared_distances(exec, points.view()).view());
  const mds_result found = classical_mds(exec, squared.view(), 3);
  ASSERT_EQ(found.coordinates.cols(), 3u);
  const auto wanted = reference::rows_of(squared);
  EXPECT_LT(largest_difference(squared_distances(exec, found.coordinates.view()), wanted),
            (1e-12 + 20 * std::numeric_limits<TypeParam>::epsilon()) * largest_entry(wanted));
}

TYPED_TEST(matrix_ops, affinities) { // beta to 1e-8, so p to a few times that
  for (const std::size_t K : {4u, 9u, 30u})
    for (const double perplexity : {1.5, 2.9}) {
      const matrix<TypeParam> d = distances<TypeParam>(K);
      const auto wanted = reference::conditional_affinities(reference::rows_of(d), perplexity);
      EXPECT_LT(largest_difference(affinities(exec, d.view(), perplexity).conditional, wanted), 1e-7)
          << K << " " << perplexity;
    }
}

TYPED_TEST(matrix_ops, tsne) {
  const std::size_t K = 30;
  const matrix<TypeParam> joint(affinities(exec, distances<TypeParam>(K).view(), 5).joint.view());
  const auto p = reference::rows_of(joint);
  const matrix<double> y(long_cloud<double>(K, 2).view());
  const auto gradient = reference::tsne_gradient(p, reference::rows_of(y));
  const tsne_step step = tsne_gradient(exec, joint.view(), y);
  EXPECT_LT(largest_difference(step.gradient, gradient), 1e-13);
  EXPECT_NEAR(step.objective, reference::tsne_objective(p, reference::rows_of(y)), 1e-12);

  // Where it ends, the objective is what it says, and no direction leads down any more.
  const tsne_result found = tsne(exec, joint.view(), y);
  const auto place = reference::rows_of(found.y);
  EXPECT_NEAR(found.objective, reference::tsne_objective(p, place), 1e-12);
  EXPECT_LT(largest_entry(reference::tsne_gradient(p, place)), 1e-3 * largest_entry(gradient));
  EXPECT_LT(found.objective, step.objective / 2);
}

TYPED_TEST(matrix_ops, linkage) {
  for (const std::size_t K : {1u, 2u, 3u, 5u, 20u, 33u}) {
    const matrix<TypeParam> d = distances<TypeParam>(K);
    const auto expect = [&](linkage_kind kind, const auto& between) {
      const auto wanted = reference::linkage_heights(reference::rows_of(d), between);
      const model_tree found = linkage(exec, d.view(), kind);
      ASSERT_EQ(found.merges.size(), wanted.size());
      for (std::size_t m = 0; m < wanted.size(); ++m)
        EXPECT_NEAR(found.merges[m].height, wanted[m], 1e-12 * wanted.back()) << K << " " << m;
      if (K > 1) {
        EXPECT_EQ(found.merges.back().size, K);
      }
    };
    expect(linkage_kind::single, reference::single_distance);
    expect(linkage_kind::complete, reference::complete_distance);
    expect(linkage_kind::average, reference::average_distance);
    expect(linkage_kind::ward, reference::ward_distance);
  }
}
