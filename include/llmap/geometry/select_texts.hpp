// Texts that every model has. A text with one unusable entry (NaN, -inf, flagged) is left out for all models, so that
// every distance is taken over the same texts; what was left out is counted and named.
#pragma once
#include "llmap/geometry/score_matrix.hpp"

namespace llmap {

/// A text that was left out, and why.
struct excluded_text {
  std::size_t text;   // column of the matrix
  std::string name;   // of the text
  std::size_t models; // how many models lack it
  std::string first;  // name of the first model that lacks it
};

/// The texts that every model has scored, and the others.
struct text_selection {
  std::vector<std::size_t> kept;       // columns, ascending
  std::vector<excluded_text> excluded; ///< with the reason
};

/// Throws when fewer texts are left than a distance needs, naming the model with the most unusable entries.
inline text_selection complete_texts(const score_matrix& m) {
  check_score_matrix(m);
  const std::size_t K = m.log_likelihood.rows(), N = m.log_likelihood.cols();
  struct lack {
    std::size_t models = 0, first = 0;
  };
  std::vector<lack> of_text(N);
  std::vector<std::size_t> lacking(K, 0);
  for (std::size_t i = 0; i < K; ++i)
    for (std::size_t s = 0; s < N; ++s) {
      if (usable(m, i, s)) continue;
      lack& text = of_text[s];
      if (text.models++ == 0) text.first = i;
      ++lacking[i];
    }
  text_selection out;
  for (std::size_t s = 0; s < of_text.size(); ++s)
    if (of_text[s].models == 0) out.kept.push_back(s);
    else out.excluded.push_back({s, m.texts[s], of_text[s].models, m.models[of_text[s].first]});
  if (out.excluded.empty()) expect_texts("map", N);
  if (out.kept.size() < least_texts) {
    std::size_t worst = 0;
    for (std::size_t i = 1; i < lacking.size(); ++i)
      if (lacking[i] > lacking[worst]) worst = i;
    fail("map: expected at least ", least_texts, " texts that are usable for every model, got ", out.kept.size(), "; ",
         m.models[worst], " lacks ", lacking[worst], " of ", N, "; perhaps leave it out or score it again");
  }
  return out;
}

/// The matrix of the kept columns, with everything that belongs to a text.
inline score_matrix take_texts(const score_matrix& m, const std::vector<std::size_t>& columns) {
  score_matrix out;
  out.models = m.models;
  out.groups = m.groups;
  const std::size_t K = m.log_likelihood.rows(), n = columns.size();
  out.log_likelihood.resize(K, n);
  if (!m.flags.empty()) out.flags.resize(K, n);
  for (const std::size_t s : columns) LLMAP_EXPECTS(s < m.texts.size(), "take_texts: column out of range");
  for (std::size_t i = 0; i < K; ++i)
    for (std::size_t t = 0; t < n; ++t) {
      out.log_likelihood(i, t) = m.log_likelihood(i, columns[t]);
      if (!m.flags.empty()) out.flags(i, t) = m.flags(i, columns[t]);
    }
  for (const std::size_t s : columns) {
    out.texts.push_back(m.texts[s]);
    if (!m.bytes.empty()) out.bytes.push_back(m.bytes[s]);
    if (!m.domains.empty()) out.domains.push_back(m.domains[s]);
    if (!m.documents.empty()) out.documents.push_back(m.documents[s]);
  }
  return out;
}

/// Mean UTF-8 bytes of the texts; 0 where they are not known.
inline double mean_bytes(const std::vector<std::int64_t>& bytes) {
  if (bytes.empty()) return 0;
  std::int64_t sum = 0;
  for (const std::int64_t b : bytes) sum += b;
  return static_cast<double>(sum) / static_cast<double>(bytes.size());
}

} // namespace llmap
