// Every kernel of the map's steps, for the test of what it takes (budget.sh).
#include "llmap/geometry/cuda/center.cuh"
#include "llmap/geometry/cuda/clip.cuh"
#include "llmap/geometry/cuda/pca.cuh"
#include "llmap/geometry/cuda/squared_distances.cuh"
#include "llmap/geometry/cuda/tsne.cuh"

namespace llmap {

template <class T> void every_step(const cuda_executor& exec, matrix_view<const T> x, const matrix<double>& places) {
  clip(exec, x, clip_threshold(exec, x));
  center(exec, x);
  squared_distances(exec, x);
  pca(exec, x);
  tsne(exec, x, places);
}
template <class T> using steps = void (*)(const cuda_executor&, matrix_view<const T>, const matrix<double>&);
[[maybe_unused]] const steps<float> steps_float = every_step;
[[maybe_unused]] const steps<double> steps_double = every_step;

} // namespace llmap
