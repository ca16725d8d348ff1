// Matrices as Eigen sees them, for the algebra of tests.
#pragma once
#include "llmap/core/matrix.hpp"
#include <Eigen/Core>

template <class T> auto as_eigen(const llmap::matrix<T>& m) {
  using rows = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  return Eigen::Map<const rows>(m.data(), static_cast<Eigen::Index>(m.rows()), static_cast<Eigen::Index>(m.cols()));
}
inline auto as_eigen(const std::vector<double>& v) {
  return Eigen::Map<const Eigen::VectorXd>(v.data(), static_cast<Eigen::Index>(v.size()));
}

template <class Expression> llmap::matrix<double> as_matrix(const Expression& m) {
  const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> dense = m;
  return llmap::matrix<double>(llmap::matrix_view<const double>(dense.data(), static_cast<std::size_t>(dense.rows()),
                                                                static_cast<std::size_t>(dense.cols())));
}
