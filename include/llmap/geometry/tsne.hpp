// Exact t-SNE in the plane (van der Maaten & Hinton 2008), all pairs. P is float or double, all else is double. With
// joint affinities P (K, K):
//   w_ij = 1 / (1 + |y_i - y_j|^2), Q = w / sum w
//   objective = sum P ln(P / Q), natural log, terms with P = 0 dropped
//   gradient_i = 4 sum_j (P_ij - Q_ij) w_ij (y_i - y_j)
//              = 4 (sum_j P_ij w_ij (y_i - y_j)  -  sum_j w_ij^2 (y_i - y_j) / sum w)
//   objective  = sum P ln P + ln(sum w) sum P + sum P ln(1 + |y_i - y_j|^2)
// The last two lines take one pass over the pairs together.
// Start: the first two PCA scores scaled so that the first has SD 1e-4 (divisor K). Nothing is random: the same matrix
// in the same order gives the same map on one instruction set, with the same bits for any thread count. A single model
// lies at the origin; equal models with equal starts stay together.
#pragma once
#include "llmap/core/vector_math.hpp"
#include "llmap/geometry/affinities.hpp"
#include "llmap/geometry/detail/ordered_sum.hpp"
#include <limits>

namespace llmap {

/// How the descent goes.
struct tsne_options {
  int iterations = 1000;    // of each descent; after 250 the picture is rough, after 1000 it hardly moves
  int exaggerated = 250;    // of them, with P times `exaggeration`, in which clusters find their places
  double exaggeration = 12; ///< factor of P at first
  double learning_rate = 0; // 0: max(K / exaggeration / 4, 50), as scikit-learn's 'auto'
  int descents = 0;         // the best of these is kept; 0: 8 up to 200 models, else 2
};

/// Places of K models, and what they attain.
struct tsne_result {
  matrix<double> y;     // (K, 2)
  double objective = 0; // sum P ln(P / Q)
};

/// The objective at some places, and its gradient.
struct tsne_step {
  double objective;        ///< sum P ln(P / Q)
  matrix<double> gradient; // (K, 2)
};

namespace detail {

/// Sums over all models j of some rows i, with d = y_i - y_j and w = 1 / (1 + |d|^2); w_ii = 1.
struct tsne_row {
  double weight = 0;             // sum w
  double attraction[2] = {0, 0}; // sum P w d
  double repulsion[2] = {0, 0};  // sum w^2 d
  double cost = 0;               // sum P ln(1 + |d|^2), if asked for

  LLMAP_HD void merge(const tsne_row& other) {
    weight += other.weight;
    for (int c = 0; c < 2; ++c) attraction[c] += other.attraction[c], repulsion[c] += other.repulsion[c];
    cost += other.cost;
  }
};

struct tsne_mass {
  double sum = 0, entropy = 0; // sum P, sum P ln P
  LLMAP_HD void merge(const tsne_mass& other) { sum += other.sum, entropy += other.entropy; }
};
inline tsne_mass total_mass(std::span<const tsne_mass> rows) {
  return {ordered_sum(rows.size(), [&](std::size_t i) { return rows[i].sum; }),
          ordered_sum(rows.size(), [&](std::size_t i) { return rows[i].entropy; })};
}

/// What the sums of all rows (K) give.
inline tsne_step step_of(std::span<const tsne_row> rows, const tsne_mass& p, double exaggeration, bool with_objective) {
  const std::size_t K = rows.size();
  const double total = ordered_sum(K, [&](std::size_t i) { return rows[i].weight - 1; });
  const double push = K > 1 ? 1 / total : 0;
  tsne_step out{std::numeric_limits<double>::infinity(), matrix<double>(K, 2)};
  for (std::size_t i = 0; i < K; ++i)
    for (std::size_t c = 0; c < 2; ++c)
      out.gradient.data()[2 * i + c] = 4 * (exaggeration * rows[i].attraction[c] - push * rows[i].repulsion[c]);
  if (with_objective && p.sum > 0)
    out.objective = p.entropy + p.sum * std::log(total) + ordered_sum(K, [&](std::size_t i) { return rows[i].cost; });
  else if (with_objective) out.objective = 0;
  return out;
}

struct tsne_rows {
  const double *x, *y; // (stride)
  const double* joint; // (K, stride), 0 beyond K
  std::size_t stride;  // a multiple of 8
  std::size_t first, last;
  bool with_cost;
  tsne_row* out; // (K)

