// Scoring one model folder into a store: what `llmap score` does for each.
#pragma once
#include "llmap/core/parallel.hpp"
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace llmap {
struct text_set;
class score_store;
} // namespace llmap

struct score_settings {
  std::string precision = "f32", bos = "as_tokenizer", overlong = "error";
  int threads = llmap::default_threads();
  std::size_t batch_rows = 0; // 0: chosen by the model's size
};

struct score_report {
  std::string model;
  std::size_t scored = 0, present = 0; // texts scored now, and found in the store
  std::int64_t tokens = 0;             // scored tokens of all texts
  std::int64_t tokens_now = 0;         // of those scored now
  double seconds = 0;                  // spent on scoring now
  double bits_per_byte = 0;            // over texts without a flag
  std::vector<std::string> flagged;    // texts with a flag
};

/// Scores the texts that the store lacks. `place` starts the progress line.
score_report score_model(const std::filesystem::path& folder, const llmap::text_set& texts, llmap::score_store& store,
                         const score_settings& settings, const std::string& place);

void print_reports(const std::vector<score_report>& reports);
