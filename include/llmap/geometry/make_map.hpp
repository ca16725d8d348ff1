// From the matrix to the map: complete texts -> clip -> center -> KL with errors -> PCA, t-SNE, tree.
#pragma once
#include "llmap/geometry/clip.hpp"
#include "llmap/geometry/kl.hpp"
#include "llmap/geometry/map_data.hpp"
#include "llmap/geometry/pca.hpp"
#include "llmap/geometry/tsne.hpp"

namespace llmap {

/// How a map is made.
struct map_options {
  double clip_quantile = 0.02;                       ///< entries below it are raised to it
  std::optional<double> clip_threshold{};            // of a finished map, kept when models are added to it
  double perplexity = 0;                             // 0: default_perplexity(K)
  affinity_kind affinity = affinity_kind::euclidean; ///< of t-SNE's P
  tsne_options tsne = {};                            ///< of its descent
};

/// The beginning of a name: of the part after the last '/', up to the first '-' or '_'.
inline std::string name_prefix(const std::string& name) {
  const std::size_t slash = name.find_last_of('/');
  const std::string last = slash == std::string::npos || slash + 1 == name.size() ? name : name.substr(slash + 1);
  const std::size_t cut = last.find_first_of("-_", 1);
  return last.substr(0, cut);
}

/// Groups of the matrix; without any, one called "name prefix", which says where it comes from.
inline std::vector<model_group> groups_of(const score_matrix& m) {
  std::vector<model_group> out;
  const auto family = m.groups.find("family");
  if (family != m.groups.end()) out.push_back({family->first, family->second});
  for (const auto& [name, labels] : m.groups)
    if (name != "family") out.push_back({name, labels});
  if (out.empty()) {
    out.push_back({"name prefix", {}});
    for (const std::string& name : m.models) out[0].labels.push_back(name_prefix(name));
  }
  return out;
}

namespace detail {

/// The matrix with entries of type T; it is moved if it has them already.
template <class T> matrix<T> take_as(matrix<double>&& l) {
  if constexpr (std::is_same_v<T, double>) return std::move(l);
  else return matrix<T>(std::exchange(l, {}).view());
}

} // namespace detail

/// |sqrt(KL of make_map<float>) - sqrt(KL)| <= float_map_error max |l|, KL in nats per text, l clipped: an entry is off
/// by 2^-24 |l| at most, a difference by twice that, and so its standard deviation, sqrt(2 KL).
inline constexpr double float_map_error = std::numbers::sqrt2 * 0x1p-24;

/// The map of the models of a matrix, which is clipped in place. With T = float the clipped and the centered matrix
/// take half the memory; all that is computed from them is still double. Same bits for any thread count.
template <class T = double>
map_data make_map(const cpu_executor& exec, score_matrix m, const map_options& options = {}) {
  const text_selection selection = complete_texts(m);
  const double threshold = options.clip_threshold
                               ? *options.clip_threshold
                               : clip_threshold(exec, m.log_likelihood.view(), options.clip_quantile);
  if (!selection.excluded.empty()) m = take_texts(m, selection.kept);
  const clipped_matrix<T> x = clip(exec, detail::take_as<T>(std::move(m.log_likelihood)), threshold);
  centered_matrix<T> q = center(exec, x.values.view());
  pca_result p = pca(exec, q.q.view(), 10);
  q.q = {}; // as large as the clipped matrix, and no longer needed
  const kl_table t = kl(exec, x.values.view(), m.bytes);
  const std::size_t K = x.values.rows();

  map_data out;
  out.groups = groups_of(m);
  out.texts = m.texts.size();
  out.excluded = selection.excluded;
  out.mean_bytes = t.mean_bytes;
  out.clip_quantile = options.clip_quantile;
  out.clip_threshold = threshold;
  out.clipped_entries = x.raised;
  for (const double v : q.row_mean) out.spent.push_back(in_kl_unit(-v, t.mean_bytes));
  out.kl = in_kl_unit(t.nats, t.mean_bytes);
  const kl_error_table errors = kl_errors(exec, x.values.view(), t);
  out.kl_standard_error = in_kl_unit(errors.standard_error, t.mean_bytes);
  out.effective_texts = effective_texts(t, errors);
  out.perplexity = options.perplexity > 0 ? options.perplexity : default_perplexity(K);
  out.affinity = options.affinity;
  const affinities_result a = affinities(exec, squared_distances(t).view(), out.perplexity, options.affinity);
  tsne_result y = tsne(exec, a.joint.view(), tsne_start(p.scores), options.tsne);
  out.tsne = std::move(y.y);
  out.tsne_objective = y.objective;
  out.pca_scores = std::move(p.scores);
  out.explained_variance_ratio = std::move(p.explained_variance_ratio);
  out.tree = linkage(exec, out.kl.view(), linkage_kind::average);
  out.order = leaf_order(out.tree, out.kl.view());
  out.training_runs = find_training_runs(m.models);
  out.models = std::move(m.models);
  return out;
}

} // namespace llmap