  template <class Isa> LLMAP_INLINE void operator()() const {
    for (std::size_t i = first; i < last; ++i) out[i] = with_cost ? row<Isa, true>(i) : row<Isa, false>(i);
  }

private:
  template <class Isa, bool cost> LLMAP_INLINE tsne_row row(std::size_t i) const {
    constexpr int W = simd::width<Isa, double>;
    using vec = simd::vec<double, W>;
    const double xi = x[i], yi = y[i];
    const double* p = joint + i * stride;
    vec weight{}, attraction_x{}, attraction_y{}, repulsion_x{}, repulsion_y{}, logs{};
    for (std::size_t j = 0; j < stride; j += W) {
      const vec dx = xi - simd::load<double, W>(x + j), dy = yi - simd::load<double, W>(y + j);
      const vec apart = 1 + dx * dx + dy * dy, w = 1 / apart, square = w * w;
      const vec pull = simd::load<double, W>(p + j) * w;
      weight += w;
      attraction_x += pull * dx, attraction_y += pull * dy;
      repulsion_x += square * dx, repulsion_y += square * dy;
      if constexpr (cost) logs += simd::load<double, W>(p + j) * simd::log<double, W>(apart);
    }
    return {simd::sum<double, W>(weight),
            {simd::sum<double, W>(attraction_x), simd::sum<double, W>(attraction_y)},
            {simd::sum<double, W>(repulsion_x), simd::sum<double, W>(repulsion_y)},
            simd::sum<double, W>(logs)};
  }
};

/// Objective and gradient for many y with the same P.
class tsne_forces {
  std::size_t K_, stride_;
  aligned_buffer<double> joint_, x_, y_;
  std::vector<tsne_row> rows_;
  tsne_mass mass_;
  cpu_executor exec_;

public:
  template <class T>
  tsne_forces(const cpu_executor& exec, matrix_view<const T> joint)
      : K_(joint.rows), stride_((K_ + 7) / 8 * 8), joint_(K_ * stride_), x_(stride_), y_(stride_),
        rows_(K_), exec_{K_ < 64 ? 1 : exec.threads} {
    std::vector<tsne_mass> mass(K_);
    parallel_for(exec_.threads, K_, [&](std::size_t i) {
      double* p = joint_.data() + i * stride_;
      std::copy_n(joint.row(i), K_, p);
      std::fill(p + K_, p + stride_, 0.0);
      mass[i] = {ordered_sum(K_, [p](std::size_t j) { return p[j]; }),
                 ordered_sum(K_, [p](std::size_t j) { return p[j] > 0 ? p[j] * std::log(p[j]) : 0.0; })};
    });
    mass_ = total_mass(mass);
    // Models beyond K lie so far away that they neither pull nor push.
    std::fill(x_.data(), x_.data() + stride_, 1e70);
    std::fill(y_.data(), y_.data() + stride_, 1e70);
  }

