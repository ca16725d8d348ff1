// The map as tab-separated tables. Tabs, line ends and other control characters in names become spaces; numbers read
// back to the same bits; missing values (the error for two texts, the nearest of a single model) are blank.
#pragma once
#include "llmap/geometry/map_data.hpp"
#include <charconv>

namespace llmap {

namespace detail {
inline std::string tsv_field(const std::string& text) {
  std::string out = text;
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return out;
}
inline std::string tsv_number(double v) {
  if (!std::isfinite(v)) return "";
  char text[40];
  return {text, std::to_chars(text, text + sizeof text, v).ptr};
}
} // namespace detail

/// Columns: model, one per group, one per value, bits_per_byte, tsne_1, tsne_2, pca_1, pca_2, nearest,
/// kl_bits_per_byte, kl_standard_error, kl_effective_texts, kl_marks; where the map counts nats per text,
/// nats_per_text and kl_nats_per_text.
inline std::string coordinates_tsv(const map_data& map) {
  std::string out = "model";
  for (const model_group& g : map.groups) out += '\t' + detail::tsv_field(g.name);
  for (const model_values& v : map.values) out += '\t' + detail::tsv_field(v.name);
  const std::string unit = kl_unit_key(map.mean_bytes);
  out += '\t' + unit + "\ttsne_1\ttsne_2\tpca_1\tpca_2\tnearest\tkl_" + unit +
         "\tkl_standard_error\tkl_effective_texts\tkl_marks\n";
  const matrix<double> pca = pca_plane(map);
  for (std::size_t i = 0; i < map.models.size(); ++i) {
    out += detail::tsv_field(map.models[i]);
    for (const model_group& g : map.groups) out += '\t' + detail::tsv_field(g.labels[i]);
    for (const model_values& v : map.values) out += '\t' + detail::tsv_number(v.values[i]);
    for (const double v : {map.spent[i], map.tsne(i, 0), map.tsne(i, 1), pca(i, 0), pca(i, 1)})
      out += '\t' + detail::tsv_number(v);
    const auto near = nearest_models(map, i);
    if (near.empty()) {
      out += "\t\t\t\t\t\n";
      continue;
    }
    out += '\t' + detail::tsv_field(map.models[near[0]]) + '\t' + detail::tsv_number(map.kl(i, near[0])) + '\t' +
           detail::tsv_number(map.kl_standard_error(i, near[0])) + '\t' +
           (map.effective_texts.empty() ? "" : detail::tsv_number(map.effective_texts(i, near[0]))) + '\t' +
           name_of(basis_of(map, i, near[0])) + '\n';
  }
  return out;
}

/// A square table with names along both sides, e.g. of map.kl.
inline std::string square_tsv(const std::vector<std::string>& models, const matrix<double>& table) {
  LLMAP_EXPECTS(table.rows() == models.size() && table.rows() == table.cols(), "square_tsv: the table is (K, K)");
  std::string out = "model";
  for (const std::string& m : models) out += '\t' + detail::tsv_field(m);
  out += '\n';
  for (std::size_t i = 0; i < table.rows(); ++i) {
    out += detail::tsv_field(models[i]);
    for (std::size_t j = 0; j < table.cols(); ++j) out += '\t' + detail::tsv_number(table(i, j));
    out += '\n';
  }
  return out;
}

} // namespace llmap
