// llmap export: the matrix of a store, in the form that the name of its file says.
#include "commands.hpp"
#include "interruption.hpp"
#include "llmap/core/output_path.hpp"
#include "llmap/store/export_forms.hpp"
#include "replace.hpp"
#include <fmt/format.h>

void run_export(const export_arguments& a) {
  const std::vector<std::filesystem::path> files = llmap::files_of_matrix(a.out);
  llmap::check_outputs({a.store}, files);
  std::vector<std::string> names;
  for (const auto& file : files) names.push_back(file.string());
  check_replaceable(names, a.force);
  const llmap::scored_matrix all = llmap::read_store(a.store);
  const llmap::selected_models selected = select_models(all.matrix, a.selection, a.store);
  say_left_out(selected);
  llmap::scored_matrix m{take_models(all.matrix, selected.rows), {}};
  const auto N = static_cast<std::ptrdiff_t>(all.matrix.texts.size());
  for (const std::size_t row : selected.rows) {
    const auto first = all.tokens_scored.begin() + static_cast<std::ptrdiff_t>(row) * N;
    m.tokens_scored.insert(m.tokens_scored.end(), first, first + N);
  }
  write_matrix_as(a.out, m);
  const bool mappable = std::filesystem::path(a.out).extension() == ".safetensors";
  fmt::print(messages_beside({a.out}), "{} models, {} texts: {}{}{}\n", m.matrix.models.size(), m.matrix.texts.size(),
             shown(a.out),
             files.size() > 1                 ? " and " + shown(names[1])
             : llmap::named_descriptor(a.out) ? ", without names"
                                              : "",
             mappable ? "; next: llmap map --matrix " + shell_word(a.out) + " --html map.html" : "");
}
