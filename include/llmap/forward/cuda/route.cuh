// route: which experts the tokens of a slab go to (forward/token_router.hpp). The logits come to the host, where the
// pass needs the number of rows of each expert anyway.
#pragma once
#include "llmap/forward/cuda/rows.cuh"
#include "llmap/forward/token_router.hpp"

namespace llmap {

template <class T>
void route(const cuda_executor& exec, const router_plan& plan, std::type_identity_t<matrix_view<const T>> logits,
           const cuda_buffer<T>& correction, const cuda_buffer<T>& expert_scale, expert_rows<T>& routing) {
  const std::size_t E = logits.cols, k = static_cast<std::size_t>(plan.chosen);
  LLMAP_EXPECTS((correction.size() == 0 || correction.size() == E) &&
                    (expert_scale.size() == 0 || expert_scale.size() == E),
                "route: one correction and one scale per expert");
  const cuda_buffer<T> contiguous(exec, logits.rows * E);
  add_scaled(exec, logits, T(1), matrix_view<T>(contiguous.data(), logits.rows, E), store_mode::overwrite);
  const std::vector<T> all = contiguous.download(exec), corrections = correction.download(exec),
                       scales = expert_scale.download(exec);
  std::vector<std::size_t> choice(logits.rows * k);
  std::vector<T> weight(choice.size());
  detail::token_router router(plan);
  for (std::size_t r = 0; r < logits.rows; ++r) {
    const std::vector<double> row(all.begin() + static_cast<std::ptrdiff_t>(r * E),
                                  all.begin() + static_cast<std::ptrdiff_t>((r + 1) * E));
    router(row, std::span<const T>(corrections), std::span<const T>(scales), choice.data() + r * k,
           weight.data() + r * k);
  }
  routing.sort(E, k, choice, weight);
}

} // namespace llmap
