// The (K, N) matrix of a store: read into memory, written as safetensors with the names beside it, and read back.
//   log_likelihood F64 [K, N] nats (NaN if missing), tokens_scored I32 [K, N], flags U8 [K, N], bytes I32 [N]
//   names: {"models": [...], "texts": [...], "domains", "documents", "families"} in the .json beside it (optional)
#pragma once
#include "llmap/core/json_file.hpp"
#include "llmap/core/json_writer.hpp"
#include "llmap/core/write_file.hpp"
#include "llmap/geometry/score_matrix.hpp"
#include "llmap/likelihood/text_score.hpp"
#include "llmap/store/npy_file.hpp"
#include "llmap/store/schema.hpp"
#include "llmap/weights/safetensors.hpp"
#include "llmap/weights/safetensors_writer.hpp"
#include <algorithm>
#include <limits>

namespace llmap {

/// A score matrix with the number of tokens behind each entry.
struct scored_matrix {
  score_matrix matrix;                     ///< (K, N) nats
  std::vector<std::int32_t> tokens_scored; // (K N), row-major
};

/// Models in the order of their names, texts in the order of the text set. A model without scores, which older versions
/// recorded, is a row without values: see select_models.
inline scored_matrix read_store(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) fail(path.string(), ": no such store");
  sqlite_database db(path, sqlite_database::access::read);
  expect_store(db);
  scored_matrix result;
  score_matrix& m = result.matrix;
  std::map<std::int64_t, std::size_t> column, row;
  auto texts = db.prepare("SELECT id, name, bytes, domain, document FROM texts ORDER BY id");
  while (texts.step()) {
    column[texts.integer(0)] = m.texts.size();
    m.texts.push_back(texts.text(1));
    m.bytes.push_back(texts.integer(2));
    m.domains.push_back(texts.text(3));
    m.documents.push_back(texts.text(4));
  }
  const auto drop_if_blank = [](std::vector<std::string>& labels) {
    if (std::all_of(labels.begin(), labels.end(), [](const std::string& s) { return s.empty(); })) labels.clear();
  };
  drop_if_blank(m.domains);
  drop_if_blank(m.documents);
  auto models = db.prepare("SELECT id, name, family FROM models ORDER BY name");
  while (models.step()) {
    row[models.integer(0)] = m.models.size();
    m.models.push_back(models.text(1));
    m.groups["family"].push_back(models.text(2));
  }
  const std::size_t K = m.models.size(), N = m.texts.size();
  m.log_likelihood = matrix<double>(K, N, std::numeric_limits<double>::quiet_NaN());
  m.flags = matrix<std::uint8_t>(K, N, flag_missing);
  result.tokens_scored.assign(K * N, 0);
  auto scores = db.prepare("SELECT model, text, nats, tokens, flags FROM scores");
  while (scores.step()) {
    const std::size_t i = row.at(scores.integer(0)), s = column.at(scores.integer(1));
    m.log_likelihood(i, s) = scores.real(2);
    result.tokens_scored[i * N + s] = static_cast<std::int32_t>(scores.integer(3));
    m.flags(i, s) = static_cast<std::uint8_t>(scores.integer(4));
  }
  return result;
}

/// Where the names beside a matrix lie.
inline std::filesystem::path names_path(std::filesystem::path matrix) { return matrix.replace_extension(".json"); }

/// Writes the safetensors file alone.
inline void write_tensors(const std::filesystem::path& path, const scored_matrix& scored) {
  const score_matrix& m = scored.matrix;
  const auto K = static_cast<std::int64_t>(m.log_likelihood.rows()),
             N = static_cast<std::int64_t>(m.log_likelihood.cols());
  memory_tensors tensors;
  tensors.add<double>("log_likelihood", {K, N}, m.log_likelihood.span());
  tensors.add<std::int32_t>("tokens_scored", {K, N}, scored.tokens_scored);
  tensors.add<std::uint8_t>("flags", {K, N}, m.flags.span());
  std::vector<std::int32_t> bytes;
  for (std::int64_t b : m.bytes) bytes.push_back(static_cast<std::int32_t>(b));
  tensors.add<std::int32_t>("bytes", {N}, bytes);
  write_safetensors(path, tensors);
}

/// Writes the names alone, as JSON.
inline void write_names(const std::filesystem::path& path, const score_matrix& m) {
  json_writer names(json_writer::layout::indented);
  names.object([&] {
    names.field("models", m.models);
    names.field("texts", m.texts);
    if (!m.domains.empty()) names.field("domains", m.domains);
    if (!m.documents.empty()) names.field("documents", m.documents);
    if (const auto family = m.groups.find("family"); family != m.groups.end()) names.field("families", family->second);
  });
  write_file(path, names.text() + "\n");
}

/// Writes the safetensors file and the names beside it.
inline void write_matrix(const std::filesystem::path& path, const scored_matrix& scored) {
  write_tensors(path, scored);
  write_names(names_path(path), scored.matrix);
}

