// llmap compare: two models of a store in detail.
#include "commands.hpp"
#include "llmap/core/json_writer.hpp"
#include "llmap/geometry/kl_basis.hpp"
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

/// What is said of a pair; nats per text.
struct compared_pair {
  std::vector<std::string> texts, domains; // that both models have scored; domains: of each, or empty
  std::size_t left_out;
  double threshold, spent, effective; // spent: on a text, the mean of the two models
  double kl, kl_error, mean_bytes, mean_difference, mean_difference_error;
  llmap::difference difference; // less its mean
  std::vector<double> share;    // of each text in the distance
};

struct domain_parts {
  std::map<std::string, std::size_t> number;
  llmap::domain_split_result split;
};

domain_parts split_by_domain(const compared_pair& p) {
  domain_parts parts;
  std::vector<std::size_t> domain;
  for (const std::string& name : p.domains)
    domain.push_back(parts.number.emplace(name, parts.number.size()).first->second);
  parts.split = llmap::domain_split(p.difference, domain);
  return parts;
}

void print_text(const compare_arguments& args, const compared_pair& p) {
  fmt::print("{} and {}: {} texts, {} left out, clip threshold {:.6f} nats\n", shown(args.a), shown(args.b),
             p.texts.size(), p.left_out, p.threshold);
  const auto plus_minus = [](double error) {
    return std::isfinite(error) ? fmt::format(" ± {:.2g}", error) : std::string();
  };
  const auto in_unit = [&](double nats) { return llmap::in_kl_unit(nats, p.mean_bytes); };
  const std::string unit = llmap::kl_unit(p.mean_bytes),
                    nats = fmt::format("{:.6g}{} nats per text", p.kl, plus_minus(p.kl_error));
  fmt::print("KL                   {:.6g}{} {}{}{}\n", in_unit(p.kl), plus_minus(in_unit(p.kl_error)), unit,
             p.mean_bytes > 0 ? " (" + nats + ")" : "",
             std::isfinite(p.kl_error) ? "" : "; two texts give no standard error");
  const auto [far, few] = llmap::kl_basis_of(p.kl, p.spent, p.effective);
  fmt::print("rests on             {} texts, which weigh like {:.1f} of equal share{}\n", p.texts.size(), p.effective,
             few ? fmt::format("; few texts: fewer than {}", llmap::least_effective_texts) : "");
  if (far)
    fmt::print("far                  the estimate exceeds what the models spend on the texts, {:.6g} {}, and says no "
               "more than "
               "that\n",
               in_unit(p.spent), unit);
  fmt::print("difference of means  {:.6g} ± {:.2g} nats per text ({} predicts better)\n", p.mean_difference,
             p.mean_difference_error, shown(p.mean_difference >= 0 ? args.a : args.b));
  fmt::print("\nmost influential texts: share of the distance, difference less its mean in nats\n");
  for (std::size_t s : llmap::most_influential(p.share, 10))
    fmt::print("  {:6.2f} %  {:+12.4f}  {}  {}\n", 100 * p.share[s], p.difference[s], shown(p.texts[s]),
               p.domains.empty() ? "" : shown(p.domains[s]));
  if (p.domains.empty()) return;
  const auto [number, split] = split_by_domain(p);
  const double whole = split.within + split.between;
  const auto percent = [&](double part) { return whole > 0 ? 100 * part / whole : 0.0; };
  fmt::print("\nby domain: texts, mean difference in nats, share of the distance\n");
  for (const auto& [name, g] : number) {
    const llmap::domain_part& part = split.parts[g];
    fmt::print("  {:<16} {:>6}  {:+12.4f}  {:6.2f} %\n", name.empty() ? "(none)" : shown(name), part.texts, part.mean,
               percent(part.contribution));
  }
  fmt::print("  within domains {:.2f} %, between domains {:.2f} %\n", percent(split.within), percent(split.between));
}

void print_json(const compare_arguments& args, const compared_pair& p) {
  llmap::json_writer out(llmap::json_writer::layout::indented);
  const auto in_unit = [&](double nats) { return llmap::in_kl_unit(nats, p.mean_bytes); };
  out.object([&] {
    out.field("models", std::vector{args.a, args.b});
    out.field("texts", p.texts.size());
    out.field("left_out", p.left_out);
    p.mean_bytes > 0 ? out.field("mean_bytes", p.mean_bytes) : out.field("mean_bytes", nullptr);
    out.field("threshold", p.threshold);
    if (p.mean_bytes > 0) out.field("kl_bits_per_byte", in_unit(p.kl));
    out.field("kl_standard_error", in_unit(p.kl_error)); // bits per byte; nats per text if the bytes are not known
    out.field("kl_nats_per_text", p.kl);
    out.field("kl_effective_texts", p.effective);
    out.field("kl_marks", name_of(llmap::kl_basis_of(p.kl, p.spent, p.effective)));
    out.field("mean_difference", p.mean_difference);
    out.field("mean_difference_standard_error", p.mean_difference_error);
    out.field("influential_texts", [&] {
      out.array(llmap::most_influential(p.share, 10), [&](std::size_t s) {
        out.object([&] {
          out.field("id", p.texts[s]);
          if (!p.domains.empty()) out.field("domain", p.domains[s]);
          out.field("share", p.share[s]);
          out.field("difference", p.difference[s]);
        });
      });
    });
    if (p.domains.empty()) return;
    const domain_parts by = split_by_domain(p);
    out.field("kl_within_domains", by.split.within / 2); // nats per text; the two sum to the whole
    out.field("kl_between_domains", by.split.between / 2);
    out.field("domains", [&] {
      out.array(by.number, [&](const auto& domain) {
        const llmap::domain_part& part = by.split.parts[domain.second];
        out.object([&] {
          out.field("domain", domain.first);
          out.field("texts", part.texts);
          out.field("mean_difference", part.mean);
          out.field("kl_nats_per_text", part.contribution / 2);
        });
      });
    });
  });
  std::puts(out.text().c_str());
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
    if (!all.bytes.empty()) bytes.push_back(all.bytes[s]);
    texts.push_back(all.texts[s]);
    if (!all.domains.empty()) domains.push_back(all.domains[s]);
  }
  const llmap::kl_table table = kl(exec, pair.view(), bytes);
  const llmap::kl_error_table errors = kl_errors(exec, pair.view(), table);
  const llmap::difference d = centered_difference(exec, pair.view(), 0, 1);
  const compared_pair found{.texts = texts,
                            .domains = domains,
                            .left_out = all.texts.size() - kept.size(),
                            .threshold = clipped.threshold,
                            .spent = -(row_mean<double>(pair.view(), 0) + row_mean<double>(pair.view(), 1)) / 2,
                            .effective = effective_texts(table, errors)(0, 1),
                            .kl = table.nats(0, 1),
                            .kl_error = errors.standard_error(0, 1),
                            .mean_bytes = table.mean_bytes,
                            .mean_difference = errors.mean_difference(0, 1),
                            .mean_difference_error = mean_difference_standard_error(table)(0, 1),
                            .difference = d,
                            .share = llmap::influence(d)};
  args.json ? print_json(args, found) : print_text(args, found);
}
