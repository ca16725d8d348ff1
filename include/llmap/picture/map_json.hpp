// The map as JSON:
//   models, groups {name: labels}, values {name: numbers}, texts, mean_bytes, excluded_texts [{text, models,
//   first_model}], clip_quantile, threshold (nats), bits_per_byte (K), kl_bits_per_byte (K, K), kl_standard_error (K,
//   K, bits per byte; null if there are two texts), pca {scores (K, P) nats, explained_variance_ratio (P)}, tsne (K,
//   2), tsne_perplexity, tsne_affinity, tree (Newick, average linkage of kl_bits_per_byte), order, chains [{name,
//   models, steps}]. Where the map counts nats per text, mean_bytes is null and the fields are called nats_per_text and
//   kl_nats_per_text.
// Numbers read back to the same bits, those that are not finite are null, and bytes that are not UTF-8 become U+FFFD.
#pragma once
#include "llmap/core/json_writer.hpp"
#include "llmap/geometry/map_data.hpp"

namespace llmap {

/// The kind as map.json and the tool write it.
inline const char* affinity_name(affinity_kind kind) {
  return kind == affinity_kind::euclidean ? "euclidean" : "sqeuclidean";
}

namespace detail {
inline void write_rows(json_writer& json, const matrix<double>& m) {
  json.array([&] {
    for (std::size_t i = 0; i < m.rows(); ++i) json.value(m.row(i));
  });
}
inline void write_training_runs(json_writer& json, const map_data& map) {
  json.array(map.training_runs, [&](const training_run& run) {
    json.object([&] {
      json.field("name", run.name);
      json.field("models", [&] { json.array(run.steps, [&](const training_step& s) { json.value(s.model); }); });
      json.field("steps", [&] {
        json.array(run.steps, [&](const training_step& s) { s.step ? json.value(*s.step) : json.value(nullptr); });
      });
    });
  });
}
} // namespace detail

/// A map as JSON, with the fields that the head of this file lists.
inline std::string map_json(const map_data& map) {
  json_writer json(json_writer::layout::indented);
  json.object([&] {
    json.field("models", map.models);
    json.field("groups", [&] {
      json.object([&] {
        for (const model_group& g : map.groups) json.field(g.name, g.labels);
      });
    });
    json.field("values", [&] {
      json.object([&] {
        for (const model_values& v : map.values) json.field(v.name, v.values);
      });
    });
    json.field("texts", map.texts);
    map.mean_bytes > 0 ? json.field("mean_bytes", map.mean_bytes) : json.field("mean_bytes", nullptr);
    json.field("excluded_texts", [&] {
      json.array(map.excluded, [&](const excluded_text& e) {
        json.object([&] {
          json.field("text", e.name);
          json.field("models", e.models);
          json.field("first_model", e.first);
        });
      });
    });
    json.field("clip_quantile", map.clip_quantile);
    json.field("threshold", map.clip_threshold);
    const std::string unit = kl_unit_key(map.mean_bytes);
    json.field(unit, map.spent);
    json.field("kl_" + unit, [&] { detail::write_rows(json, map.kl); });
    json.field("kl_standard_error", [&] { detail::write_rows(json, map.kl_standard_error); });
    json.field("kl_effective_texts", [&] { detail::write_rows(json, map.effective_texts); });
    json.field("kl_marks", [&] {
      json.array([&] {
        for (std::size_t i = 0; i < map.models.size(); ++i) {
          std::vector<std::string> row;
          for (std::size_t j = 0; j < map.models.size(); ++j) row.push_back(i == j ? "" : name_of(basis_of(map, i, j)));
          json.value(row);
        }
      });
    });
    json.field("pca", [&] {
      json.object([&] {
        json.field("scores", [&] { detail::write_rows(json, map.pca_scores); });
        json.field("explained_variance_ratio", map.explained_variance_ratio);
      });
    });
    json.field("tsne", [&] { detail::write_rows(json, map.tsne); });
    json.field("tsne_perplexity", map.perplexity);
    json.field("tsne_affinity", affinity_name(map.affinity));
    json.field("tree", newick(map.tree, map.models));
    json.field("order", map.order);
    json.field("chains", [&] { detail::write_training_runs(json, map); });
  });
  return json.text() + "\n";
}

} // namespace llmap
