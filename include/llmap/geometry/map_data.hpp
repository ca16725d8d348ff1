// Everything a picture of the map needs; made by make_map (geometry/make_map.hpp). Its unit is kl_unit(mean_bytes):
// bits per byte, or nats per text where the lengths of the texts are not known.
#pragma once
#include "llmap/geometry/affinities.hpp"
#include "llmap/geometry/kl_basis.hpp"
#include "llmap/geometry/newick.hpp"
#include "llmap/geometry/select_texts.hpp"
#include "llmap/geometry/training_runs.hpp"

namespace llmap {

/// Labels of the models, by which points are colored.
struct model_group {
  std::string name;                // e.g. "family"
  std::vector<std::string> labels; // (K)
};

/// Numbers of the models, by which points are colored.
struct model_values {
  std::string name;           // e.g. "parameters"
  std::vector<double> values; // (K); NaN: not known
};

/// A map of K models.
struct map_data {
  std::vector<std::string> models;                   // (K)
  std::vector<model_group> groups;                   // what points can be colored by; at least one
  std::vector<model_values> values;                  // too; also none
  std::size_t texts = 0;                             // used
  std::vector<excluded_text> excluded;               ///< with what they lack
  double mean_bytes = 0;                             // of those; 0: not known
  double clip_quantile = 0, clip_threshold = 0;      // nats
  std::size_t clipped_entries = 0;                   ///< raised to the threshold
  std::vector<double> spent;                         // (K) -mean log-likelihood (clipped), in the unit
  matrix<double> kl;                                 // (K, K) in the unit
  matrix<double> kl_standard_error;                  // (K, K) in the unit; NaN if there are two texts
  matrix<double> effective_texts;                    // (K, K) that carry each KL, see kl_basis.hpp; or empty: not known
  matrix<double> pca_scores;                         // (K, P) nats, P <= 10
  std::vector<double> explained_variance_ratio;      // (P)
  matrix<double> tsne;                               // (K, 2)
  double perplexity = 0, tsne_objective = 0;         ///< of the places in `tsne`
  affinity_kind affinity = affinity_kind::euclidean; ///< that P was made from
  model_tree tree;                                   // average linkage of KL
  std::vector<std::size_t> order;                    // (K) models along the tree
  std::vector<training_run> training_runs;           ///< models that are checkpoints
};

/// What the KL of two models rests on.
inline kl_basis basis_of(const map_data& map, std::size_t i, std::size_t j) {
  return kl_basis_of(map.kl(i, j), (map.spent[i] + map.spent[j]) / 2,
                     map.effective_texts.empty() ? least_effective_texts : map.effective_texts(i, j));
}

/// Other models by KL, nearest first; on ties the earlier one.
inline std::vector<std::size_t> nearest_models(const map_data& map, std::size_t model) {
  std::vector<std::size_t> out;
  for (std::size_t j = 0; j < map.models.size(); ++j)
    if (j != model) out.push_back(j);
  const auto row = map.kl.row(model);
  std::stable_sort(out.begin(), out.end(), [&](std::size_t a, std::size_t b) { return row[a] < row[b]; });
  return out;
}

/// The steps of a run as the map orders them: by KL to the last one, farthest first.
inline std::vector<training_step> order_by_distance(const map_data& map, const training_run& run) {
  std::vector<training_step> out = run.steps;
  const std::size_t end = out.back().model;
  std::stable_sort(out.begin(), out.end() - 1, [&](const training_step& a, const training_step& b) {
    return map.kl(a.model, end) > map.kl(b.model, end);
  });
  return out;
}

/// The first two PCA coordinates; missing ones (few models) are 0.
inline matrix<double> pca_plane(const map_data& map) {
  matrix<double> out(map.pca_scores.rows(), 2, 0);
  for (std::size_t i = 0; i < out.rows(); ++i)
    for (std::size_t p = 0; p < std::min<std::size_t>(2, map.pca_scores.cols()); ++p) out(i, p) = map.pca_scores(i, p);
  return out;
}

} // namespace llmap
