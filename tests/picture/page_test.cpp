#include "llmap/picture/html.hpp"
#include "support/small_map.hpp"
#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace llmap;

namespace {
/// The JSON embedded in the page, as a browser would take it: up to the first </script.
nlohmann::json embedded(const std::string& page) {
  const std::string mark = "<script type=\"application/json\" id=\"data\">";
  const std::size_t begin = page.find(mark) + mark.size();
  return nlohmann::json::parse(page.substr(begin, page.find("</script", begin) - begin));
}
std::size_t count(const std::string& text, const std::string& what) {
  std::size_t n = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}
std::vector<std::uint8_t> from_base64(const std::string& text) {
  std::vector<std::uint8_t> out;
  std::uint32_t bits = 0;
  int have = 0;
  for (const char c : text) {
    const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char* at = c == '=' ? nullptr : std::strchr(digits, c);
    if (!at) break;
    bits = bits << 6 | static_cast<std::uint32_t>(at - digits);
    if ((have += 6) >= 8) out.push_back(static_cast<std::uint8_t>(bits >> (have -= 8)));
  }
  return out;
}
} // namespace

TEST(page, fetches_nothing) {
  const std::string page = map_html(map_of(small_scores({"a", "b", "c", "d"})));
  for (const char* word :
       {"http:", "https:", "//cdn", "src=", "@import", "url(", "fetch(", "XMLHttpRequest", "import("})
    EXPECT_EQ(count(page, word), 0u) << word;
  EXPECT_EQ(count(page, "<link"), 0u);
}

TEST(page, hostile_names_stay_text) {
  const std::string page = map_html(map_of(small_scores(hostile_names)), "A <b>title</b> & \"more\" <!--data-->");
  EXPECT_EQ(count(page, "<script"), 2u); // the data and the program, nothing else
  EXPECT_EQ(count(page, "</script"), 2u);
  EXPECT_EQ(count(page, "<!--"), 0u);
  EXPECT_EQ(count(page, "<b>"), 0u);
  const auto data = embedded(page);
  ASSERT_EQ(data["models"].size(), hostile_names.size());
  for (std::size_t i = 0; i < hostile_names.size(); ++i)
    EXPECT_EQ(data["models"][i].get<std::string>(), valid_utf8(hostile_names[i]));
}

TEST(page, tables_are_embedded_to_the_stated_precision) {
  const map_data map = map_of(small_scores({"a", "b", "c", "d", "e"}));
  const auto data = embedded(map_html(map));
  for (const auto& [key, table] : {std::pair{"kl", &map.kl}, {"error", &map.kl_standard_error}}) {
    const auto bytes = from_base64(data[key]["codes"]);
    ASSERT_EQ(bytes.size(), 20u); // 10 pairs of 16 bits
    const double low = data[key]["low"], unit = data[key]["unit"];
    std::size_t at = 0;
    for (std::size_t i = 0; i < 5; ++i)
      for (std::size_t j = i + 1; j < 5; ++j, at += 2) {
        const int code = bytes[at] | bytes[at + 1] << 8;
        const double v = (*table)(i, j);
        EXPECT_NEAR(std::exp(low + (code - 1) * unit), v, v * (unit / 2 + 1e-12));
      }
  }
}

TEST(page, marks_are_those_of_the_map) {
  map_data map = map_of(small_scores({"a", "b", "c", "d", "e"}));
  for (std::size_t i = 0; i < 5; ++i)
    for (std::size_t j = 0; j < 5; ++j) {
      map.kl(i, j) = (i + j) % 2 ? 1e3 : 1e-3;
      map.effective_texts(i, j) = (i + j) % 3 ? 50 : 2;
    }
  const auto bytes = from_base64(embedded(map_html(map))["marks"]);
  ASSERT_EQ(bytes.size(), 3u); // 10 pairs, four in a byte
  std::size_t pair = 0;
  for (std::size_t i = 0; i < 5; ++i)
    for (std::size_t j = i + 1; j < 5; ++j, ++pair)
      EXPECT_EQ(bytes[pair / 4] >> 2 * (pair % 4) & 3, ((i + j) % 2 ? 1 : 0) + ((i + j) % 3 ? 0 : 2)) << i << " " << j;
  const auto json = nlohmann::json::parse(map_json(map));
  EXPECT_EQ(json["kl_marks"][0][3], "far, few texts");
  EXPECT_EQ(json["kl_marks"][0][1], "far");
  EXPECT_EQ(json["kl_marks"][1][1], "");
  EXPECT_EQ(json["kl_effective_texts"][0][3], 2);
}

