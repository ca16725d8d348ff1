// The map as JSON:
//   models, groups {name: labels}, texts, mean_bytes, excluded_texts [{text, models, first_model}],
//   clip_quantile, threshold (nats), bits_per_byte (K), kl_bits_per_byte (K, K), kl_standard_error (K, K,
//   bits/byte), pca {scores (K, P) nats, explained_variance_ratio (P)}, tsne (K, 2), tsne_perplexity,
//   tsne_affinity, tree (Newick, average linkage of kl_bits_per_byte), order, chains [{name, models, steps}]
// Numbers read back to the same bits; a number that is not finite is null; foreign bytes that are not UTF-8
// become U+FFFD.
#pragma once
#include "llmap/picture/map_data.hpp"
#include <nlohmann/json.hpp>

namespace llmap {

inline const char* affinity_name(affinity_kind kind) {
  return kind == affinity_kind::euclidean ? "euclidean" : "sqeuclidean";
}

namespace detail {
template <class Matrix> nlohmann::json rows_of(const Matrix& m) {
  nlohmann::json out = nlohmann::json::array();
  for (Eigen::Index i = 0; i < m.rows(); ++i) {
    nlohmann::json row = nlohmann::json::array();
    for (Eigen::Index j = 0; j < m.cols(); ++j) row.push_back(m(i, j));
    out.push_back(std::move(row));
  }
  return out;
}
inline nlohmann::json list_of(const Eigen::VectorXd& v) { return std::vector<double>(v.begin(), v.end()); }
inline nlohmann::json chains_of(const map_data& map) {
  nlohmann::json out = nlohmann::json::array();
  for (const checkpoint_chain& c : map.chains) {
    nlohmann::json models = nlohmann::json::array(), steps = nlohmann::json::array();
    for (const checkpoint& p : c.checkpoints) {
      models.push_back(p.model);
      steps.push_back(p.step ? nlohmann::json(*p.step) : nlohmann::json());
    }
    out.push_back({{"name", c.name}, {"models", std::move(models)}, {"steps", std::move(steps)}});
  }
  return out;
}
inline nlohmann::json groups_json(const map_data& map) {
  nlohmann::json out = nlohmann::json::object();
  for (const model_group& g : map.groups) out[g.name] = g.labels;
  return out;
}
} // namespace detail

inline std::string map_json(const map_data& map) {
  nlohmann::json excluded = nlohmann::json::array();
  for (const excluded_text& e : map.excluded)
    excluded.push_back({{"text", e.name}, {"models", e.models}, {"first_model", e.first}});
  const nlohmann::json out = {
      {"models", map.models},
      {"groups", detail::groups_json(map)},
      {"texts", map.texts},
      {"mean_bytes", map.mean_bytes},
      {"excluded_texts", std::move(excluded)},
      {"clip_quantile", map.clip_quantile},
      {"threshold", map.clip_threshold},
      {"bits_per_byte", detail::list_of(map.bits_per_byte)},
      {"kl_bits_per_byte", detail::rows_of(map.kl_bits_per_byte)},
      {"kl_standard_error", detail::rows_of(map.kl_standard_error)},
      {"pca",
       {{"scores", detail::rows_of(map.pca_scores)},
        {"explained_variance_ratio", detail::list_of(map.explained_variance_ratio)}}},
      {"tsne", detail::rows_of(map.tsne)},
      {"tsne_perplexity", map.perplexity},
      {"tsne_affinity", affinity_name(map.affinity)},
      {"tree", newick(map.tree, map.models)},
      {"order", map.order},
      {"chains", detail::chains_of(map)},
  };
  return out.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

} // namespace llmap
