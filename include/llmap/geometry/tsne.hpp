// Exact t-SNE in the plane (van der Maaten & Hinton 2008), all pairs, fp64. With joint affinities P (K, K):
//   w_ij = 1 / (1 + |y_i - y_j|^2), Q = w / sum w
//   objective = sum P ln(P / Q), natural log, terms with P = 0 dropped
//   gradient_i = 4 sum_j (P_ij - Q_ij) w_ij (y_i - y_j)
// Start: the first two PCA scores scaled so that the first has SD 1e-4 (divisor K). Nothing is random: the
// same matrix in the same order gives the same map, with the same bits for any thread count. One model lies
// at the origin; equal models with equal starts stay together.
#pragma once
#include "llmap/core/parallel.hpp"
#include "llmap/geometry/affinities.hpp"
#include "llmap/geometry/detail/ordered_sum.hpp"
#include <limits>

namespace llmap {

using coordinates_2d = Eigen::Matrix<double, Eigen::Dynamic, 2, Eigen::RowMajor>; // (K, 2)

struct tsne_options {
  int iterations = 1000; // of each descent; after 250 the picture is rough, after 1000 it hardly moves
  int exaggerated = 250; // of them with P times `exaggeration`: clusters find their places first
  double exaggeration = 12;
  double learning_rate = 0; // 0: max(K / exaggeration / 4, 50), as scikit-learn's 'auto'
  int descents = 0;         // the best of so many is kept; 0: 8 up to 200 models, else 2
  int threads = default_threads();
};

struct tsne_result {
  coordinates_2d y;
  double objective = 0; // sum P ln(P / Q)
};

struct tsne_step {
  double objective;
  coordinates_2d gradient;
};

/// Objective (natural log) and gradient at y; P times `exaggeration` in the gradient only. The objective
/// costs a logarithm a pair: without it, it is returned as infinity.
inline tsne_step tsne_gradient(const row_matrix& joint, const coordinates_2d& y,
                               int threads = default_threads(), double exaggeration = 1,
                               bool with_objective = true) {
  const Eigen::Index K = y.rows();
  LLMAP_EXPECTS(joint.rows() == K && joint.cols() == K, "tsne_gradient: P is (K, K), y is (K, 2)");
  const auto n = static_cast<std::size_t>(K);
  const Eigen::VectorXd a = y.col(0), b = y.col(1);
  const double *px = a.data(), *py = b.data();
  const auto kernel = [=](std::size_t i, std::size_t j) {
    const double dx = px[i] - px[j], dy = py[i] - py[j];
    return 1 / (1 + dx * dx + dy * dy);
  };
  std::vector<double> row_sum(n), row_cost(n);
  // Rows in groups, so that the cost of handing out work stays small beside the row.
  constexpr std::size_t group = 16;
  const std::size_t groups = (n + group - 1) / group;
  const auto each_row = [&](const auto& body) {
    parallel_for(n < 64 ? 1 : threads, groups, [&](std::size_t g) {
      for (std::size_t i = g * group; i < std::min(n, (g + 1) * group); ++i) body(i);
    });
  };
  each_row([&](std::size_t i) {
    row_sum[i] = detail::ordered_sum(n, [&](std::size_t j) { return kernel(i, j); }) - 1;
  });
  const double total = detail::ordered_sum(n, [&](std::size_t i) { return row_sum[i]; });

  tsne_step out{std::numeric_limits<double>::infinity(), coordinates_2d::Zero(K, 2)};
  each_row([&](std::size_t i) {
    const double* p = joint.data() + i * n;
    const auto force = [&](std::size_t j) {
      const double w = kernel(i, j);
      return (exaggeration * p[j] - (i == j ? 0 : w / total)) * w;
    };
    const auto r = static_cast<Eigen::Index>(i);
    out.gradient(r, 0) =
        4 * detail::ordered_sum(n, [&](std::size_t j) { return force(j) * (px[i] - px[j]); });
    out.gradient(r, 1) =
        4 * detail::ordered_sum(n, [&](std::size_t j) { return force(j) * (py[i] - py[j]); });
    if (with_objective)
      row_cost[i] = detail::ordered_sum(
          n, [&](std::size_t j) { return p[j] > 0 ? p[j] * std::log(p[j] * total / kernel(i, j)) : 0.0; });
  });
  if (with_objective) out.objective = detail::ordered_sum(n, [&](std::size_t i) { return row_cost[i]; });
  return out;
}

/// Start from PCA scores (K, P); P may be 0, 1 or more.
inline coordinates_2d tsne_start(const row_matrix& scores) {
  coordinates_2d y = coordinates_2d::Zero(scores.rows(), 2);
  const Eigen::Index P = std::min<Eigen::Index>(2, scores.cols());
  if (P == 0) return y;
  const Eigen::ArrayXd first = scores.col(0).array() - scores.col(0).mean();
  y.leftCols(P) = scores.leftCols(P) * (1e-4 / std::sqrt(first.square().mean()));
  return y;
}

namespace detail {

/// Gradient descent with momentum (0.5, then 0.8) and gains, as in the original and in scikit-learn; the best
/// map seen at every tenth step after the exaggerated phase. With few models a step is large and may end on a
/// worse one.
inline tsne_result descend(const row_matrix& joint, coordinates_2d y, double rate,
                           const tsne_options& options) {
  const Eigen::Index K = y.rows();
  coordinates_2d update = coordinates_2d::Zero(K, 2), gain = coordinates_2d::Ones(K, 2);
  tsne_result best{y, tsne_gradient(joint, y, options.threads).objective};
  for (int step = 0; step < options.iterations; ++step) {
    const bool early = step < options.exaggerated, look = !early && step % 10 == 0;
    const tsne_step now = tsne_gradient(joint, y, options.threads, early ? options.exaggeration : 1.0, look);
    if (now.objective < best.objective) best = {y, now.objective};
    for (Eigen::Index k = 0; k < y.size(); ++k) {
      const double g = now.gradient.data()[k];
      double &u = update.data()[k], &s = gain.data()[k];
      s = std::max(0.01, u * g < 0 ? s + 0.2 : s * 0.8);
      u = (early ? 0.5 : 0.8) * u - rate * s * g;
      y.data()[k] += u;
    }
    if (step + 1 == options.exaggerated) update.setZero(), gain.setOnes();
  }
  const double last = tsne_gradient(joint, y, options.threads).objective;
  if (last < best.objective) best = {y, last};
  return best;
}

} // namespace detail

/// The objective has many local minima, and where one descent ends hangs on its step: so several are made
/// from the same start, with exaggeration and a third of it, and ever smaller steps; the best is polished
/// with small steps.
inline tsne_result tsne(const row_matrix& joint, const coordinates_2d& start,
                        const tsne_options& options = {}) {
  const Eigen::Index K = start.rows();
  LLMAP_EXPECTS(joint.rows() == K && joint.cols() == K && K > 0, "tsne: P is (K, K), start is (K, 2)");
  LLMAP_EXPECTS(options.iterations >= 0 && options.exaggeration >= 1,
                "tsne: iterations >= 0, exaggeration >= 1");
  const double rate = options.learning_rate > 0
                          ? options.learning_rate
                          : std::max(static_cast<double>(K) / options.exaggeration / 4, 50.0);
  constexpr double step[] = {1, 0.2, 0.1, 0.04};
  const int descents = options.descents > 0 ? options.descents : K <= 200 ? 8 : 2;
  tsne_result best;
  for (int d = 0; d < descents; ++d) {
    tsne_options with = options;
    if (d % 2 == 1) with.exaggeration = std::max(1.0, options.exaggeration / 3);
    tsne_result found = detail::descend(joint, start, rate * step[d / 2 % 4], with);
    if (d == 0 || found.objective < best.objective) best = std::move(found);
  }
  tsne_options polish = options;
  polish.exaggerated = 0;
  best = detail::descend(joint, best.y, rate / 20, polish);
  best.y.rowwise() -= best.y.colwise().mean().eval();
  return best;
}

} // namespace llmap
