// From the matrix to the map, once: complete texts -> clip -> centre -> KL with errors -> PCA, t-SNE, tree.
#pragma once
#include "llmap/geometry/clip.hpp"
#include "llmap/geometry/kl.hpp"
#include "llmap/geometry/pca.hpp"
#include "llmap/geometry/tsne.hpp"
#include "llmap/geometry/map_data.hpp"

namespace llmap {

struct map_options {
  double clip_quantile = 0.02;
  std::optional<double> clip_threshold; // of a finished map, kept when models are added to it
  double perplexity = 0;                // 0: default_perplexity(K)
  affinity_kind affinity = affinity_kind::euclidean;
  tsne_options tsne = {};
  int threads = default_threads();
};

/// What a name begins with: the part after the last '/', up to the first '-' or '_'.
inline std::string name_prefix(const std::string& name) {
  const std::size_t slash = name.find_last_of('/');
  const std::string last =
      slash == std::string::npos || slash + 1 == name.size() ? name : name.substr(slash + 1);
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

/// The map of the models of a matrix, which is clipped in place. Same bits for any thread count.
inline map_data make_map(score_matrix m, const map_options& options = {}) {
  const text_selection selection = complete_texts(m);
  const double threshold = options.clip_threshold
                               ? *options.clip_threshold
                               : clip_threshold(m.log_likelihood, options.clip_quantile, options.threads);
  if (!selection.excluded.empty()) m = take_texts(m, selection.kept);
  const clipped_matrix x = clip(std::move(m.log_likelihood), threshold, options.threads);
  const centered_matrix q = center(x.values, options.threads);
  const kl_table t = kl(x.values, m.bytes, {options.threads});
  pca_result p = pca(q.q, {10, options.threads});
  const Eigen::Index K = x.values.rows();

  map_data out;
  out.groups = groups_of(m);
  out.texts = m.texts.size();
  out.excluded = selection.excluded;
  out.mean_bytes = t.mean_bytes;
  out.clip_quantile = options.clip_quantile;
  out.clip_threshold = threshold;
  out.clipped_entries = x.raised;
  out.bits_per_byte = q.row_mean.unaryExpr([&](double v) { return nats_to_bits_per_byte(-v, t.mean_bytes); });
  out.kl_bits_per_byte = kl_bits_per_byte(t);
  out.kl_standard_error =
      nats_to_bits_per_byte(kl_errors(x.values, t, {options.threads}).standard_error, t.mean_bytes);
  out.perplexity = options.perplexity > 0 ? options.perplexity : default_perplexity(K);
  out.affinity = options.affinity;
  tsne_options tsne_with = options.tsne;
  tsne_with.threads = options.threads;
  const affinities_result a =
      affinities(squared_distance(t), out.perplexity, options.affinity, options.threads);
  const tsne_result y = tsne(a.joint, tsne_start(p.scores), tsne_with);
  out.tsne = y.y;
  out.tsne_objective = y.objective;
  out.pca_scores = std::move(p.scores);
  out.explained_variance_ratio = std::move(p.explained_variance_ratio);
  out.tree = agglomerate(out.kl_bits_per_byte, linkage_kind::average, options.threads);
  out.order = leaf_order(out.tree, out.kl_bits_per_byte);
  out.training_runs = find_training_runs(m.models);
  out.models = std::move(m.models);
  return out;
}

} // namespace llmap