namespace detail {

/// The tensors of what `write_matrix` writes.
inline score_matrix read_tensors(const std::filesystem::path& path) {
  const safetensors_file file(path);
  score_matrix m;
  const auto expect_type = [&](const std::string& name, const tensor_info& info, dtype type) {
    if (info.type != type)
      fail(path.string(), ": tensor ", name, ": expected ", name_of(type), ", got ", name_of(info.type));
  };
  const auto expect_shape = [&](const std::string& name, const tensor_info& info, std::vector<std::int64_t> wanted) {
    if (info.shape != wanted)
      fail(path.string(), ": tensor ", name, ": expected shape ", shape_text(wanted), ", got ", shape_text(info.shape));
  };
  const auto copy = [&](const std::string& name, void* to) {
    const tensor_data data = file.read(name);
    if (!data.bytes.empty()) std::memcpy(to, data.bytes.data(), data.bytes.size());
  };
  const auto values = file.find("log_likelihood");
  if (!values) fail(path.string(), ": tensor log_likelihood: missing");
  if (values->shape.size() != 2)
    fail(path.string(), ": tensor log_likelihood: expected shape [K, N], got ", shape_text(values->shape));
  const std::int64_t K = values->shape[0], N = values->shape[1];
  m.log_likelihood.resize(static_cast<std::size_t>(K), static_cast<std::size_t>(N));
  if (values->type == dtype::f32) {
    std::vector<float> narrow(m.log_likelihood.size());
    copy("log_likelihood", narrow.data());
    std::copy(narrow.begin(), narrow.end(), m.log_likelihood.data());
  } else {
    expect_type("log_likelihood", *values, dtype::f64);
    copy("log_likelihood", m.log_likelihood.data());
  }
  if (const auto info = file.find("bytes")) {
    expect_type("bytes", *info, dtype::i32);
    expect_shape("bytes", *info, {N});
    std::vector<std::int32_t> bytes(static_cast<std::size_t>(N));
    copy("bytes", bytes.data());
    m.bytes.assign(bytes.begin(), bytes.end());
  }
  if (const auto info = file.find("flags")) {
    expect_type("flags", *info, dtype::u8);
    expect_shape("flags", *info, {K, N});
    m.flags.resize(static_cast<std::size_t>(K), static_cast<std::size_t>(N));
    copy("flags", m.flags.data());
  }
  return m;
}

/// Reads the names beside a matrix; without their file models and texts are numbered.
inline void read_names(const std::filesystem::path& names_file, score_matrix& m) {
  json names = json::object();
  if (std::filesystem::exists(names_file)) names = read_json_file(names_file, large_file_bytes);
  if (!names.members()) fail(names_file.string(), ": expected an object with models and texts, got ", names.kind());
  const auto list = [&](const char* key, std::size_t count, const char* otherwise) {
    std::vector<std::string> out;
    if (const json* listed = names.find(key)) {
      if (!listed->items() || listed->items()->size() != count)
        fail(names_file.string(), ": ", key, ": expected ", count, " names");
      for (const json& name : *listed->items()) {
        if (!name.string()) fail(names_file.string(), ": ", key, ": expected strings");
        out.push_back(*name.string());
      }
    } else if (otherwise) {
      for (std::size_t i = 0; i < count; ++i) out.push_back(otherwise + std::to_string(i));
    }
    return out;
  };
  const std::size_t K = m.log_likelihood.rows(), N = m.log_likelihood.cols();
  m.models = list("models", K, "model ");
  m.texts = list("texts", N, "text ");
  m.domains = list("domains", N, nullptr);
  m.documents = list("documents", N, nullptr);
  if (names.find("families")) m.groups["family"] = list("families", K, nullptr);
}

} // namespace detail

/// Reads what `write_matrix` writes, or an .npy file, either with names beside it. Only log_likelihood (F64 or F32) is
/// required. Without `bytes` the lengths of the texts are not known, as in an .npy file; without a file of names models
/// and texts are numbered ("model 0", "text 0").
inline score_matrix read_matrix(const std::filesystem::path& path) {
  score_matrix m;
  if (const mapped_file file(path); is_npy(file.bytes())) m.log_likelihood = read_npy(file);
  else m = detail::read_tensors(path);
  detail::read_names(names_path(path), m);
  return m;
}

/// Stores and exported matrices are told apart by the content of the file.
inline bool is_store(const std::filesystem::path& path) {
  const mapped_file file(path);
  constexpr std::string_view magic = "SQLite format 3";
  return file.bytes().size() >= magic.size() && std::memcmp(file.bytes().data(), magic.data(), magic.size()) == 0;
}

/// The files that load_score_matrix reads.
inline std::vector<std::filesystem::path> score_matrix_files(const std::filesystem::path& path) {
  return is_store(path) ? std::vector{path} : std::vector{path, names_path(path)};
}

/// A store or an exported matrix.
inline score_matrix load_score_matrix(const std::filesystem::path& path) {
  score_matrix m = is_store(path) ? read_store(path).matrix : read_matrix(path);
  check_score_matrix(m);
  return m;
}

} // namespace llmap
