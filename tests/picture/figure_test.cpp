#include "llmap/core/write_file.hpp"
#include "llmap/picture/svg.hpp"
#include "llmap/picture/tsv.hpp"
#include "support/small_map.hpp"
#include <algorithm>
#include <array>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

using namespace llmap;

namespace {
/// A strict little XML reader: every tag closed in order, attributes quoted, no stray markup. Returns the
/// element texts.
std::vector<std::string> well_formed(const std::string& xml) {
  std::vector<std::string> open, texts;
  std::size_t at = 0;
  while (at < xml.size()) {
    const std::size_t tag = xml.find('<', at);
    const std::string text = xml.substr(at, tag - at);
    for (std::size_t a = text.find('&'); a != std::string::npos; a = text.find('&', a + 1)) {
      const std::string entity = text.substr(a, text.find(';', a) - a);
      if (entity != "&amp" && entity != "&lt" && entity != "&gt" && entity != "&quot" && entity != "&#39")
        throw error("bare &");
    }
    if (!open.empty() && !text.empty() && text != "\n") texts.push_back(text);
    if (tag == std::string::npos) break;
    if (xml.compare(tag, 4, "<!--") == 0) {
      at = xml.find("-->", tag) + 3;
      continue;
    }
    bool quoted = false;
    std::size_t end = tag + 1;
    for (; end < xml.size() && (quoted || xml[end] != '>'); ++end) {
      if (xml[end] == '"') quoted = !quoted;
      if (xml[end] == '<') throw error("< inside a tag");
    }
    const std::string inside = xml.substr(tag + 1, end - tag - 1);
    const std::string name = inside.substr(inside[0] == '/', inside.find_first_of(" /", 1) - (inside[0] == '/'));
    if (inside[0] == '/') {
      if (open.empty() || open.back() != inside.substr(1)) throw error("closes " + inside);
      open.pop_back();
    } else if (inside.back() != '/') open.push_back(name);
    at = end + 1;
  }
  if (!open.empty()) throw error("not closed: " + open.back());
  return texts;
}
} // namespace

TEST(svg, is_well_formed_and_names_every_model) {
  const map_data map = map_of(small_scores(hostile_names));
  for (const bool pca : {false, true}) {
    svg_options options;
    options.pca = pca;
    const auto texts = well_formed(map_svg(map, options));
    for (const std::string& name : hostile_names)
      if (!name.empty()) {
        EXPECT_NE(std::find(texts.begin(), texts.end(), escape_markup(name)), texts.end()) << name;
      }
  }
  EXPECT_NO_THROW(well_formed(map_svg(map_of(small_scores({"only"})))));
  EXPECT_THROW(map_svg(map, {800, 560, false, 9}), contract_error);
}

TEST(svg, a_title_stands_above) {
  const map_data map = map_of(small_scores({"a", "b", "c"}));
  svg_options options;
  options.title = "A <b>title</b> & more";
  const std::string with = map_svg(map, options), without = map_svg(map);
  const auto texts = well_formed(with);
  EXPECT_NE(std::find(texts.begin(), texts.end(), escape_markup(options.title)), texts.end());
  const auto box = [](const std::string& svg) { // viewBox: left, top, width, height
    std::istringstream in(svg.substr(svg.find("viewBox=\"") + 9));
    std::array<double, 4> b;
    for (double& v : b) in >> v;
    return b;
  };
  EXPECT_LT(box(with)[1], 0);
  EXPECT_EQ(box(with)[3] + box(with)[1], box(without)[3]);
  EXPECT_EQ(box(without)[1], 0);
}

TEST(svg, runs_are_lines) {
  const map_data map = map_of(small_scores({"a-step1", "a-step2", "b"}));
  EXPECT_NE(map_svg(map).find("<polyline"), std::string::npos);
}

TEST(labels, never_cover_each_other_or_a_point) {
  const counter_random r{9};
  std::vector<label_point> points;
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < 120; ++i) {
    points.push_back({600 * r.uniform(0, i), 400 * r.uniform(1, i), 30 + 40 * r.uniform(2, i)});
    order.push_back(i);
  }
  const auto spots = place_labels(points, order, {600, 400, 4, 12});
  std::size_t placed = 0;
  for (std::size_t i = 0; i < 120; ++i) {
    if (!spots[i]) continue;
    ++placed;
    const detail::label_box box{spots[i]->x, spots[i]->y - 6, spots[i]->x + points[i].width, spots[i]->y + 6};
    EXPECT_TRUE(box.x0 >= 0 && box.x1 <= 600 && box.y0 >= 0 && box.y1 <= 400);
    for (std::size_t j = 0; j < 120; ++j) {
      EXPECT_FALSE(box.meets({points[j].x - 4, points[j].y - 4, points[j].x + 4, points[j].y + 4}));
      if (j < i && spots[j]) {
        EXPECT_FALSE(box.meets({spots[j]->x, spots[j]->y - 6, spots[j]->x + points[j].width, spots[j]->y + 6}));
      }
    }
  }
  EXPECT_GT(placed, 40u);
}

