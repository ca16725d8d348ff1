#include "make_map.hpp"
#include "llmap/core/output_path.hpp"
#include "llmap/kernels.hpp"
#include "llmap/store/export.hpp"
#include "model_labels.hpp"
#include "replace.hpp"

llmap::map_data make_map(const map_arguments& a) {
  if (a.store.empty() == a.matrix.empty()) llmap::fail("map: give either a store or --matrix FILE");
  llmap::map_options options;
  options.clip_quantile = a.clip;
  options.perplexity = a.perplexity;
  options.affinity = a.affinity == "sqeuclidean" ? llmap::affinity_kind::sqeuclidean : llmap::affinity_kind::euclidean;
  const std::string& from = a.store.empty() ? a.matrix : a.store;
  const std::vector<std::string> outputs{a.html, a.json, a.svg, a.tsv, a.newick};
  std::vector<std::filesystem::path> inputs = llmap::score_matrix_files(from);
  inputs.push_back(a.labels);
  llmap::check_outputs(inputs, {outputs.begin(), outputs.end()});
  check_form(a.html, {".html", ".htm"});
  check_form(a.json, {".json"});
  check_form(a.svg, {".svg"});
  check_form(a.tsv, {".tsv", ".txt"});
  check_form(a.newick, {".nwk", ".newick", ".txt"});
  check_replaceable(outputs, a.force);
  llmap::score_matrix m = llmap::load_score_matrix(from);
  std::optional<model_labels> labels;
  if (!a.labels.empty()) {
    labels = read_model_labels(a.labels, m.models);
    std::fprintf(messages_beside(outputs), "%s\n", shown(labels->summary).c_str());
  }
  const llmap::selected_models selected = select_models(m, a.selection, from);
  say_left_out(selected);
  if (selected.rows.size() < m.models.size()) m = take_models(m, selected.rows);
  llmap::cpu_executor exec;
  if (a.threads > 0) exec.threads = a.threads;
  llmap::map_data map = make_map(exec, std::move(m), options);
  if (labels) apply(*labels, map);
  return map;
}
