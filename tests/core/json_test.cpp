// What parse_json takes and gives, with nlohmann-json and strtod as judges.
#include "llmap/core/json.hpp"
#include "llmap/core/random.hpp"
#include "support/message_of.hpp"
#include <bit>
#include <cstdlib>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <set>

using namespace llmap;

namespace {

constexpr counter_random draw{7};
std::uint64_t counter = 0;
std::uint32_t below(std::uint32_t n) { return draw.below(0, ++counter, n); }

std::string random_string() {
  static const char* const parts[] = {
      "a", "\"", "\\", "\n", "\t", "\x01", "\x7f", " ", "/", "\xc3\xa9", "\xe2\x96\x81", "\xf0\x9f\x98\x80", "{", "]"};
  std::string s;
  for (std::uint32_t n = below(6); n > 0; --n) s += parts[below(std::size(parts))];
  if (below(20) == 0) s += '\0';
  return s;
}
nlohmann::json random_value(int depth) {
  switch (below(depth > 0 ? 9 : 7)) {
  case 0:
    return nullptr;
  case 1:
    return below(2) == 0;
  case 2:
    return static_cast<int>(below(2000)) - 1000;
  case 3:
    return std::bit_cast<std::int64_t>(draw.below(1, ++counter, ~0u) * 0x9e3779b97f4a7c15ull);
  case 4:
    return static_cast<double>(below(1000000)) / 1024;
  case 5:
  case 6:
    return random_string();
  case 7: {
    auto a = nlohmann::json::array();
    for (std::uint32_t n = below(5); n > 0; --n) a.push_back(random_value(depth - 1));
    return a;
  }
  default: {
    auto o = nlohmann::json::object();
    for (std::uint32_t n = below(5); n > 0; --n) o[random_string()] = random_value(depth - 1);
    return o;
  }
  }
}

bool same(const json& got, const nlohmann::json& expected) {
  if (got.kind() != expected.type_name()) return false;
  if (expected.is_boolean()) return got.boolean() == expected.get<bool>();
  if (expected.is_number_integer()) return got.integer() == expected.get<std::int64_t>();
  if (expected.is_number_float()) return !got.integer() && got.number() == expected.get<double>();
  if (expected.is_string()) return *got.string() == expected.get<std::string>();
  if (expected.is_array())
    return std::equal(got.items()->begin(), got.items()->end(), expected.begin(), expected.end(), same);
  if (expected.is_object())
    return got.members()->size() == expected.size() &&
           std::all_of(got.members()->begin(), got.members()->end(), [&](const json::member& m) {
             return expected.contains(m.name) && same(m.value, expected[m.name]) && got.find(m.name) == &m.value;
           });
  return got.is_null();
}

/// Empty: none.
std::string fault(const std::string& text) {
  try {
    parse_json(text, "t");
    return "";
  } catch (const error& problem) {
    return problem.what();
  }
}

/// Whether the text is JSON in which no object has a key twice. nlohmann-json takes a byte 0 for the end, which it is
/// not.
bool accepted_by_judge(const std::string& text) {
  std::vector<std::set<std::string>> keys;
  bool distinct = true;
  const auto watch = [&](int, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    if (event == nlohmann::json::parse_event_t::object_start) keys.emplace_back();
    if (event == nlohmann::json::parse_event_t::object_end) keys.pop_back();
    if (event == nlohmann::json::parse_event_t::key)
      distinct = keys.back().insert(value.get<std::string>()).second && distinct;
    return true;
  };
  try {
    const auto whole = nlohmann::json::parse(text, watch);
    return !whole.is_discarded() && text.find('\0') == std::string::npos && distinct &&
           !text.starts_with("\xef\xbb\xbf");
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

} // namespace

TEST(json, values_are_those_of_the_judge) {
  for (int i = 0; i < 3000; ++i) {
    const nlohmann::json expected = random_value(4);
    for (const std::string& text : {expected.dump(), expected.dump(2), expected.dump(1, '\t', true)}) {
      const json got = parse_json(text, "t");
      ASSERT_TRUE(same(got, expected)) << text;
      ASSERT_EQ(nlohmann::json::parse(canonical_text(got)), expected) << text;
    }
    ASSERT_EQ(canonical_text(parse_json(expected.dump(3), "t")), canonical_text(parse_json(expected.dump(), "t")));
  }
}

TEST(json, damaged_texts_are_refused_where_the_judge_refuses_them) {
  int refused = 0, tried = 0;
  for (int i = 0; i < 3000; ++i) {
    const std::string good = random_value(3).dump(below(3) == 0 ? 1 : -1, ' ', below(2) == 0);
    std::string text = good;
    for (std::uint32_t n = 1 + below(2); n > 0; --n) {
      static constexpr char bytes[] = {'\0', '"', '\\', '{', '}', '[', ']', ',', ':', '9',  '0',    '-',
                                       '+',  '.', 'e',  'u', 'd', 'c', '8', 'x', ' ', '\n', '\xff', '\xc3'};
      const std::size_t at = below(static_cast<std::uint32_t>(text.size() + 1));
      if (at < text.size() && below(2) == 0) text.erase(at, 1 + below(3));
      else text.insert(at, 1, bytes[below(std::size(bytes))]);
    }
    const std::string found = fault(text);
    if (found.find("a double's range") != std::string::npos) continue; // for the judge, 1e-999 is 0
    ASSERT_EQ(found.empty(), accepted_by_judge(text)) << text;
    ++tried, refused += !found.empty();
  }
  EXPECT_GT(refused, tried / 3);
  EXPECT_LT(refused, tried);
}

TEST(json, decimal_numbers_are_the_nearest_doubles) {
  for (int i = 0; i < 20000; ++i) {
    std::string text = below(2) ? "-" : "";
    text += static_cast<char>('1' + below(9));
    for (std::uint32_t n = below(24); n > 0; --n) text += static_cast<char>('0' + below(10));
    text += '.';
    for (std::uint32_t n = 1 + below(24); n > 0; --n) text += static_cast<char>('0' + below(10));
    if (below(2)) text += "e" + std::to_string(static_cast<int>(below(560)) - 300 - 24);
    const double expected = std::strtod(text.c_str(), nullptr);
    if (std::isinf(expected) || expected == 0) {
      ASSERT_NE(fault(text), "") << text;
      continue;
    }
    ASSERT_EQ(parse_json(text, "t").number(), expected) << text;
  }
  // Half way between two doubles, and just beside it; the smallest; the largest.
  for (const char* text :
       {"9007199254740993.0", "9007199254740993.00000000000000000000001", "9007199254740992.99999999999999999999",
        "5e-324", "2.4703282292062328e-324", "2.2250738585072011e-308", "2.2250738585072014e-308",
        "1.7976931348623157e308", "1e-05", "-0.0", "123456789012345678901234567890"})
    EXPECT_EQ(parse_json(text, "t").number(), std::strtod(text, nullptr)) << text;
  EXPECT_EQ(parse_json("9223372036854775807", "t").integer(), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(parse_json("-9223372036854775808", "t").integer(), std::numeric_limits<std::int64_t>::min());
  EXPECT_FALSE(parse_json("9223372036854775808", "t").integer());
  EXPECT_EQ(parse_json("9223372036854775808", "t").number(), 0x1p63);
}

TEST(json, faults_are_named) {
  EXPECT_MESSAGE(parse_json("{\"a\": 1,}", "f.json"),
                 "f.json: not valid JSON: Missing a name for object member. (byte 8)");
  EXPECT_MESSAGE(parse_json("", "f.json"), "f.json: not valid JSON: ");
  EXPECT_MESSAGE(parse_json("1 2", "f.json"), "f.json: not valid JSON: ");
  EXPECT_MESSAGE(parse_json(std::string("{}\0{}", 5), "f.json"),
                 "f.json: not valid JSON: a byte 0 after the value (byte 2)");
  for (const char* lone : {"[\"a\\ud800\"]", "[\"\\udc00x\"]", "{\"\\ud83d\\u0041\":1}", "[\"\\ud83d\\ud83d\"]"})
    EXPECT_MESSAGE(parse_json(lone, "f.json"), "f.json: not valid JSON: ", "surrogate");
  EXPECT_EQ(*(*parse_json("[\"\\ud83d\\ude00\"]", "t").items())[0].string(), "\xf0\x9f\x98\x80");
  EXPECT_MESSAGE(parse_json("1e999", "f.json"), "f.json: not valid JSON: Number too big");
  EXPECT_MESSAGE(parse_json("[\"\xff\"]", "f.json"), "f.json: expected UTF-8, got an invalid sequence at byte 2");
  EXPECT_MESSAGE(parse_json("\xef\xbb\xbf{}", "f.json"), "f.json: expected JSON, got a byte order mark");
  EXPECT_MESSAGE(parse_json("[{\"a\":1,\"b\":{\"a\":1},\"\\u0061\":2}]", "f.json"),
                 "f.json: JSON key \"a\" appears twice");
  EXPECT_MESSAGE(parse_json("[NaN]", "f.json"), "f.json: not valid JSON: ");
  const auto nested = [](std::size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  EXPECT_EQ(parse_json(nested(64), "f.json").kind(), "array");
  EXPECT_MESSAGE(parse_json(nested(65), "f.json"), "f.json: expected JSON nested at most 64 deep, got more");
  EXPECT_MESSAGE(parse_json(std::string(1000000, '['), "f.json"),
                 "f.json: expected JSON nested at most 64 deep, got more");
  EXPECT_THROW(canonical_text(json("\xff")), contract_error);
}

TEST(json, numbers_that_are_not_finite) {
  const json list = parse_json("[NaN, Infinity, -Infinity, \"NaN\"]", "t", {.not_finite = true});
  EXPECT_TRUE(std::isnan(*(*list.items())[0].number()));
  EXPECT_EQ((*list.items())[1].number(), HUGE_VAL);
  EXPECT_EQ((*list.items())[2].number(), -HUGE_VAL);
  EXPECT_EQ(canonical_text(list), R"(["NaN","Infinity","-Infinity","NaN"])");
}

TEST(json, accessors_answer_with_nothing) {
  const json text = "x", number = 1.5, none;
  EXPECT_FALSE(text.number() || text.boolean() || text.integer() || text.items() || text.members() || text.find("x"));
  EXPECT_FALSE(number.integer() || number.string() || none.number());
  EXPECT_TRUE(none.is_null() && !text.is_null());
  const json object = json::object{{"b", 1}, {"a", json::array{true, json()}}};
  EXPECT_EQ(canonical_text(object), R"({"a":[true,null],"b":1})");
  EXPECT_FALSE(object.find("c"));
}
