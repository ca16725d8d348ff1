// Which experts a token goes to, and with what weights, as every executor decides it. Scores are softmax or sigmoid of
// the logits. The `chosen` best experts by score + correction inside the best groups are taken; their weights come from
// the scores alone. Computed in double. Sources: Shazeer et al. 2017; DeepSeek-V2 and V3 (2024) for the groups and the
// correction.
#pragma once
#include "llmap/architectures/decoder_plan.hpp"
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

namespace llmap {

/// The rows of a slab by the expert that they chose, ascending, with their weights.
template <class T> class expert_rows {
  std::vector<std::size_t> offsets_, rows_; // (E + 1), (S k)
  std::vector<T> weights_;                  // (S k)

public:
  std::size_t count(std::size_t expert) const { return offsets_[expert + 1] - offsets_[expert]; } ///< tokens
  /// The rows that chose an expert, ascending.
  std::span<const std::size_t> rows(std::size_t expert) const {
    return std::span(rows_).subspan(offsets_[expert], count(expert));
  }
  /// The weight of each of them.
  std::span<const T> weights(std::size_t expert) const {
    return std::span(weights_).subspan(offsets_[expert], count(expert));
  }

  /// Sorts the choices of all rows: experts and weights (S, k).
  void sort(std::size_t experts, std::size_t chosen, std::span<const std::size_t> choice, std::span<const T> weight) {
    offsets_.assign(experts + 1, 0);
    for (const std::size_t e : choice) ++offsets_[e + 1];
    std::partial_sum(offsets_.begin(), offsets_.end(), offsets_.begin());
    rows_.resize(choice.size());
    weights_.resize(choice.size());
    std::vector<std::size_t> next(offsets_.begin(), offsets_.end() - 1);
    for (std::size_t i = 0; i < choice.size(); ++i) {
      rows_[next[choice[i]]] = i / chosen;
      weights_[next[choice[i]]++] = weight[i];
    }
  }
};

namespace detail {

/// Makes the choice of one token; buffers are kept from token to token.
class token_router {
  const router_plan& plan_;
  std::vector<double> score_, rank_, group_rank_;
  std::vector<std::size_t> order_;

  /// The indices of the `n` best of `of`, best first; of equals, the lower one first.
  std::span<const std::size_t> best(std::span<const double> of, std::size_t n) {
    order_.resize(of.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::partial_sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(n), order_.end(),
                      [&](std::size_t a, std::size_t b) { return of[a] > of[b] || (of[a] == of[b] && a < b); });
    return std::span(order_).first(n);
  }

  /// The sparse mixer: writes both experts and their weights.
  template <class T> void banded(std::span<const double> logits, std::size_t* choice, T* weight) {
    rank_.assign(logits.begin(), logits.end());
    for (int i = 0; i < 2; ++i) {
      const std::size_t first = best(rank_, 1)[0];
      const double most = rank_[first];
      double sum = 0; // of those that are left and inside the band; the best is
      for (const double s : rank_)
        if (std::isfinite(s) && (most - s) / std::max(std::abs(s), most) <= 2 * plan_.band) sum += std::exp(s - most);
      choice[i] = first, weight[i] = static_cast<T>(plan_.scale / sum);
      rank_[first] = -std::numeric_limits<double>::infinity();
    }
  }

  void scores_of(std::span<const double> logits) {
    score_.assign(logits.begin(), logits.end());
    if (plan_.scores == router_plan::score::sigmoid) {
      for (double& s : score_) s = 1 / (1 + std::exp(-s));
      return;
    }
    const double most = *std::max_element(score_.begin(), score_.end());
    double sum = 0;
    for (double& s : score_) sum += s = std::exp(s - most);
    for (double& s : score_) s /= sum;
  }

  /// Keeps the ranks of the best groups and makes the others -infinity.
  void keep_best_groups() {
    const auto groups = static_cast<std::size_t>(plan_.groups), size = rank_.size() / groups;
    group_rank_.resize(groups);
    for (std::size_t g = 0; g < groups; ++g) {
      double first = -std::numeric_limits<double>::infinity(), second = first;
      for (const double r : std::span(rank_).subspan(g * size, size)) {
        if (r > first) second = first, first = r;
        else second = std::max(second, r);
      }
      group_rank_[g] = plan_.rank == router_plan::group_rank::best ? first : first + second;
    }
    std::vector<bool> kept(groups);
    for (const std::size_t g : best(group_rank_, static_cast<std::size_t>(plan_.chosen_groups))) kept[g] = true;
    for (std::size_t e = 0; e < rank_.size(); ++e)
      if (!kept[e / size]) rank_[e] = -std::numeric_limits<double>::infinity();
  }

public:
  explicit token_router(const router_plan& plan) : plan_(plan) {}

  template <class T>
  void operator()(std::span<const double> logits, std::span<const T> correction, std::span<const T> expert_scale,
                  std::size_t* choice, T* weight) {
    if (plan_.scores == router_plan::score::banded) return banded(logits, choice, weight);
    scores_of(logits);
    rank_ = score_;
    for (std::size_t e = 0; e < correction.size(); ++e) rank_[e] += static_cast<double>(correction[e]);
    if (plan_.groups > 1) keep_best_groups();
    const auto chosen = best(rank_, static_cast<std::size_t>(plan_.chosen));
    double sum = plan_.epsilon;
    for (const std::size_t e : chosen) sum += score_[e];
    const double factor = plan_.normalized ? plan_.scale / std::max(sum, plan_.least_sum) : plan_.scale;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      choice[i] = chosen[i];
      const double further = expert_scale.empty() ? 1 : static_cast<double>(expert_scale[chosen[i]]);
      weight[i] = static_cast<T>(score_[chosen[i]] * factor * further);
    }
  }
};

} // namespace detail

} // namespace llmap
