// The matrix every map starts from: L[i,s] = log p_i(text_s) in nats, K models by N texts, as plain data.
// Filled by the store, by a safetensors file or by hand.
#pragma once
#include "llmap/core/matrix.hpp"
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace llmap {

/// Log-likelihoods of N texts under K models, with what is known of both.
struct score_matrix {
  std::vector<std::string> models;    // (K)
  std::vector<std::string> texts;     // (N)
  std::vector<std::string> domains;   // (N), or empty
  std::vector<std::int64_t> bytes;    // (N) UTF-8 bytes of each text, or empty: the map then counts nats per text
  matrix<double> log_likelihood;      // (K, N) nats
  matrix<std::uint8_t> flags;         // (K, N), or empty; not 0: the entry must not be used (overlong, failed, ...)
  std::vector<std::string> documents; // (N), or empty: texts of one document are a cluster
  std::map<std::string, std::vector<std::string>> groups; // e.g. "family" -> label of each model (K)
};

/// Throws llmap::error naming the first field whose length disagrees with the matrix.
inline void check_score_matrix(const score_matrix& m) {
  const std::size_t K = m.log_likelihood.rows(), N = m.log_likelihood.cols();
  const auto expect = [](const char* field, std::size_t found, std::size_t wanted) {
    if (found != wanted) fail("score matrix: ", field, " has ", found, " entries, expected ", wanted);
  };
  if (K == 0 || N == 0) fail("score matrix: no ", K == 0 ? "models" : "texts");
  expect("models", m.models.size(), K);
  expect("texts", m.texts.size(), N);
  if (!m.bytes.empty()) expect("bytes", m.bytes.size(), N);
  if (!m.domains.empty()) expect("domains", m.domains.size(), N);
  if (!m.documents.empty()) expect("documents", m.documents.size(), N);
  if (!m.flags.empty()) {
    expect("flags (rows)", m.flags.rows(), K);
    expect("flags (columns)", m.flags.cols(), N);
  }
  for (const auto& [name, labels] : m.groups) expect(("group " + name).c_str(), labels.size(), K);
  for (std::size_t s = 0; s < m.bytes.size(); ++s)
    if (m.bytes[s] <= 0) fail("score matrix: text ", m.texts[s], " has ", m.bytes[s], " bytes, expected > 0");
}

/// A distance is a spread over texts: one text, or none, says nothing about it.
inline constexpr std::size_t least_texts = 2;
/// The standard error of a KL is a spread over texts of squared deviations from the mean. Two texts deviate alike, so
/// that the spread is 0 whatever the models are: no error can be estimated.
inline constexpr std::size_t least_texts_for_error = 3;

/// Throws llmap::error if there are fewer texts than a distance needs.
inline void expect_texts(const char* step, std::size_t texts) {
  if (texts < least_texts) fail(step, ": expected at least ", least_texts, " texts, got ", texts);
}

/// Whether entry (i, s) may be used: finite and not flagged.
inline bool usable(const score_matrix& m, std::size_t i, std::size_t s) {
  return std::isfinite(m.log_likelihood(i, s)) && (m.flags.empty() || m.flags(i, s) == 0);
}

} // namespace llmap
