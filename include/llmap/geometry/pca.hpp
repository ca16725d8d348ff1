// Principal components of the double-centered matrix q (K, N), rows are models: q = U S V^T. Nothing is centered here.
//   scores U S (K, P); loadings V^T (P, N); explained variance S^2 / (K - 1); ratio S^2 / sum S^2
// Sign: the loading of largest magnitude of each component is positive (the first such on ties).
// By the eigenvalues of the smaller Gram matrix (q q^T or q^T q); only the wanted vectors are computed.
// q is float or double; the Gram matrix, its eigenvectors and the results are double. Forming it squares the condition
// number: components whose variance is below 1e-13 of the first are rounding and are left out, so P <= min(K-1, N).
// K = 1, or models that are all equal: P = 0. Same bits for any thread count.
#pragma once
#include "llmap/geometry/detail/symmetric_eigen.hpp"
#include "llmap/geometry/gram.hpp"

namespace llmap {

/// The first P principal components of K models.
struct pca_result {
  matrix<double> scores;                        // (K, P) nats
  matrix<double> loadings;                      // (P, N)
  std::vector<double> explained_variance;       // (P) nats^2, divisor K - 1
  std::vector<double> explained_variance_ratio; // (P)
};

namespace detail {

/// Columns [first, last) of weights rows: (P, K) times (K, N).
template <class T> struct weighted_rows {
  matrix_view<const double> weights;
  matrix_view<const T> rows;
  std::size_t first, last;
  matrix_view<double> out;

  template <class Isa> LLMAP_INLINE void operator()() const {
    const std::size_t P = weights.rows, K = rows.rows;
    constexpr std::size_t few = 16; // rows of `out` that stay in the first-level cache with their columns
    for (std::size_t p0 = 0; p0 < P; p0 += few) {
      for (std::size_t p = p0; p < std::min(P, p0 + few); ++p) std::fill(to(p), to(p) + (last - first), 0.0);
      std::size_t k = 0;
      for (; k + 4 <= K; k += 4)
        for (std::size_t p = p0; p < std::min(P, p0 + few); ++p) add<Isa, 4>(p, k);
      for (; k < K; ++k)
        for (std::size_t p = p0; p < std::min(P, p0 + few); ++p) add<Isa, 1>(p, k);
    }
  }

private:
  LLMAP_INLINE double* to(std::size_t p) const { return out.row(p) + first; }
  template <class Isa, std::size_t R> LLMAP_INLINE void add(std::size_t p, std::size_t k) const {
    constexpr std::size_t W = simd::width<Isa, double>;
    const T* from = rows.row(k) + first;
    const double* weight = weights.row(p) + k;
    double* sum = to(p);
    std::size_t s = 0;
    for (; s + W <= last - first; s += W) {
      auto total = simd::load<double, W>(sum + s);
#pragma GCC unroll 4
      for (std::size_t r = 0; r < R; ++r) total += weight[r] * simd::widen<double, W>(from + r * rows.stride + s);
      simd::store<double, W>(sum + s, total);
    }
    for (; s < last - first; ++s)
      for (std::size_t r = 0; r < R; ++r) sum[s] += weight[r] * from[r * rows.stride + s];
  }
};

template <class T>
matrix<double> combine_rows(const cpu_executor& exec, matrix_view<const double> weights, matrix_view<const T> rows) {
  constexpr std::size_t block = 256; // columns
  matrix<double> out(weights.rows, rows.cols);
  for_row_blocks(exec, rows.cols, block, [&](std::size_t first, std::size_t count) {
    simd::run(weighted_rows<T>{weights, rows, first, first + count, out.mutable_view()});
  });
  return out;
}

/// What the Gram matrix of the smaller side of q (K, N) gives, `side` rows; image(vectors (P, side)) are the vectors
/// times those rows.
template <class Image>
pca_result components_of(const cpu_executor& exec, std::size_t K, std::size_t N, matrix<double> products,
                         std::size_t components, const Image& image_of) {
  const std::size_t side = std::min(K, N);
  const bool few_models = K <= N;
  double trace = 0;
  for (std::size_t i = 0; i < side; ++i) trace += products(i, i);
  const std::size_t limit = std::min({components, side, K - 1});
  const auto [values, vectors] = solve_symmetric(exec, std::move(products), limit);
  std::size_t P = 0;
  while (P < limit && values[P] > 1e-13 * values[0]) ++P;

  // The vectors are those of the smaller side; the other side is their image.
  const matrix<double> own(vectors.view().row_range(0, P)); // (P, side)
  matrix<double> image = image_of(own.view());
  for (std::size_t p = 0; p < P; ++p)
    for (double& x : image.row(p)) x /= std::sqrt(values[p]);
  pca_result out;
  out.loadings = few_models ? image : own;
  out.scores = transposed((few_models ? own : image).view());
  for (std::size_t p = 0; p < P; ++p) {
    const double sign = sign_of_largest(out.loadings.row(p));
    if (sign < 0)
      for (double& x : out.loadings.row(p)) x = -x;
    for (std::size_t i = 0; i < K; ++i) out.scores(i, p) *= sign * std::sqrt(values[p]);
    out.explained_variance.push_back(values[p] / std::max(1.0, static_cast<double>(K - 1)));
    out.explained_variance_ratio.push_back(values[p] / trace);
  }
  return out;
}

} // namespace detail

/// At most `components` components.
template <class T>
pca_result pca(const cpu_executor& exec, matrix_view<const T> q, std::size_t components = all_components) {
  LLMAP_EXPECTS(q.rows > 0 && q.cols > 0, "pca: empty matrix");
  const matrix<T> turned = q.rows > q.cols ? transposed(q) : matrix<T>();
  const matrix_view<const T> rows = q.rows > q.cols ? turned.view() : q; // (side, other)
  return detail::components_of(exec, q.rows, q.cols, gram(exec, rows), components,
                               [&](matrix_view<const double> own) { return detail::combine_rows(exec, own, rows); });
}

/// Fewest components whose ratios sum to at least `share`.
inline std::size_t effective_dimension(const pca_result& p, double share) {
  double sum = 0;
  for (std::size_t k = 0; k < p.explained_variance_ratio.size(); ++k)
    if ((sum += p.explained_variance_ratio[k]) >= share) return k + 1;
  return p.explained_variance_ratio.size();
}

/// (sum of variances)^2 / sum of squared variances; 0 if all models are equal.
inline double participation_ratio(const pca_result& p) {
  double sum = 0, squares = 0;
  for (const double v : p.explained_variance) sum += v, squares += v * v;
  return squares > 0 ? sum * sum / squares : 0;
}

} // namespace llmap
