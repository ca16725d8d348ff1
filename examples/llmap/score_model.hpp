// Scores one model folder into a store: what `llmap score` does for each.
#pragma once
#include "llmap/core/parallel.hpp"
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace llmap {
struct text_set;
struct scoring_report;
class score_store;
} // namespace llmap

class scoring_device;

struct score_settings {
  std::string base; // of adapters; empty: what they name
  std::string precision = "f32", activations = "full", bos = "as_tokenizer", overlong = "error";
  std::string device = "cpu";
  const scoring_device* opened = nullptr; // the device, if it is not the CPU
  std::function<void()> weights_are_read; // called when a model's are, before its texts are scored
  int threads = llmap::default_threads();
  std::size_t batch_rows = 0; // 0: chosen by the model's size
};

/// Scores the texts that the store lacks under `name`. `place` starts the progress line.
llmap::scoring_report score_model(const std::filesystem::path& folder, const std::string& name,
                                  const llmap::text_set& texts, llmap::score_store& store,
                                  const score_settings& settings, const std::string& place);

void print_reports(const std::vector<llmap::scoring_report>& reports);
