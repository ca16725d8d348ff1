// Exact t-SNE with the pairs on the device; formulas, descents and results are those of geometry/tsne.hpp. P (K, K) is
// float or double and lies on the device; the places y and the results are double and lie on the host. A block takes
// the pairs of a model; its sums merge in a tree, those of all models on the host in one order: there are no atomics,
// and the same P and start give the same bits on every run.
#pragma once
#include "llmap/core/cuda/row_values.cuh"
#include "llmap/geometry/tsne.hpp"

namespace llmap {

namespace gpu {

template <class T, bool Cost> struct push_force {
  matrix_view<const T> joint;
  const double2* y;

  __device__ void operator()(detail::tsne_row& own, std::size_t i, std::size_t j) const {
    const double2 a = y[i], b = y[j];
    const double dx = a.x - b.x, dy = a.y - b.y, p = joint(i, j);
    const double apart = 1 + dx * dx + dy * dy, w = 1 / apart, square = w * w, pull = p * w;
    own.weight += w;
    own.attraction[0] += pull * dx, own.attraction[1] += pull * dy;
    own.repulsion[0] += square * dx, own.repulsion[1] += square * dy;
    if constexpr (Cost) own.cost += p * log(apart);
  }
};
template <class T> struct push_mass {
  matrix_view<const T> joint;
  __device__ void operator()(detail::tsne_mass& own, std::size_t i, std::size_t j) const {
    const double p = joint(i, j);
    own.sum += p;
    if (p > 0) own.entropy += p * log(p);
  }
};

} // namespace gpu

namespace detail {

/// Objective and gradient for many y with the same P, which must stay where it is.
template <class T> class cuda_tsne_forces {
  cuda_executor exec_;
  matrix_view<const T> joint_;
  cuda_buffer<double2> y_;
  cuda_buffer<tsne_row> rows_;
  tsne_mass mass_;

public:
  cuda_tsne_forces(const cuda_executor& exec, matrix_view<const T> joint)
      : exec_(exec), joint_(joint), y_(exec, joint.rows), rows_(exec, joint.rows) {
    cuda_buffer<tsne_mass> of_rows;
    gpu::row_values(exec, joint.rows, joint.rows, gpu::push_mass<T>{joint}, of_rows);
    const std::vector<tsne_mass> mass = of_rows.download(exec);
    mass_ = total_mass(mass);
  }

  tsne_step at(const matrix<double>& y, double exaggeration, bool with_objective) {
    LLMAP_CUDA_CHECK(
        cudaMemcpyAsync(y_.data(), y.data(), y.size() * sizeof(double), cudaMemcpyHostToDevice, exec_.stream));
    const std::size_t K = joint_.rows;
    if (with_objective) gpu::row_values(exec_, K, K, gpu::push_force<T, true>{joint_, y_.data()}, rows_);
    else gpu::row_values(exec_, K, K, gpu::push_force<T, false>{joint_, y_.data()}, rows_);
    const std::vector<tsne_row> rows = rows_.download(exec_);
    return step_of(rows, mass_, exaggeration, with_objective);
  }
};

} // namespace detail

/// As tsne_gradient of the CPU.
template <class T>
tsne_step tsne_gradient(const cuda_executor& exec, matrix_view<const T> joint, const matrix<double>& y,
                        double exaggeration = 1, bool with_objective = true) {
  detail::expect_tsne_shapes(joint.rows, joint.cols, y);
  return detail::cuda_tsne_forces<T>(exec, joint).at(y, exaggeration, with_objective);
}

template <class T>
tsne_result tsne(const cuda_executor& exec, matrix_view<const T> joint, const matrix<double>& start,
                 const tsne_options& options = {}) {
  detail::expect_tsne_shapes(joint.rows, joint.cols, start);
  detail::cuda_tsne_forces<T> forces(exec, joint);
  return detail::best_descent(forces, start, options);
}

} // namespace llmap
