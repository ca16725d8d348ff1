// llmap merge: one store from several of the same text set.
#include "llmap/store/merge.hpp"
#include "commands.hpp"
#include "interruption.hpp"
#include "replace.hpp"
#include <fmt/format.h>

void run_merge(const merge_arguments& a) {
  const std::vector<std::filesystem::path> stores(a.stores.begin(), a.stores.end());
  llmap::check_outputs(stores, {a.out});
  check_replaceable({a.out}, a.force);
  const llmap::merge_report report = llmap::merge_stores(a.out, stores);
  constexpr std::size_t listed = 20;
  for (std::size_t i = 0; i < std::min(listed, report.conflicts.size()); ++i)
    std::fprintf(stderr, "llmap: %s\n", shown(report.conflicts[i]).c_str());
  if (report.conflicts.size() > listed) fmt::print(stderr, "llmap: and {} more\n", report.conflicts.size() - listed);
  if (!report.conflicts.empty())
    llmap::fail(a.out, ": not written: ", report.conflicts.size(), " conflict", report.conflicts.size() == 1 ? "" : "s",
                " between the stores; perhaps llmap remove STORE NAME from one of them");
  fmt::print("{}: {} models, {} texts, {} scores from {} stores ({} that more than one had); next: llmap map {} --html "
             "map.html\n",
             shown(a.out), report.models, report.texts, report.scores, stores.size(), report.repeated,
             shell_word(a.out));
}