TEST(tsv, reads_back_to_the_same_bits) {
  const map_data map = map_of(small_scores(hostile_names));
  std::istringstream in(square_tsv(map.models, map.kl));
  std::string line;
  ASSERT_TRUE(std::getline(in, line));
  for (std::size_t i = 0; i < map.kl.rows(); ++i) {
    ASSERT_TRUE(std::getline(in, line));
    std::istringstream fields(line);
    std::string field;
    std::getline(fields, field, '\t');
    for (std::size_t j = 0; j < map.kl.cols(); ++j) {
      ASSERT_TRUE(std::getline(fields, field, '\t'));
      EXPECT_EQ(std::stod(field), map.kl(i, j));
    }
    EXPECT_FALSE(std::getline(fields, field, '\t'));
  }
  EXPECT_FALSE(std::getline(in, line));

  std::istringstream table(coordinates_tsv(map));
  std::getline(table, line);
  const auto columns = std::count(line.begin(), line.end(), '\t');
  std::size_t rows = 0;
  for (; std::getline(table, line); ++rows) EXPECT_EQ(std::count(line.begin(), line.end(), '\t'), columns);
  EXPECT_EQ(rows, hostile_names.size());
  EXPECT_NE(coordinates_tsv(map_of(small_scores({"one"}))).find("\t\t\t\n"), std::string::npos);
}

TEST(tsv, values_stand_beside_groups) {
  map_data map = map_of(small_scores({"a", "b"}));
  map.groups = {{"kind", {"x", "y"}}};
  map.values = {{"size", {0.1, NAN}}};
  EXPECT_EQ(coordinates_tsv(map).find("model\tkind\tsize\tbits_per_byte\t"), 0u);
  EXPECT_NE(coordinates_tsv(map).find("\na\tx\t0.1\t"), std::string::npos);
  EXPECT_NE(coordinates_tsv(map).find("\nb\ty\t\t"), std::string::npos);
}

TEST(tsv, what_is_not_there_is_blank) {
  const map_data two = map_of(small_scores({"a", "b"}, 2));
  for (const std::string& text : {coordinates_tsv(two), square_tsv(two.models, two.kl_standard_error),
                                  coordinates_tsv(map_of(small_scores({"one"})))})
    EXPECT_EQ(text.find("NaN") + text.find("nan"), 2 * std::string::npos) << text;
  std::istringstream in(coordinates_tsv(two));
  std::string line;
  std::getline(in, line), std::getline(in, line);
  std::vector<std::string> fields;
  std::istringstream row(line);
  for (std::string field; std::getline(row, field, '\t');) fields.push_back(field);
  ASSERT_GE(fields.size(), 4u);
  EXPECT_EQ(fields[fields.size() - 3], ""); // the error
  EXPECT_EQ(fields.back(), "few texts");
  map_data unmarked = two; // of a program that makes no estimate of it
  unmarked.effective_texts = {};
  EXPECT_NE(coordinates_tsv(unmarked).find("\t\t\t"), std::string::npos);
  EXPECT_EQ(square_tsv(two.models, two.kl_standard_error), "model\ta\tb\na\t0\t\nb\t\t0\n");
}

TEST(svg, copies_of_one_model_are_drawn_in_one_place) {
  score_matrix m = small_scores({"a", "b", "c", "d", "e"});
  for (std::size_t i = 1; i < 5; ++i) std::ranges::copy(m.log_likelihood.row(0), m.log_likelihood.row(i).begin());
  map_data map = map_of(m);
  const std::string svg = map_svg(map);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  std::size_t circles = 0;
  const std::string first = svg.substr(svg.find("<circle"), svg.find(" r=", svg.find("<circle")) - svg.find("<circle"));
  for (std::size_t at = svg.find(first); at != std::string::npos; at = svg.find(first, at + 1)) ++circles;
  EXPECT_EQ(circles, 5u);
  map.tsne(2, 1) = NAN;
  EXPECT_THROW(map_svg(map), contract_error);
}

TEST(write_file, whole_or_not_at_all) {
  const auto folder = std::filesystem::temp_directory_path() / "llmap_write_file_test";
  std::filesystem::create_directories(folder);
  const auto path = folder / "a.txt";
  write_file(path, "first");
  write_file(path, "second");
  std::ifstream in(path);
  std::string text;
  std::getline(in, text);
  EXPECT_EQ(text, "second");
  EXPECT_FALSE(std::filesystem::exists(folder / "a.txt.part"));
  EXPECT_THROW(write_file(folder / "no" / "such.txt", "x"), error);
  if (std::filesystem::exists("/dev/full")) {
    EXPECT_THROW(write_file("/dev/full", std::string(1 << 16, 'x')), error);
  }
  std::filesystem::remove_all(folder);
}
