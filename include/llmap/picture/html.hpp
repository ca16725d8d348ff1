// The map as ONE self-contained HTML page: nothing is fetched, so it works from a disk, a mail or an archive.
// The page's parts lie in page/*.inc: each is the plain file between R"llmap( and )llmap", so that they
// install and compile with the headers, without a generation step. KL and its errors are embedded on a logarithmic
// scale of 16 bits: a relative error of at most ln(largest / smallest) / 131068 (about 1e-4), which keeps a page of
// 1,000 models under 4 MB; the page says so. Names are untrusted: they enter as JSON with every '<' written \u003c,
// and reach the page as text, never as HTML.
#pragma once
#include "llmap/core/base64.hpp"
#include "llmap/picture/map_json.hpp"
#include "llmap/picture/text.hpp"
#include <array>

namespace llmap {

namespace detail {

inline constexpr char page_html[] =
#include "llmap/picture/page/page.html.inc"
    ;
inline constexpr char page_css[] =
#include "llmap/picture/page/page.css.inc"
    ;
inline constexpr char page_js[] =
#include "llmap/picture/page/page.js.inc"
    ;

inline std::string base64(const std::vector<std::uint8_t>& bytes) {
  return to_base64({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

/// Upper triangle, row by row: code 0 is 0, 65535 is not finite, else exp(low + (code - 1) (high - low) / 65533).
inline void write_packed_triangle(json_writer& json, const matrix<double>& m) {
  double low = INFINITY, high = -INFINITY;
  for (std::size_t i = 0; i < m.rows(); ++i)
    for (std::size_t j = i + 1; j < m.cols(); ++j)
      if (std::isfinite(m(i, j)) && m(i, j) > 0)
        low = std::min(low, std::log(m(i, j))), high = std::max(high, std::log(m(i, j)));
  if (!(low <= high)) low = high = 0;
  const double unit = high > low ? (high - low) / 65533 : 1;
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < m.rows(); ++i)
    for (std::size_t j = i + 1; j < m.cols(); ++j) {
      const double v = m(i, j);
      const unsigned code = !std::isfinite(v) ? 65535u
                            : !(v > 0)        ? 0u
                                              : 1u + static_cast<unsigned>(std::lround((std::log(v) - low) / unit));
      bytes.push_back(static_cast<std::uint8_t>(code & 255));
      bytes.push_back(static_cast<std::uint8_t>(code >> 8));
    }
  json.object([&] {
    json.field("low", low);
    json.field("unit", high > low ? unit : 0);
    json.field("codes", base64(bytes));
  });
}

/// Upper triangle, row by row, four pairs in a byte from its low bits on: 1 far, 2 few texts (kl_basis.hpp).
inline std::string packed_marks(const map_data& map) {
  std::vector<std::uint8_t> bytes;
  std::size_t pair = 0;
  for (std::size_t i = 0; i < map.models.size(); ++i)
    for (std::size_t j = i + 1; j < map.models.size(); ++j, ++pair) {
      const kl_basis basis = basis_of(map, i, j);
      if (pair % 4 == 0) bytes.push_back(0);
      bytes.back() =
          static_cast<std::uint8_t>(bytes.back() | ((basis.far ? 1 : 0) + (basis.few ? 2 : 0)) << 2 * (pair % 4));
    }
  return base64(bytes);
}

inline void replace_mark(std::string& page, const std::string& mark, const std::string& text) {
  const std::size_t at = page.find(mark);
  LLMAP_EXPECTS(at != std::string::npos, "the page has no such mark");
  page.replace(at, mark.size(), text);
}

} // namespace detail

/// A page that shows the map without any other file; names of models are written as text, never as markup.
inline std::string map_html(const map_data& map, const std::string& title = "Map of language models") {
  json_writer json;
  json.object([&] {
    json.field("models", map.models);
    json.field("groups", [&] {
      json.array(map.groups, [&](const model_group& g) {
        json.object([&] {
          json.field("name", g.name);
          json.field("labels", g.labels);
        });
      });
    });
    json.field("values", [&] {
      json.array(map.values, [&](const model_values& v) {
        json.object([&] {
          json.field("name", v.name);
          json.field("values", v.values);
        });
      });
    });
    json.field("texts", map.texts);
    json.field("excluded", map.excluded.size());
    json.field("meanBytes", map.mean_bytes);
    json.field("clipQuantile", map.clip_quantile);
    json.field("threshold", map.clip_threshold);
    json.field("perplexity", map.perplexity);
    json.field("affinity", affinity_name(map.affinity));
    json.field("unit", kl_unit(map.mean_bytes));
    json.field("spent", map.spent);
    json.field("ratio", map.explained_variance_ratio);
    json.field("pca", [&] { detail::write_rows(json, pca_plane(map)); });
    json.field("tsne", [&] { detail::write_rows(json, map.tsne); });
    json.field("kl", [&] { detail::write_packed_triangle(json, map.kl); });
    json.field("error", [&] { detail::write_packed_triangle(json, map.kl_standard_error); });
    json.field("marks", detail::packed_marks(map));
    json.field("leastTexts", least_effective_texts);
    json.field("merges", [&] {
      json.array(map.tree.merges, [&](const tree_merge& m) {
        json.value(std::array{static_cast<double>(m.left), static_cast<double>(m.right), m.height});
      });
    });
    json.field("order", map.order);
    json.field("chains", [&] { detail::write_training_runs(json, map); });
  });
  std::string safe;
  for (const char c : json.text())
    if (c == '<') safe += "\\u003c"; // neither </script> nor <!-- can end or change the element
    else safe += c;
  std::string page = detail::page_html;
  detail::replace_mark(page, "<!--style-->", std::string("<style>") + detail::page_css + "</style>");
  detail::replace_mark(page, "<!--script-->",
                       std::string("<script>\"use strict\";\n{") + detail::page_js + "}\n</script>");
  detail::replace_mark(page, "<!--title-->", escape_markup(title));
  detail::replace_mark(page, "<!--title-->", escape_markup(title));
  detail::replace_mark(page, "<!--data-->", safe);
  return page;
}

} // namespace llmap
