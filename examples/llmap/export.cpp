// llmap export: the matrix of a store as safetensors, with the names beside it.
#include "llmap/store/export.hpp"
#include "commands.hpp"
#include "llmap/core/output_path.hpp"
#include "replace.hpp"
#include <fmt/format.h>

void run_export(const export_arguments& a) {
  if (std::filesystem::path(a.out).extension() == ".json")
    llmap::fail(a.out, ": expected a name that does not end in .json");
  llmap::check_outputs({a.store}, {a.out, llmap::names_path(a.out)});
  check_replaceable({a.out, llmap::names_path(a.out)}, a.force);
  const llmap::scored_matrix all = llmap::read_store(a.store);
  const llmap::selected_models selected = select_models(all.matrix, a.selection, a.store);
  say_left_out(selected);
  llmap::scored_matrix m{take_models(all.matrix, selected.rows), {}};
  const auto N = static_cast<std::ptrdiff_t>(all.matrix.texts.size());
  for (const std::size_t row : selected.rows) {
    const auto first = all.tokens_scored.begin() + static_cast<std::ptrdiff_t>(row) * N;
    m.tokens_scored.insert(m.tokens_scored.end(), first, first + N);
  }
  write_matrix(a.out, m);
  fmt::print("{} models, {} texts: {} and {}\n", m.matrix.models.size(), m.matrix.texts.size(), a.out,
             llmap::names_path(a.out).string());
}
