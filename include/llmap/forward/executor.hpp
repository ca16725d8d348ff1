// An executor is a place to compute: the CPU's threads, a GPU's stream, a counter of operations. It names its storage;
// the ops of forward/ops.hpp are free functions that take it as first argument, found by argument-dependent lookup. The
// forward pass knows nothing else about it.
#pragma once
#include "llmap/core/view.hpp"
#include <concepts>
#include <cstddef>

namespace llmap {

/// How products are computed: in the working type, or with factors rounded to bf16 and sums in the working type.
enum class compute_type { working, bf16 };

/// Whether linear replaces y or adds to it.
enum class store_mode { overwrite, add };

/// Storage for numbers of the working type T (float or double):
///   matrix<T>       a weight matrix (N, K) with its bias, as `pack` makes it; members rows, cols, compute
///   vector<T>       weights that are used one by one
///   rows<T>         activations (M, K) in the form that linear reads; members rows, cols, compute
///   buffer<T>       memory kept from use to use: reshape(rows, cols) gives a matrix_view<T>
///   host_buffer<T>  memory of the host that ops write results to: resize(exec, n) gives a span<T>; the results are
///                   there after synchronize(exec)
///   keys_values<T>  what attention keeps of earlier slabs
///   routing<T>      which rows go to which expert
///   head_room<T>    what the head needs besides its result; a member `rows` of type rows<T>
///   scratch<T>      working memory of ops; counted, never hidden
///   weights_room    what loading one model packs its weights into, or sends them through
template <class E>
concept executor = requires(typename E::template buffer<float> buffer, typename E::template rows<float> rows,
                            typename E::template matrix<float> matrix, typename E::template vector<float> vector,
                            std::size_t n) {
  { buffer.reshape(n, n) } -> std::same_as<matrix_view<float>>;
  { rows.rows } -> std::convertible_to<std::size_t>;
  { rows.cols } -> std::convertible_to<std::size_t>;
  { rows.compute } -> std::convertible_to<compute_type>;
  { matrix.rows } -> std::convertible_to<std::size_t>;
  { matrix.cols } -> std::convertible_to<std::size_t>;
  { matrix.compute } -> std::convertible_to<compute_type>;
  { vector.size() } -> std::convertible_to<std::size_t>;
  typename E::template host_buffer<double>;
  typename E::template keys_values<float>;
  typename E::template routing<float>;
  typename E::template head_room<float>;
  typename E::template scratch<float>;
  typename E::weights_room;
};

} // namespace llmap
