#include "llmap/core/json_writer.hpp"
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <gtest/gtest.h>
#include <limits>
#include <nlohmann/json.hpp>

using namespace llmap;

namespace {
std::string written(const auto& value) {
  json_writer json;
  json.value(value);
  return json.text();
}
} // namespace

TEST(json_writer, strings_read_back) {
  std::string every;
  for (int c = 0; c < 128; ++c) every += static_cast<char>(c);
  for (const std::string& s :
       {std::string(), every, std::string("\xc3\xa9\xe2\x96\x81\xf0\x9f\x98\x80"), std::string("a\0b", 3)})
    EXPECT_EQ(nlohmann::json::parse(written(s)).get<std::string>(), s);
  EXPECT_EQ(written("a\xff\xc3z"), "\"a\xef\xbf\xbd\xef\xbf\xbdz\""); // each foreign byte is U+FFFD
}

TEST(json_writer, numbers_read_back_to_the_same_bits) {
  std::uint64_t bits = 0x9e3779b97f4a7c15;
  int finite = 0;
  for (int i = 0; i < 20000; ++i) {
    bits = bits * 6364136223846793005u + 1442695040888963407u;
    const double v = std::bit_cast<double>(bits);
    if (!std::isfinite(v)) continue;
    const auto read = nlohmann::json::parse(written(v));
    ASSERT_TRUE(read.is_number_float()) << written(v);
    ASSERT_EQ(std::bit_cast<std::uint64_t>(read.get<double>()), bits) << written(v);
    ++finite;
  }
  EXPECT_GT(finite, 19000);
  for (const double v : {0.0, -0.0, 1.0, -3.0, 1e22, 5e-324, std::numeric_limits<double>::max()}) {
    const auto read = nlohmann::json::parse(written(v));
    EXPECT_TRUE(read.is_number_float()) << written(v);
    EXPECT_EQ(std::bit_cast<std::uint64_t>(read.get<double>()), std::bit_cast<std::uint64_t>(v));
  }
  EXPECT_EQ(written(NAN), "null");
  EXPECT_EQ(written(-INFINITY), "null");
  EXPECT_EQ(written(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(written(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(written(true), "true");
  EXPECT_EQ(written(nullptr), "null");
}

TEST(json_writer, containers_in_both_layouts) {
  const auto write = [](json_writer::layout how) {
    json_writer json(how);
    json.object([&] {
      json.field("names", std::array{"a", "b"});
      json.field("rows", std::array{std::array{1, 2}, std::array{3, 4}});
      json.field("empty", std::array<int, 0>{});
      json.field("inner", [&] { json.object([&] { json.field("x\"", 0.5); }); });
      json.field("nothing", [&] { json.object([] {}); });
    });
    return json.text();
  };
  EXPECT_EQ(write(json_writer::layout::one_line),
            R"({"names":["a","b"],"rows":[[1,2],[3,4]],"empty":[],"inner":{"x\"":0.5},"nothing":{}})");
  EXPECT_EQ(write(json_writer::layout::indented), R"({
 "names": ["a", "b"],
 "rows": [
  [1, 2],
  [3, 4]
 ],
 "empty": [],
 "inner": {
  "x\"": 0.5
 },
 "nothing": {}
})");
}
