// Reads the golden cases: tensors written by NumPy as safetensors (F64, I32, I64) into double matrices, and case.json.
#pragma once
#include "llmap/geometry/score_matrix.hpp"
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

namespace golden {

struct tensor {
  std::vector<std::size_t> shape;
  std::vector<double> values;
  /// The tensor as a matrix: the last axis is the columns.
  llmap::matrix<double> matrix() const {
    const std::size_t columns = shape.empty() ? 1 : shape.back();
    return llmap::matrix<double>(llmap::matrix_view<const double>(values.data(), values.size() / columns, columns));
  }
  std::vector<std::size_t> indexes() const { return {values.begin(), values.end()}; }
  std::vector<std::int64_t> integers() const { return {values.begin(), values.end()}; }
};

inline std::string read_bytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) llmap::fail(path, ": cannot be opened");
  return {std::istreambuf_iterator<char>(in), {}};
}

inline std::map<std::string, tensor> read_safetensors(const std::string& path) {
  const std::string bytes = read_bytes(path);
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  const auto json = nlohmann::json::parse(bytes.substr(8, header));
  std::map<std::string, tensor> out;
  for (const auto& [name, entry] : json.items()) {
    if (name == "__metadata__") continue;
    tensor t{entry.at("shape").get<std::vector<std::size_t>>(), {}};
    const std::size_t begin = entry.at("data_offsets")[0], end = entry.at("data_offsets")[1];
    const char* data = bytes.data() + 8 + header;
    const auto read = [&]<class T>(T value) {
      for (std::size_t at = begin; at < end; at += sizeof(T)) {
        std::memcpy(&value, data + at, sizeof(T));
        t.values.push_back(static_cast<double>(value));
      }
    };
    const std::string type = entry.at("dtype");
    if (type == "F64") read(double{});
    else if (type == "I32") read(std::int32_t{});
    else if (type == "I64") read(std::int64_t{});
    else llmap::fail(path, ": tensor ", name, " has dtype ", type, ", expected F64, I32 or I64");
    out.emplace(name, std::move(t));
  }
  return out;
}

struct map_case {
  nlohmann::json about;
  std::map<std::string, tensor> inputs, expected;

  explicit map_case(const std::string& name) {
    const std::string folder = std::string(LLMAP_SOURCE_DIR) + "/tests/golden/map/" + name;
    about = nlohmann::json::parse(read_bytes(folder + "/case.json"));
    inputs = read_safetensors(folder + "/inputs.safetensors");
    expected = read_safetensors(folder + "/expected.safetensors");
  }
  double tolerance(const std::string& key) const { return about.at("expected").at(key).at("tol"); }
  bool elementwise(const std::string& key) const { return about["expected"][key].contains("tol_is"); }
  double scalar(const std::string& key) const { return about.at("scalars").at(key); }
  bool has(const std::string& key) const { return about["expected"].contains(key); }
};

/// Largest error in units of the tolerance the case states: relative to the largest entry, or entry by entry.
inline double error_over_tolerance(const map_case& c, const std::string& key, const llmap::matrix<double>& found,
                                   const llmap::matrix<double>& wanted) {
  if (found.rows() != wanted.rows() || found.cols() != wanted.cols()) return INFINITY;
  double largest = 0;
  for (const double a : wanted.span()) largest = std::max(largest, std::abs(a));
  double worst = 0;
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    const double a = wanted.data()[k], error = std::abs(found.data()[k] - a);
    if (!(error > 0) && !std::isnan(error)) continue;
    const double unit = c.elementwise(key) ? std::max(std::abs(a), 1e-16 * largest) : largest;
    worst = std::isnan(error) ? INFINITY : std::max(worst, error / (c.tolerance(key) * unit));
  }
  return worst;
}
inline double error_over_tolerance(const map_case& c, const std::string& key, const llmap::matrix<double>& found) {
  return error_over_tolerance(c, key, found, c.expected.at(key).matrix());
}
inline double error_over_tolerance(const map_case& c, const std::string& key, const std::vector<double>& found) {
  return error_over_tolerance(c, key,
                              llmap::matrix<double>(llmap::matrix_view<const double>(found.data(), 1, found.size())));
}
inline double scalar_error(const map_case& c, const std::string& key, double found) {
  const double a = c.scalar(key), error = std::abs(found - a);
  return error == 0 ? 0 : error / (c.tolerance(key) * std::abs(a));
}

/// The case's matrix as a score_matrix with made-up names.
inline llmap::score_matrix scores(const map_case& c) {
  llmap::score_matrix m;
  m.log_likelihood = c.inputs.at("L").matrix();
  m.bytes = c.inputs.at("bytes").integers();
  for (std::size_t i = 0; i < m.log_likelihood.rows(); ++i) m.models.push_back(std::to_string(i).insert(0, 1, 'm'));
  for (std::size_t s = 0; s < m.log_likelihood.cols(); ++s) m.texts.push_back(std::to_string(s).insert(0, 1, 't'));
  return m;
}

} // namespace golden
