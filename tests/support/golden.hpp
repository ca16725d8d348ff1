// Where the goldens lie, and small helpers of the tests.
#pragma once
#include "llmap/core/error.hpp"
#include "llmap/core/random.hpp"
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <unistd.h>
#include <vector>

namespace golden {

inline std::filesystem::path source() { return LLMAP_SOURCE_DIR; }
inline std::filesystem::path folder(const std::string& kind) { return source() / "tests" / "golden" / kind; }
inline std::filesystem::path zoo() { return source() / "examples" / "zoo"; }

/// Names of the case folders of a kind, sorted.
inline std::vector<std::string> cases(const std::string& kind) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder(kind)))
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}
inline nlohmann::json read(const std::filesystem::path& path) {
  std::ifstream in(path);
  if (!in) llmap::fail(path.string(), ": missing golden");
  return nlohmann::json::parse(in);
}

/// As a results page shows it.
inline std::string short_number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1e", x);
  return text;
}

/// What a float32 log-probability may differ by, for each sequence of a case of `models`: 4 times the float32 error
/// that is recorded with it, + 2e-6. One or two predictions are no bound: the record of the case's 17 tokens counts if
/// it is larger. Of the sequences of 17 tokens or more the largest counts: the largest of 16 errors is often a lucky
/// one (recorded for olmo_hybrid_nope: 8.6e-6, and 5.0e-5 for 63 predictions).
class float32_bound {
  double recorded_ = 0, largest_ = 0;

public:
  explicit float32_bound(const nlohmann::json& expected) {
    for (const auto& s : expected["sequences"]) {
      const double own = s["fp32_max_abs_error"].get<double>();
      if (s["ids"].size() == 17) recorded_ = own;
      if (s["ids"].size() >= 17) largest_ = std::max(largest_, own);
    }
    EXPECT_GT(recorded_, 0);
  }
  double operator()(const nlohmann::json& sequence) const {
    const double own = sequence["fp32_max_abs_error"].get<double>();
    const std::size_t T = sequence["ids"].size();
    return 4 * (T < 4 ? std::max(own, recorded_) : T >= 17 ? largest_ : own) + 2e-6;
  }
};

/// A folder of this process, removed at the end.
struct scratch {
  std::filesystem::path path;
  scratch()
      : path(std::filesystem::temp_directory_path() /
             ("llmap_test_" + std::to_string(::getpid()) + "_" + std::to_string(number()++))) {
    std::filesystem::create_directories(path);
  }
  ~scratch() { std::filesystem::remove_all(path); }
  std::filesystem::path write(const std::string& name, const std::string& content) const {
    std::ofstream(path / name, std::ios::binary) << content;
    return path / name;
  }

private:
  static int& number() {
    static int n = 0;
    return n;
  }
};

/// The message of the llmap::error that `body` throws; fails the test if it throws none.
template <class Body> std::string message_of(const Body& body) {
  try {
    body();
  } catch (const llmap::error& problem) {
    const std::string text = problem.what();
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    return text;
  }
  ADD_FAILURE() << "expected an llmap::error";
  return "";
}
#define EXPECT_MESSAGE(statement, part)                                                                                \
  EXPECT_NE(golden::message_of([&] { statement; }).find(part), std::string::npos)                                      \
      << golden::message_of([&] { statement; })

inline std::vector<double> normals(std::size_t n, std::uint64_t stream, double scale = 1) {
  std::vector<double> v(n);
  for (std::size_t i = 0; i < n; ++i) v[i] = scale * llmap::counter_random{7}.normal(stream, i);
  return v;
}

} // namespace golden
