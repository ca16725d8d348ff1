// Eigenvalues of a symmetric matrix, descending, with the same bits for any number of threads: Eigen's matrix
// products choose their block sizes by thread count, so it is held to one thread meanwhile.
#pragma once
#include "llmap/core/error.hpp"
#include "llmap/core/parallel.hpp"
#include <Eigen/Eigenvalues>

namespace llmap::detail {

class eigen_on_one_thread {
  int before_;

public:
  eigen_on_one_thread() : before_(Eigen::nbThreads()) { Eigen::setNbThreads(1); }
  ~eigen_on_one_thread() { Eigen::setNbThreads(before_ == default_threads() ? 0 : before_); } // 0: not set
  eigen_on_one_thread(const eigen_on_one_thread&) = delete;
  eigen_on_one_thread& operator=(const eigen_on_one_thread&) = delete;
};

struct symmetric_eigen {
  Eigen::VectorXd values;  // (K) descending
  Eigen::MatrixXd vectors; // (K, K) columns
};

inline symmetric_eigen solve_symmetric(const Eigen::MatrixXd& a) {
  const eigen_on_one_thread guard;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(a);
  if (solver.info() != Eigen::Success)
    fail("map: the eigenvalues of a ", a.rows(), " x ", a.cols(), " matrix did not converge");
  return {solver.eigenvalues().reverse(), solver.eigenvectors().rowwise().reverse()};
}

} // namespace llmap::detail
