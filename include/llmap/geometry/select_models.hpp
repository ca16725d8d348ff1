// Selects the models of a map from those of a matrix: all that have scores, or those that are named.
#pragma once
#include "llmap/geometry/score_matrix.hpp"
#include <algorithm>
#include <string>
#include <vector>

namespace llmap {

/// The models that a user asks for, by name.
struct model_selection {
  std::vector<std::string> only{};    // empty: all
  std::vector<std::string> exclude{}; ///< left out of those
};

/// The rows of a matrix that are kept.
struct selected_models {
  std::vector<std::size_t> rows;           // ascending
  std::vector<std::string> without_scores; // left out because no text has a usable score
};

/// A name that the matrix lacks is an error that lists the names there are; `where` starts it. A model named in `only`
/// is kept even without scores.
inline selected_models select_models(const score_matrix& m, const model_selection& selection,
                                     const std::string& where) {
  const auto named = [&](const std::vector<std::string>& names, const std::string& model) {
    return std::find(names.begin(), names.end(), model) != names.end();
  };
  for (const auto* names : {&selection.only, &selection.exclude})
    for (const std::string& name : *names)
      if (!named(m.models, name)) {
        std::string all;
        constexpr std::size_t listed = 20;
        for (std::size_t i = 0; i < std::min(listed, m.models.size()); ++i) all += (i ? ", " : "") + m.models[i];
        fail(where, ": no model named ", name, "; there are ", all, m.models.size() > listed ? ", ..." : "");
      }
  selected_models selected;
  for (std::size_t i = 0; i < m.models.size(); ++i) {
    if (named(selection.exclude, m.models[i]) || (!selection.only.empty() && !named(selection.only, m.models[i])))
      continue;
    bool scored = named(selection.only, m.models[i]);
    for (std::size_t s = 0; s < m.texts.size() && !scored; ++s) scored = usable(m, i, s);
    if (scored) selected.rows.push_back(i);
    else selected.without_scores.push_back(m.models[i]);
  }
  if (selected.rows.empty())
    fail(where, ": no model is left: ", m.models.size(), " there, ", selected.without_scores.size(),
         " of them without scores");
  return selected;
}

/// The rows of some models, in the order given.
inline score_matrix take_models(const score_matrix& m, const std::vector<std::size_t>& rows) {
  score_matrix out;
  out.texts = m.texts, out.domains = m.domains, out.bytes = m.bytes, out.documents = m.documents;
  out.log_likelihood.resize(rows.size(), m.log_likelihood.cols());
  if (!m.flags.empty()) out.flags.resize(rows.size(), m.flags.cols());
  for (std::size_t k = 0; k < rows.size(); ++k) {
    out.models.push_back(m.models[rows[k]]);
    std::ranges::copy(m.log_likelihood.row(rows[k]), out.log_likelihood.row(k).begin());
    if (!m.flags.empty()) std::ranges::copy(m.flags.row(rows[k]), out.flags.row(k).begin());
    for (const auto& [name, labels] : m.groups) out.groups[name].push_back(labels[rows[k]]);
  }
  return out;
}

} // namespace llmap