TEST(page, values_are_embedded_and_missing_ones_are_null) {
  map_data map = map_of(small_scores({"a", "b"}));
  map.values = {{"</script>", {0.1, NAN}}};
  const std::string page = map_html(map);
  EXPECT_EQ(count(page, "</script"), 2u);
  const auto data = embedded(page), json = nlohmann::json::parse(map_json(map));
  EXPECT_EQ(data["values"][0]["name"], "</script>");
  EXPECT_EQ(data["values"][0]["values"], nlohmann::json::parse("[0.1, null]"));
  EXPECT_EQ(json["values"]["</script>"], nlohmann::json::parse("[0.1, null]"));
}

TEST(page, zero_and_missing_have_codes_of_their_own) {
  const matrix<double> m{{0, 0, NAN}, {0, 0, 2}, {NAN, 2, 0}};
  json_writer json;
  detail::write_packed_triangle(json, m);
  const auto bytes = from_base64(nlohmann::json::parse(json.text())["codes"]);
  EXPECT_EQ(bytes, (std::vector<std::uint8_t>{0, 0, 255, 255, 1, 0}));
}

TEST(page, two_texts_give_no_error) {
  const map_data map = map_of(small_scores({"a", "b", "c"}, 2));
  const std::string page = map_html(map);
  const auto data = embedded(page);
  EXPECT_EQ(from_base64(data["error"]["codes"]), std::vector<std::uint8_t>(6, 255)); // not a number, thrice
  EXPECT_EQ(data["error"]["unit"].get<double>(), 0);                                 // and nothing was rounded
  EXPECT_GT(data["kl"]["unit"].get<double>(), 0);
  const auto json = nlohmann::json::parse(map_json(map));
  EXPECT_TRUE(json["kl_standard_error"][0][1].is_null());
  EXPECT_TRUE(json["kl_bits_per_byte"][0][1].is_number());
  EXPECT_EQ(json["kl_standard_error"][1][1].get<double>(), 0);
}

TEST(page, one_distance_is_embedded_without_rounding) {
  const map_data map = map_of(small_scores({"a", "b"}));
  const auto data = embedded(map_html(map));
  EXPECT_EQ(data["kl"]["unit"].get<double>(), 0);
  EXPECT_DOUBLE_EQ(std::exp(data["kl"]["low"].get<double>()), map.kl(0, 1));
}

TEST(page, a_thousand_models_fit) {
  map_data map;
  constexpr std::size_t K = 1000;
  for (std::size_t i = 0; i < K; ++i) map.models.push_back("organisation/model-" + std::to_string(i));
  map.groups = {{"family", std::vector<std::string>(1000, "f")}};
  map.spent.assign(K, 1.1);
  const counter_random r{4};
  map.kl.resize(K, K);
  for (std::size_t i = 0; i < K; ++i)
    for (std::size_t j = 0; j <= i; ++j) map.kl(i, j) = map.kl(j, i) = 0.5 + 4 * r.uniform(i, j);
  map.kl_standard_error = map.kl;
  map.pca_scores = map.tsne = matrix<double>(map.kl.view().column_range(0, 2));
  map.explained_variance_ratio.assign(2, 0.4);
  map.tree = linkage(cpu_executor{}, map.kl.view(), linkage_kind::average);
  map.order = leaf_order(map.tree, map.kl.view());
  EXPECT_LT(map_html(map).size(), 4u << 20);
}

TEST(map_json, is_valid_with_every_field) {
  map_data map = map_of(small_scores(hostile_names));
  map.kl(0, 1) = NAN;
  const auto json = nlohmann::json::parse(map_json(map));
  for (const char* key : {"models", "threshold", "kl_bits_per_byte", "kl_standard_error", "tsne", "tree", "groups",
                          "excluded_texts", "chains", "order"})
    EXPECT_TRUE(json.contains(key)) << key;
  EXPECT_TRUE(json["kl_bits_per_byte"][0][1].is_null());
  EXPECT_EQ(json["kl_bits_per_byte"][2][3].get<double>(), map.kl(2, 3));
  EXPECT_EQ(json["pca"]["scores"].size(), hostile_names.size());
  EXPECT_EQ(json["pca"]["explained_variance_ratio"].size(), static_cast<std::size_t>(map.pca_scores.cols()));
  EXPECT_EQ(json["threshold"].get<double>(), map.clip_threshold);
}

TEST(page, few_models) {
  for (const std::size_t K : {1u, 2u, 3u}) {
    const auto data = embedded(map_html(map_of(small_scores(std::vector<std::string>(K, "m")))));
    EXPECT_EQ(data["models"].size(), K);
    EXPECT_EQ(data["pca"].size(), K);
  }
}
