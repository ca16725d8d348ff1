// Which products an executor has, as part of what may change a bit of a score: whose they are, and where they are
// cuBLASLt's, which algorithm it chose for each shape of a model.
#pragma once
#include "llmap/architectures/visit_tensors.hpp"
#include "llmap/forward/cuda/linear_by_library.cuh"
#include "llmap/forward/cuda/pack.cuh"
#include <set>

namespace llmap {

/// One line, of any model.
inline std::string product_facts(const cuda_executor& exec) {
  if (!exec.library) return "own products";
  return "products by cuBLASLt " + exec.library->version() + ", the first algorithm for " +
         std::to_string(cublas_lt::slab_rows) + " rows without split-K";
}

/// The algorithms for the products of a model scored in T, by type, N and K: "BF16 576x192 6.20.15.0.1.0.2, F32 ...".
/// Those of bf16 and of T, whichever its weights have. Empty without the library.
template <class T> std::string product_algorithms(const cuda_executor& exec, const decoder_plan& plan) {
  if (!exec.library) return "";
  std::set<std::pair<std::size_t, std::size_t>> shapes; // (N, K)
  const auto include = [&](const auto& tensor, const tensor_use& use) {
    if constexpr (std::is_same_v<std::decay_t<decltype(tensor)>, linear_plan>)
      if (!use.looked_up)
        shapes.emplace(static_cast<std::size_t>(tensor.rows()), static_cast<std::size_t>(tensor.cols));
  };
  visit_tensors(plan, include);
  std::string all;
  const auto add = [&]<class Stored>() {
    for (const auto [N, K] : shapes) {
      const auto factors = gpu::product_factors<Stored>(nullptr, nullptr, N, K, row_stride(K, sizeof(Stored)));
      all += (all.empty() ? "" : ", ") + std::string(name_of(factors.type)) + " " + std::to_string(N) + "x" +
             std::to_string(K) + " " + exec.library->algorithm(factors, gpu::aligned_stride<T>(N));
    }
  };
  if constexpr (std::is_same_v<T, float>) add.template operator()<bf16>();
  add.template operator()<T>();
  return all;
}

} // namespace llmap
