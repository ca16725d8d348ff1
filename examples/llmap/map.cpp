// llmap map: draws the map of a store or a matrix as page, figure, tables and tree, and prints a summary.
#include "llmap/core/write_file.hpp"
#include "llmap/picture/html.hpp"
#include "llmap/picture/svg.hpp"
#include "llmap/picture/tsv.hpp"
#include "make_map.hpp"
#include "replace.hpp"
#include <algorithm>
#include <fmt/format.h>
#include <numeric>
#include <utility>

namespace {

/// Two texts give distances without errors.
bool has_errors(const llmap::map_data& map) { return map.texts >= llmap::least_texts_for_error; }

std::string amount(const llmap::map_data& map, std::size_t i, std::size_t j) {
  const std::string kl = fmt::format("{:.4g}", map.kl(i, j)), mark = name_of(basis_of(map, i, j));
  return kl + (has_errors(map) ? fmt::format(" ± {:.2g}", map.kl_standard_error(i, j)) : "") +
         (mark.empty() ? "" : "  (" + mark + ")");
}

void print_run(std::FILE* to, const llmap::map_data& map, const llmap::training_run& run) {
  const auto list = [&](const std::vector<llmap::training_step>& steps) {
    std::string out;
    for (const llmap::training_step& s : steps)
      out += (out.empty() ? "" : " > ") + (s.step ? std::to_string(*s.step) : std::string("end"));
    return out;
  };
  const auto by_distance = order_by_distance(map, run);
  fmt::print(to, "  {}: steps {}\n", shown(run.name), list(run.steps));
  if (list(by_distance) == list(run.steps)) fmt::print(to, "    by KL to the last: the same order\n");
  else fmt::print(to, "    by KL to the last, farthest first: {}\n", list(by_distance));
}

/// Where most pairs are far: which models are far from most others, and how to leave them out.
void print_way_on(std::FILE* to, const std::vector<std::size_t>& far_pairs, const llmap::map_data& map) {
  constexpr std::size_t most_listed = 3;
  std::vector<std::size_t> order(map.models.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto apart = [&](std::size_t i) { return std::pair(far_pairs[i], map.kl(i, nearest_models(map, i)[0])); };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return apart(a) > apart(b); });
  std::string list;
  for (std::size_t k = 0; k < std::min(most_listed, order.size()); ++k)
    list += fmt::format("{}{} (from {} of {})", k ? ", " : "", shown(map.models[order[k]]), far_pairs[order[k]],
                        map.models.size() - 1);
  fmt::print(
      to,
      "most pairs are far; --exclude MODEL... draws the map without models that stand apart, of which the first: {}\n",
      list);
}

/// What the marks of all pairs mean, if there are any.
void print_marks(std::FILE* to, const llmap::map_data& map) {
  std::size_t far = 0, few = 0, pairs = 0;
  std::vector<std::size_t> far_pairs(map.models.size(), 0); // of each model
  for (std::size_t i = 0; i < map.models.size(); ++i)
    for (std::size_t j = i + 1; j < map.models.size(); ++j, ++pairs) {
      const llmap::kl_basis basis = basis_of(map, i, j);
      far += basis.far, few += basis.few;
      far_pairs[i] += basis.far, far_pairs[j] += basis.far;
    }
  if (far)
    fmt::print(to,
               "far: {} of {} pairs; the estimate exceeds what the models spend on the texts, and says no more than "
               "that\n",
               far, pairs);
  if (2 * far > pairs && map.models.size() > 2) print_way_on(to, far_pairs, map);
  if (few)
    fmt::print(to, "few texts: {} of {} pairs; fewer than {} texts of equal share would carry the estimate\n", few,
               pairs, llmap::least_effective_texts);
}

void print_summary(std::FILE* to, const llmap::map_data& map) {
  fmt::print(to, "{} models, {} texts{}\n", map.models.size(), map.texts,
             map.mean_bytes > 0 ? fmt::format(" of {:.1f} bytes on average", map.mean_bytes)
                                : "; their lengths are not known, so that KL counts nats a text");
  fmt::print(to, "clip threshold {:.6f} nats (quantile {}), {} entries raised to it\n", map.clip_threshold,
             map.clip_quantile, map.clipped_entries);
  if (!map.excluded.empty()) {
    constexpr std::size_t listed = 20;
    fmt::print(to, "{} texts left out, because a model has no usable value for them:\n", map.excluded.size());
    for (std::size_t k = 0; k < std::min(listed, map.excluded.size()); ++k)
      fmt::print(to, "  {}: {} models, first {}\n", shown(map.excluded[k].name), map.excluded[k].models,
                 shown(map.excluded[k].first));
    if (map.excluded.size() > listed) fmt::print(to, "  and {} more (all in --json)\n", map.excluded.size() - listed);
  }
  fmt::print(to, "t-SNE: perplexity {:.4g}, affinity {}, objective {:.4f}\n", map.perplexity,
             affinity_name(map.affinity), map.tsne_objective);
  fmt::print(to, "\nnearest model, KL {}in {}{}\n", has_errors(map) ? "± standard error " : "",
             llmap::kl_unit(map.mean_bytes), has_errors(map) ? "" : " (two texts give no standard error)");
  std::size_t widest = 0;
  for (const std::string& m : map.models) widest = std::max(widest, llmap::count_characters(m));
  for (std::size_t i = 0; i < map.models.size(); ++i) {
    const auto near = nearest_models(map, i);
    const std::string pad(widest - llmap::count_characters(map.models[i]), ' ');
    if (near.empty()) fmt::print(to, "  {}{}  (the only model)\n", shown(map.models[i]), pad);
    else
      fmt::print(to, "  {}{}  {}  {}\n", shown(map.models[i]), pad, shown(map.models[near[0]]),
                 amount(map, i, near[0]));
  }
  print_marks(to, map);
  if (!map.training_runs.empty()) fmt::print(to, "\ntraining runs\n");
  for (const llmap::training_run& run : map.training_runs) print_run(to, map, run);
}

} // namespace

void run_map(const map_arguments& a) {
  const llmap::map_data map = make_map(a);
  if (!a.html.empty()) llmap::write_file(a.html, a.title.empty() ? map_html(map) : map_html(map, a.title));
  if (!a.json.empty()) llmap::write_file(a.json, map_json(map));
  if (!a.svg.empty()) llmap::write_file(a.svg, map_svg(map, {.title = a.title}));
  if (!a.tsv.empty()) llmap::write_file(a.tsv, coordinates_tsv(map));
  if (!a.newick.empty()) llmap::write_file(a.newick, newick(map.tree, map.models) + "\n");
  const std::vector<std::string> outputs{a.html, a.json, a.svg, a.tsv, a.newick};
  std::FILE* to = messages_beside(outputs);
  print_summary(to, map);
  std::string wrote;
  for (const std::string& path : outputs)
    if (!path.empty()) wrote += (wrote.empty() ? "" : ", ") + shown(path);
  if (wrote.empty()) fmt::print(to, "\nnothing was written; perhaps --html map.html\n");
  else fmt::print(to, "\nwrote {}\n", wrote);
}
