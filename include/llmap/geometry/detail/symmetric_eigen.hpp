// All eigenvalues of a symmetric matrix A (n, n), and the vectors of the largest few:
//   A = Q T Q^T     n - 2 reflections to a tridiagonal T (Householder 1958)
//   T = Z D Z^T     implicit QL steps with Wilkinson's shift (Dubrulle, Martin and Wilkinson 1968); their plane
//                   rotations are kept
//   v_k = Q Z e_k   rotations, the last first, then reflections, on the wanted columns alone
// Vectors are orthonormal to rounding whatever the gaps between the values. Errors are those of rounding relative to
// |A|: small values of a graded matrix are right absolutely, not relatively. Same bits for any thread count.
#pragma once
#include "llmap/core/cpu_executor.hpp"
#include "llmap/core/matrix.hpp"
#include "llmap/core/simd.hpp"
#include "llmap/geometry/detail/finite.hpp"
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace llmap {

/// As many components as there are above rounding.
inline constexpr std::size_t all_components = static_cast<std::size_t>(-1);

namespace detail {

struct symmetric_eigen {
  std::vector<double> values; // (n) descending
  matrix<double> vectors;     // (count, n) rows are those of the first values
};

/// Matrices are scaled so that the largest entry is near 1; anything below this is negligible.
inline constexpr double negligible = 1e-140;

/// Updates rows [first, last) of the lower triangle of A, stored row by row: A -= v w^T + w v^T; `product` is what
/// these rows add to A u.
struct reflect_rows {
  double* a;
  std::size_t stride, first, last;
  const double *v, *w, *u;
  double* product; // (last), set

  template <class Isa> LLMAP_INLINE void operator()() const {
    std::fill(product, product + last, 0.0);
    constexpr std::size_t group = 4; // rows that share the loads of v, w, u
    std::size_t r = first;
    for (; r + group <= last; r += group) rows<Isa, group>(r);
    for (; r < last; ++r) rows<Isa, 1>(r);
  }

private:
  template <class Isa, std::size_t R> LLMAP_INLINE void rows(std::size_t r) const {
    constexpr std::size_t W = simd::width<Isa, double>;
    double* const row = a + r * stride;
    simd::vec<double, W> sum[R] = {};
    const std::size_t whole = r / W * W;
    for (std::size_t j = 0; j < whole; j += W) {
      const auto vj = simd::load<double, W>(v + j), wj = simd::load<double, W>(w + j);
      const auto uj = simd::load<double, W>(u + j);
      auto p = simd::load<double, W>(product + j);
#pragma GCC unroll 4
      for (std::size_t k = 0; k < R; ++k) {
        auto x = simd::load<double, W>(row + k * stride + j);
        x -= v[r + k] * wj;
        x -= w[r + k] * vj;
        simd::store<double, W>(row + k * stride + j, x);
        sum[k] += x * uj;
        p += u[r + k] * x;
      }
      simd::store<double, W>(product + j, p);
    }
    for (std::size_t k = 0; k < R; ++k) {
      double total = simd::sum<double, W>(sum[k]);
      const std::size_t i = r + k;
      for (std::size_t j = whole; j <= i; ++j) {
        double& x = row[k * stride + j];
        x = (x - v[i] * w[j]) - w[i] * v[j];
        total += x * u[j];
        if (j < i) product[j] += u[i] * x;
      }
      product[i] += total;
    }
  }
};

/// T, and the reflections I - u u^T / h that lead to it. The u of row i > 0 has i elements, which lie before the
/// diagonal of that row of A. If h = 0 there is no reflection.
struct tridiagonal {
  std::vector<double> diagonal, beside; // (n); beside[i] between i and i + 1, the last unused
  std::vector<double> h;                // (n)
};

inline tridiagonal reduce_to_tridiagonal(const cpu_executor& exec, matrix<double>& a) {
  const std::size_t n = a.rows();
  constexpr std::size_t block = 64; // rows whose products are summed separately
  tridiagonal t{std::vector<double>(n), std::vector<double>(n), std::vector<double>(n)};
  const std::vector<double> zeros(n);
  std::vector<double> w(n), p(n);
  matrix_buffer<double> products;
  const double* v = zeros.data(); // of the previous step: its update of A is made during this one
  for (std::size_t i = n; i-- > 0;) {
    double* const u = a.data() + i * n;
    for (std::size_t j = 0; j <= i; ++j) u[j] = (u[j] - v[i] * w[j]) - w[i] * v[j];
    t.diagonal[i] = u[i];
    if (i == 0) break;
    double rest = 0;
    for (std::size_t j = 0; j + 1 < i; ++j) rest += u[j] * u[j];
    const double last = u[i - 1];
    if (rest > negligible * negligible) {
      const double length = std::sqrt(rest + last * last);
      t.beside[i - 1] = last < 0 ? length : -length;
      u[i - 1] = last - t.beside[i - 1];
      t.h[i] = length * (length + std::abs(last));
    } else {
      t.beside[i - 1] = last;
    }
    const double* const direction = t.h[i] > 0 ? u : zeros.data();
    const std::size_t blocks = (i + block - 1) / block;
    const auto part = products.reshape(blocks, i);
    parallel_for(exec.threads, blocks, [&](std::size_t k) {
      const std::size_t b = blocks - 1 - k; // the longest rows first
      simd::run(
          reflect_rows{a.data(), n, b * block, std::min(i, (b + 1) * block), v, w.data(), direction, part.row(b)});
    });
    std::fill_n(p.begin(), i, 0.0);
    for (std::size_t b = 0; b < blocks; ++b)
      for (std::size_t j = 0; j < std::min(i, (b + 1) * block); ++j) p[j] += part(b, j);
    v = direction;
    if (t.h[i] == 0) {
      std::fill_n(w.begin(), i, 0.0);
      continue;
    }
    double along = 0;
    for (std::size_t j = 0; j < i; ++j) along += v[j] * (p[j] /= t.h[i]);
    for (std::size_t j = 0; j < i; ++j) w[j] = p[j] - along / (2 * t.h[i]) * v[j];
  }
  return t;
}

/// The rotations of one QL step, of the planes (i, i + 1) for i = last - 1 down to first.
struct ql_step {
  std::size_t first, last, begin; // begin: where its rotations begin
};
struct plane_rotation {
  double cosine, sine;
};
struct ql_rotations {
  std::vector<ql_step> steps;
  std::vector<plane_rotation> rotations;
};

/// Makes T diagonal.
inline ql_rotations diagonalize(tridiagonal& t) {
  const std::size_t n = t.diagonal.size();
  std::vector<double>&d = t.diagonal, &e = t.beside;
  constexpr double epsilon = std::numeric_limits<double>::epsilon();
  ql_rotations out;
  out.rotations.reserve(n * n + n * n / 4); // two steps per value, each of half the planes, and some more
  for (std::size_t l = 0; l < n; ++l)
    for (int step = 0;; ++step) {
      std::size_t m = l; // T splits after m
      while (m + 1 < n && !(std::abs(e[m]) <= epsilon * (std::abs(d[m]) + std::abs(d[m + 1])) + negligible)) ++m;
      if (m == l) break;
      if (step == 60) fail("map: the eigenvalues of a ", n, " x ", n, " matrix did not converge");
      const double half = (d[l + 1] - d[l]) / (2 * e[l]);
      double g = d[m] - d[l] + e[l] / (half + std::copysign(std::sqrt(half * half + 1), half));
      double sine = 1, cosine = 1, shift = 0;
      const std::size_t begin = out.rotations.size();
      std::size_t i = m;
      while (i > l) {
        --i;
        const double f = sine * e[i], b = cosine * e[i];
        double r = std::sqrt(f * f + g * g);
        if (r < negligible) r = std::hypot(f, g);
        e[i + 1] = r;
        if (r == 0) { // T splits here
          d[i + 1] -= shift;
          e[m] = 0;
          ++i;
          break;
        }
        sine = f / r, cosine = g / r;
        g = d[i + 1] - shift;
        const double turned = (d[i] - g) * sine + 2 * cosine * b;
        shift = sine * turned;
        d[i + 1] = g + shift;
        g = cosine * turned - b;
        out.rotations.push_back({cosine, sine});
        if (i == l) d[l] -= shift, e[l] = g, e[m] = 0;
      }
      out.steps.push_back({i, m, begin});
    }
  return out;
}

/// Columns Q Z e_k of 8 eigenvectors side by side.
struct rotate_back {
  static constexpr std::size_t columns = 8;
  const matrix<double>* reflections;
  const std::vector<double>* h;
  const ql_rotations* ql;
  double* y; // (n, columns): unit vectors, then the eigenvectors

  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr int W = simd::width<Isa, double>, V = static_cast<int>(columns) / W, chains = V < 4 ? 4 / V : 1;
    using vec = simd::vec<double, W>;
    for (std::size_t s = ql->steps.size(); s-- > 0;) {
      const ql_step step = ql->steps[s];
      const plane_rotation* turn = ql->rotations.data() + step.begin + (step.last - step.first);
      vec upper[V], lower[V];
      for (int k = 0; k < V; ++k) upper[k] = simd::load<double, W>(y + step.first * columns + k * W);
      for (std::size_t i = step.first; i < step.last; ++i) {
        --turn;
#pragma GCC unroll 4
        for (int k = 0; k < V; ++k) {
          lower[k] = simd::load<double, W>(y + (i + 1) * columns + k * W);
          simd::store<double, W>(y + i * columns + k * W, turn->cosine * upper[k] + turn->sine * lower[k]);
          upper[k] = turn->cosine * lower[k] - turn->sine * upper[k];
        }
      }
      for (int k = 0; k < V; ++k) simd::store<double, W>(y + step.last * columns + k * W, upper[k]);
    }
    const std::size_t n = reflections->rows();
    for (std::size_t i = 1; i < n; ++i) {
      if ((*h)[i] == 0) continue;
      const double* u = reflections->data() + i * n;
      vec dot[chains][V] = {};
      std::size_t j = 0;
      for (; j + chains <= i; j += chains)
#pragma GCC unroll 4
        for (int c = 0; c < chains; ++c)
#pragma GCC unroll 4
          for (int k = 0; k < V; ++k)
            dot[c][k] += u[j + static_cast<std::size_t>(c)] *
                         simd::load<double, W>(y + (j + static_cast<std::size_t>(c)) * columns + k * W);
      for (; j < i; ++j)
        for (int k = 0; k < V; ++k) dot[0][k] += u[j] * simd::load<double, W>(y + j * columns + k * W);
      for (int k = 0; k < V; ++k) {
        for (int c = 1; c < chains; ++c) dot[0][k] += dot[c][k];
        dot[0][k] /= (*h)[i];
      }
      for (j = 0; j < i; ++j)
#pragma GCC unroll 4
        for (int k = 0; k < V; ++k) {
          double* at = y + j * columns + k * W;
          simd::store<double, W>(at, simd::load<double, W>(at) - u[j] * dot[0][k]);
        }
    }
  }
};

/// Only the lower triangle of `a` counts. NaN or infinite entries: llmap::error.
inline symmetric_eigen solve_symmetric(const cpu_executor& exec, matrix<double> a, std::size_t count) {
  const std::size_t n = a.rows();
  LLMAP_EXPECTS(a.cols() == n && count <= n, "solve_symmetric: a square matrix and at most n vectors");
  if (!all_finite(a.view()))
    fail("map: a ", n, " x ", n, " matrix whose eigenvalues are wanted has entries that are not finite");
  double largest = 0;
  for (const double x : a.span()) largest = std::max(largest, std::abs(x));
  const int exponent = largest > 0 ? std::ilogb(largest) : 0;
  for (double& x : a.span()) x = std::ldexp(x, -exponent);
  tridiagonal t = reduce_to_tridiagonal(exec, a);
  const ql_rotations ql = diagonalize(t);

  std::vector<std::size_t> order(n); // values descending
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t i, std::size_t j) { return t.diagonal[i] > t.diagonal[j]; });
  symmetric_eigen out{std::vector<double>(n), matrix<double>(count, n)};
  for (std::size_t k = 0; k < n; ++k) out.values[k] = std::ldexp(t.diagonal[order[k]], exponent);

  constexpr std::size_t columns = rotate_back::columns;
  parallel_for(exec.threads, (count + columns - 1) / columns, [&](std::size_t b) {
    const std::size_t first = b * columns, width = std::min(columns, count - first);
    matrix<double> y(n, columns, 0);
    for (std::size_t k = 0; k < width; ++k) y(order[first + k], k) = 1;
    simd::run(rotate_back{&a, &t.h, &ql, y.data()});
    for (std::size_t k = 0; k < width; ++k)
      for (std::size_t i = 0; i < n; ++i) out.vectors(first + k, i) = y(i, k);
  });
  return out;
}

/// The sign, 1 or -1, of the entry of largest magnitude; the first such on ties.
inline double sign_of_largest(std::span<const double> v) {
  const auto largest =
      std::max_element(v.begin(), v.end(), [](double a, double b) { return std::abs(a) < std::abs(b); });
  return largest != v.end() && *largest < 0 ? -1 : 1;
}

} // namespace detail

} // namespace llmap
