// Training runs found in names: models whose names differ only by a step number (-step1000, checkpoint-1000, @step1000,
// _ckpt_12, -iter50; a trailing -tokens4B is ignored) form a run ordered by step. A model named like the run but
// without a step is its end.
#pragma once
#include "llmap/core/error.hpp"
#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llmap {

/// A checkpoint: a model of the map, by its row.
struct training_step {
  std::size_t model;                ///< row of the map
  std::optional<std::int64_t> step; // none: the end of the run, which carries no number
};

/// Checkpoints of one training.
struct training_run {
  std::string name;                 // what the names share
  std::vector<training_step> steps; // two or more, in the order of training
};

/// A name that ends in a step of training.
struct step_name {
  std::string base;  // the name without its step
  std::int64_t step; ///< number behind the name
};

namespace detail {
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
} // namespace detail

/// The last step mark in a name with up to 18 digits, or none.
inline std::optional<step_name> parse_step(std::string_view name) {
  std::string low(name);
  std::transform(low.begin(), low.end(), low.begin(), detail::lower);
  std::size_t best = std::string::npos, digits = 0;
  for (const std::string_view word : {"step", "checkpoint", "ckpt", "iter"}) {
    const std::size_t at = low.rfind(word);
    if (at == std::string::npos || (best != std::string::npos && at < best)) continue;
    std::size_t d = at + word.size();
    if (d < low.size() && (low[d] == '-' || low[d] == '_' || low[d] == '=')) ++d;
    if (d < low.size() && detail::is_digit(low[d])) best = at, digits = d;
  }
  if (best == std::string::npos) return std::nullopt;
  std::size_t end = digits;
  while (end < low.size() && detail::is_digit(low[end])) ++end;
  if (end - digits > 18) return std::nullopt;
  std::size_t stop = best;
  while (stop > 0 && std::string_view("-_@/.: ").find(low[stop - 1]) != std::string_view::npos) --stop;
  std::string base(name.substr(0, stop));
  if (low.compare(end, 7, "-tokens") != 0) base += name.substr(end);
  return step_name{std::move(base), std::stoll(low.substr(digits, end - digits))};
}

/// The training runs among models, by the step or the number of tokens in their names, in the order of steps.
inline std::vector<training_run> find_training_runs(const std::vector<std::string>& models) {
  std::map<std::string, std::vector<training_step>> found;
  for (std::size_t i = 0; i < models.size(); ++i)
    if (const auto s = parse_step(models[i])) found[s->base].push_back({i, s->step});
  std::vector<training_run> out;
  for (auto& [name, run] : found) {
    std::stable_sort(run.begin(), run.end(),
                     [](const training_step& a, const training_step& b) { return a.step < b.step; });
    const auto end = std::find(models.begin(), models.end(), name);
    if (end != models.end()) run.push_back({static_cast<std::size_t>(end - models.begin()), std::nullopt});
    if (run.size() > 1) out.push_back({name, std::move(run)});
  }
  return out;
}

} // namespace llmap
