// The word that was probably meant, of those there are.
#pragma once
#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

/// Letters to insert, delete, replace or swap with their neighbor to make a word of another.
inline std::size_t edits_between(const std::string& a, const std::string& b) {
  std::vector<std::size_t> before, last(b.size() + 1), now(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) now[j] = std::min(now[j], before[j - 2] + 1);
    }
    before = last;
    std::swap(last, now);
  }
  return last[b.size()];
}

/// "; did you mean WORD?", or "" where no word is near.
inline std::string did_you_mean(const std::string& word, const std::vector<std::string>& words) {
  const std::string* best = nullptr;
  std::size_t fewest = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& w : words)
    if (const std::size_t edits = edits_between(word, w); edits < fewest) fewest = edits, best = &w;
  return best ? "; did you mean " + *best + "?" : "";
}
