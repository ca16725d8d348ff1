// llmap compare: two models of a store in detail.
#include "commands.hpp"
#include "llmap/geometry/pair.hpp"
#include "llmap/geometry/select_texts.hpp"
#include "llmap/store/export.hpp"
#include <fmt/format.h>
#include <map>

namespace {

std::size_t row_of(const llmap::score_matrix& m, const std::string& name, const std::string& where) {
  for (std::size_t i = 0; i < m.models.size(); ++i)
    if (m.models[i] == name) return i;
  llmap::fail(where, ": no model named ", name, " (", m.models.size(), " models, first ", m.models.front(), ")");
}

} // namespace

void run_compare(const compare_arguments& args) {
  llmap::score_matrix all = llmap::load_score_matrix(args.store);
  const llmap::selected_models selected = select_models(all, args.selection, args.store);
  say_left_out(selected);
  if (selected.rows.size() < all.models.size()) all = take_models(all, selected.rows);
  const llmap::cpu_executor exec;
  const std::size_t a = row_of(all, args.a, args.store), b = row_of(all, args.b, args.store);
  // The clip is that of the map, over all models; a text counts if both models have a value.
  const double threshold = clip_threshold(exec, all.log_likelihood.view(), args.clip);
  const llmap::clipped_matrix<double> clipped = clip(exec, all.log_likelihood.view(), threshold);
  std::vector<std::size_t> kept;
  for (std::size_t s = 0; s < all.log_likelihood.cols(); ++s)
    if (usable(all, a, s) && usable(all, b, s)) kept.push_back(s);
  if (kept.size() < 2)
    llmap::fail(args.store, ": ", args.a, " and ", args.b, ": expected at least 2 texts that both have scored, got ",
                kept.size());
  llmap::matrix<double> pair(2, kept.size());
  std::vector<std::int64_t> bytes;
  std::vector<std::string> texts, domains;
  for (std::size_t k = 0; k < kept.size(); ++k) {
    const std::size_t s = kept[k];
    pair(0, k) = clipped.values(a, s);
    pair(1, k) = clipped.values(b, s);
    bytes.push_back(all.bytes[s]);
    texts.push_back(all.texts[s]);
    domains.push_back(all.domains.empty() ? "" : all.domains[s]);
  }
  const llmap::kl_table table = kl(exec, pair.view(), bytes);
  const llmap::kl_error_table errors = kl_errors(exec, pair.view(), table);
  fmt::print("{} and {}: {} texts, {} left out, clip threshold {:.6f} nats\n", args.a, args.b, kept.size(),
             all.texts.size() - kept.size(), clipped.threshold);
  const auto plus_minus = [](double error) {
    return std::isfinite(error) ? fmt::format(" ± {:.2g}", error) : std::string();
  };
  const double error = errors.standard_error(0, 1);
  fmt::print("KL                   {:.6g}{} bits/byte ({:.6g}{} nats per text){}\n", kl_bits_per_byte(table)(0, 1),
             plus_minus(llmap::nats_to_bits_per_byte(error, table.mean_bytes)), table.nats(0, 1), plus_minus(error),
             std::isfinite(error) ? "" : "; two texts give no standard error");
  fmt::print("difference of means  {:.6g} ± {:.2g} nats per text ({} {})\n", errors.mean_difference(0, 1),
             mean_difference_standard_error(table)(0, 1), errors.mean_difference(0, 1) >= 0 ? args.a : args.b,
             "predicts better");

  const llmap::difference d = centered_difference(exec, pair.view(), 0, 1);
  const std::vector<double> share = llmap::influence(d);
  fmt::print("\nmost influential texts: share of the distance, difference less its mean in nats\n");
  for (std::size_t s : llmap::most_influential(share, 10))
    fmt::print("  {:6.2f} %  {:+12.4f}  {}  {}\n", 100 * share[s], d[s], texts[s], domains[s]);

  if (all.domains.empty()) return;
  std::map<std::string, std::size_t> number;
  std::vector<std::size_t> domain;
  for (const std::string& name : domains) domain.push_back(number.emplace(name, number.size()).first->second);
  const llmap::domain_split_result split = llmap::domain_split(d, domain);
  const double whole = split.within + split.between;
  fmt::print("\nby domain: texts, mean difference in nats, share of the distance\n");
  for (const auto& [name, g] : number) {
    const llmap::domain_part& part = split.parts[g];
    fmt::print("  {:<16} {:>6}  {:+12.4f}  {:6.2f} %\n", name.empty() ? "(none)" : name, part.texts, part.mean,
               whole > 0 ? 100 * part.contribution / whole : 0.0);
  }
  fmt::print("  within domains {:.2f} %, between domains {:.2f} %\n", whole > 0 ? 100 * split.within / whole : 0.0,
             whole > 0 ? 100 * split.between / whole : 0.0);
}
