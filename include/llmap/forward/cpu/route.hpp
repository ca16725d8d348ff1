// route: which experts the tokens of a slab go to (forward/token_router.hpp).
#pragma once
#include "llmap/forward/cpu/executor.hpp"
#include "llmap/forward/ops.hpp"
#include "llmap/forward/token_router.hpp"

namespace llmap {

template <class T>
void route(const cpu_executor& exec, const router_plan& plan, std::type_identity_t<matrix_view<const T>> logits,
           const aligned_buffer<T>& correction, const aligned_buffer<T>& expert_scale, expert_rows<T>& routing) {
  LLMAP_EXPECTS((correction.size() == 0 || correction.size() == logits.cols) &&
                    (expert_scale.size() == 0 || expert_scale.size() == logits.cols),
                "route: one correction and one scale per expert");
  const auto k = static_cast<std::size_t>(plan.chosen);
  std::vector<std::size_t> choice(logits.rows * k);
  std::vector<T> weight(choice.size());
  for_row_blocks(exec, logits.rows, 32, [&](std::size_t first, std::size_t count) {
    detail::token_router router(plan);
    std::vector<double> row;
    for (std::size_t r = first; r < first + count; ++r) {
      row.assign(logits.row(r), logits.row(r) + logits.cols);
      router(row, std::span<const T>(correction.data(), correction.size()),
             std::span<const T>(expert_scale.data(), expert_scale.size()), choice.data() + r * k,
             weight.data() + r * k);
    }
  });
  routing.sort(logits.cols, k, choice, weight);
}

} // namespace llmap