  tsne_step at(const matrix<double>& y, double exaggeration, bool with_objective) {
    for (std::size_t i = 0; i < K_; ++i) x_[i] = y.data()[2 * i], y_[i] = y.data()[2 * i + 1];
    constexpr std::size_t group = 16; // rows; enough to make the cost of handing out work small
    parallel_for(exec_.threads, (K_ + group - 1) / group, [&](std::size_t g) {
      simd::run(tsne_rows{x_.data(), y_.data(), joint_.data(), stride_, g * group, std::min(K_, (g + 1) * group),
                          with_objective, rows_.data()});
    });
    return step_of(rows_, mass_, exaggeration, with_objective);
  }
};

inline void expect_tsne_shapes(std::size_t rows, std::size_t cols, const matrix<double>& places) {
  LLMAP_EXPECTS(rows == places.rows() && cols == places.rows() && rows > 0 && places.cols() == 2,
                "tsne: P is (K, K), places are (K, 2)");
}

} // namespace detail

/// Objective (natural log) and gradient at y; P times `exaggeration` in the gradient only. The objective costs a
/// logarithm per pair; if not wanted, it is returned as infinity.
template <class T>
tsne_step tsne_gradient(const cpu_executor& exec, matrix_view<const T> joint, const matrix<double>& y,
                        double exaggeration = 1, bool with_objective = true) {
  detail::expect_tsne_shapes(joint.rows, joint.cols, y);
  return detail::tsne_forces(exec, joint).at(y, exaggeration, with_objective);
}

/// Start from PCA scores (K, P); P may be 0, 1 or more. Scores that do not vary beyond rounding give the origin.
inline matrix<double> tsne_start(const matrix<double>& scores) {
  const std::size_t K = scores.rows(), P = std::min<std::size_t>(2, scores.cols());
  matrix<double> y(K, 2, 0);
  if (P == 0) return y;
  double mean = 0, squares = 0, largest = 0;
  for (std::size_t i = 0; i < K; ++i) mean += scores(i, 0) / static_cast<double>(K);
  for (std::size_t i = 0; i < K; ++i) {
    squares += (scores(i, 0) - mean) * (scores(i, 0) - mean);
    largest = std::max(largest, std::abs(scores(i, 0)));
  }
  const double deviation = std::sqrt(squares / static_cast<double>(K));
  if (!(deviation > 1e-12 * largest)) return y;
  for (std::size_t i = 0; i < K; ++i)
    for (std::size_t p = 0; p < P; ++p) y(i, p) = scores(i, p) * (1e-4 / deviation);
  return y;
}

namespace detail {

/// Gradient descent with momentum (0.5, then 0.8) and gains, as in the original and in scikit-learn. Returns the best
/// map among every tenth step after the exaggerated phase: with few models a step is large and may end on a worse one.
template <class Forces>
tsne_result descend(Forces& forces, matrix<double> y, double rate, const tsne_options& options) {
  std::vector<double> update(y.size(), 0), gain(y.size(), 1);
  tsne_result best{y, forces.at(y, 1, true).objective};
  for (int step = 0; step < options.iterations; ++step) {
    const bool early = step < options.exaggerated, look = !early && step % 10 == 0;
    const tsne_step now = forces.at(y, early ? options.exaggeration : 1.0, look);
    if (now.objective < best.objective) best = {y, now.objective};
    for (std::size_t k = 0; k < y.size(); ++k) {
      const double g = now.gradient.data()[k];
      double &u = update[k], &s = gain[k];
      s = std::max(0.01, u * g < 0 ? s + 0.2 : s * 0.8);
      u = (early ? 0.5 : 0.8) * u - rate * s * g;
      y.data()[k] += u;
    }
    if (step + 1 == options.exaggerated) update.assign(y.size(), 0), gain.assign(y.size(), 1);
  }
  const double last = forces.at(y, 1, true).objective;
  if (last < best.objective) best = {y, last};
  return best;
}

/// The objective has many local minima, and the one that a descent ends in depends on its step size. So several
/// descents are made from the same start, with the exaggeration and a third of it and ever smaller steps; the best is
/// polished with small steps.
template <class Forces>
tsne_result best_descent(Forces& forces, const matrix<double>& start, const tsne_options& options) {
  const std::size_t K = start.rows();
  LLMAP_EXPECTS(options.iterations >= 0 && options.exaggeration >= 1, "tsne: iterations >= 0, exaggeration >= 1");
  const double rate = options.learning_rate > 0 ? options.learning_rate
                                                : std::max(static_cast<double>(K) / options.exaggeration / 4, 50.0);
  constexpr double step[] = {1, 0.2, 0.1, 0.04};
  const int descents = options.descents > 0 ? options.descents : K <= 200 ? 8 : 2;
  tsne_result best;
  for (int d = 0; d < descents; ++d) {
    tsne_options with = options;
    if (d % 2 == 1) with.exaggeration = std::max(1.0, options.exaggeration / 3);
    tsne_result found = descend(forces, start, rate * step[d / 2 % 4], with);
    if (d == 0 || found.objective < best.objective) best = std::move(found);
  }
  tsne_options polish = options;
  polish.exaggerated = 0;
  best = descend(forces, best.y, rate / 20, polish);
  for (std::size_t c = 0; c < 2; ++c) {
    double mean = 0;
    for (std::size_t i = 0; i < K; ++i) mean += best.y(i, c) / static_cast<double>(K);
    for (std::size_t i = 0; i < K; ++i) best.y(i, c) -= mean;
  }
  return best;
}

} // namespace detail

/// Places (K, 2) of models by exact t-SNE from joint affinities (K, K) and first places (K, 2). It is the best of the
/// descents that options ask for.
template <class T>
tsne_result tsne(const cpu_executor& exec, matrix_view<const T> joint, const matrix<double>& start,
                 const tsne_options& options = {}) {
  detail::expect_tsne_shapes(joint.rows, joint.cols, start);
  detail::tsne_forces forces(exec, joint);
  return detail::best_descent(forces, start, options);
}

} // namespace llmap
