// A small made-up matrix with given names, for the tests of the pictures.
#pragma once
#include "llmap/core/random.hpp"
#include "llmap/geometry/make_map.hpp"

inline llmap::score_matrix small_scores(const std::vector<std::string>& names, std::size_t texts = 40) {
  const llmap::counter_random r{3};
  llmap::score_matrix m;
  m.models = names;
  m.log_likelihood.resize(names.size(), texts);
  for (std::size_t s = 0; s < texts; ++s) {
    m.texts.push_back("text" + std::to_string(s));
    m.bytes.push_back(500);
    for (std::size_t i = 0; i < m.log_likelihood.rows(); ++i)
      m.log_likelihood(i, s) = -400 + 50 * r.normal(0, static_cast<std::uint64_t>(s)) +
                               5 * r.normal(static_cast<std::uint64_t>(i + 1), static_cast<std::uint64_t>(s));
  }
  return m;
}

inline llmap::map_data map_of(const llmap::score_matrix& m, const llmap::map_options& options = {}) {
  return make_map(llmap::cpu_executor{}, m, options);
}

inline const std::vector<std::string> hostile_names = {"</script><script>alert(1)</script>",
                                                       "\"quoted\" & 'single'",
                                                       "<!--comment",
                                                       "tab\tand\nline",
                                                       "日本語モデル",
                                                       "back\\slash",
                                                       "]]>",
                                                       "\xff\xfe bad",
                                                       "",
                                                       "<!--data-->"};
