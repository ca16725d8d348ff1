// The map as a plain SVG figure for print: white background, one point per model colored by group, training runs as
// lines, labels that do not cover each other, a legend. One unit is one CSS pixel; text stays text.
#pragma once
#include "llmap/geometry/map_data.hpp"
#include "llmap/picture/labels.hpp"
#include "llmap/picture/text.hpp"
#include <charconv>
#include <numeric>

namespace llmap {

/// How a figure looks.
struct svg_options {
  double width = 800, height = 560; // at most; a flat map makes a lower figure
  bool pca = false;                 // else t-SNE
  std::size_t group = 0;            // which of map.groups gives the colors
  std::string title = {};           // above the figure; empty: none
};

namespace detail {

inline const char* figure_color(std::size_t k) {
  static constexpr const char* colors[] = {"#4464d9", "#e8743b", "#2a9d76", "#d6456b", "#8a5bd0", "#c99a16",
                                           "#1f9bbf", "#7c8a2b", "#b5527f", "#5a7d9a", "#a0623a", "#3fa34d",
                                           "#dd5fb5", "#6b6fd8", "#cc4b37", "#0e8f8f"};
  return colors[k % std::size(colors)];
}

/// Two decimals, with a point in any locale.
inline std::string svg_number(double v) {
  char text[40];
  return {text, std::to_chars(text, text + sizeof text, v, std::chars_format::fixed, 2).ptr};
}

/// Distinct labels, most frequent first, and the number of each model's label.
struct numbered_labels {
  std::vector<std::string> names;
  std::vector<std::size_t> of_model; // (K)
};
inline numbered_labels number_labels(const std::vector<std::string>& labels) {
  std::map<std::string, std::size_t> count;
  for (const std::string& l : labels) ++count[l];
  numbered_labels out;
  for (const auto& [name, n] : count) out.names.push_back(name);
  std::stable_sort(out.names.begin(), out.names.end(),
                   [&](const std::string& a, const std::string& b) { return count[a] > count[b]; });
  for (const std::string& l : labels)
    out.of_model.push_back(
        static_cast<std::size_t>(std::find(out.names.begin(), out.names.end(), l) - out.names.begin()));
  return out;
}

} // namespace detail

inline std::string map_svg(const map_data& map, const svg_options& options = {}) {
  LLMAP_EXPECTS(options.group < map.groups.size(), "map_svg: no such group");
  const std::size_t K = map.models.size();
  const matrix<double> y = options.pca ? pca_plane(map) : map.tsne;
  LLMAP_EXPECTS(detail::all_finite(y.view()), "map_svg: finite coordinates");
  const auto labels = detail::number_labels(map.groups[options.group].labels);
  constexpr double legend_width = 150, margin = 60, font = 11, em = 0.56; // mean width of a letter, in em
  const double plot = options.width - legend_width, radius = K <= 60 ? 4 : K <= 300 ? 3 : 2;

  double range[2], middle[2];
  for (std::size_t c = 0; c < 2; ++c) {
    double low = y(0, c), high = low;
    for (std::size_t i = 1; i < K; ++i) low = std::min(low, y(i, c)), high = std::max(high, y(i, c));
    range[c] = std::max(high - low, 1e-12), middle[c] = (high + low) / 2;
  }
  const double scale = std::min((plot - 2 * margin) / range[0], (options.height - 2 * margin) / range[1]);
  const double legend_height = 60 + 17 * static_cast<double>(labels.names.size());
  const double height = std::min(options.height, std::max(scale * range[1] + 2 * margin, legend_height));
  std::vector<label_point> points;
  for (std::size_t i = 0; i < K; ++i) {
    points.push_back({plot / 2 + scale * (y(i, 0) - middle[0]), height / 2 - scale * (y(i, 1) - middle[1]),
                      font * em * static_cast<double>(count_characters(valid_utf8(map.models[i])))});
  }
  // Models far from all others are labeled first, because their place says most.
  std::vector<double> alone(K, 0.0);
  for (std::size_t i = 0; i < K && K > 1; ++i) {
    const auto near = nearest_models(map, i);
    alone[i] = map.kl(i, near[0]);
  }
  std::vector<std::size_t> order(K);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return alone[a] > alone[b]; });
  const auto spots = place_labels(points, order, {plot, height, radius, font * 1.15});

  const auto num = detail::svg_number;
  std::string out;
  const auto add = [&](const auto&... parts) { (out.append(parts), ...); };
  const double above = options.title.empty() ? 0 : 32;
  add("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 ", num(-above), " ", num(options.width), " ",
      num(above + height), "\" width=\"", num(options.width), "\" height=\"", num(above + height),
      "\" font-family=\"Helvetica, Arial, sans-serif\" font-size=\"", num(font), "\">\n<!-- llmap -->\n<rect y=\"",
      num(-above), "\" width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n");
  if (above > 0)
    add("<text x=\"16\" y=\"-10\" font-size=\"15\" font-weight=\"bold\">", escape_markup(options.title), "</text>\n");
  for (const training_run& c : map.training_runs) {
    add("<polyline fill=\"none\" stroke-width=\"1.4\" stroke-opacity=\"0.6\" stroke-linejoin=\"round\" "
        "stroke=\"",
        detail::figure_color(labels.of_model[c.steps.front().model]), "\" points=\"");
    for (const training_step& p : c.steps) add(num(points[p.model].x), ",", num(points[p.model].y), " ");
    add("\"/>\n");
  }
  for (std::size_t i = 0; i < K; ++i)
    add("<circle cx=\"", num(points[i].x), "\" cy=\"", num(points[i].y), "\" r=\"", num(radius), "\" fill=\"",
        detail::figure_color(labels.of_model[i]), "\" stroke=\"#ffffff\" stroke-width=\"0.8\"><title>",
        escape_markup(map.models[i]), "</title></circle>\n");
  for (std::size_t i = 0; i < K; ++i)
    if (spots[i])
      add("<text x=\"", num(spots[i]->x), "\" y=\"", num(spots[i]->y + font * 0.35), "\" fill=\"#222222\">",
          escape_markup(map.models[i]), "</text>\n");
  add("<text x=\"", num(plot + 8), "\" y=\"28\" font-weight=\"bold\">", escape_markup(map.groups[options.group].name),
      "</text>\n");
  const auto rows = static_cast<std::size_t>(std::max(0.0, (height - 60) / 17));
  for (std::size_t k = 0; k < std::min(rows, labels.names.size()); ++k) {
    const double at = 46 + 17 * static_cast<double>(k);
    add("<circle cx=\"", num(plot + 13), "\" cy=\"", num(at - 4), "\" r=\"4\" fill=\"", detail::figure_color(k),
        "\"/><text x=\"", num(plot + 24), "\" y=\"", num(at), "\">", escape_markup(labels.names[k]), "</text>\n");
  }
  add("</svg>\n");
  return out;
}

} // namespace llmap
