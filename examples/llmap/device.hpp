// Scoring on a device other than the CPU. The code for it lies in a module beside the tool that is loaded when
// --device asks for it: the tool itself is linked with nothing of CUDA and starts as fast without it.
#pragma once
#include "llmap/model/score_missing.hpp"
#include <functional>
#include <memory>
#include <string>
#include <vector>

/// What score_missing asks of a tokenizer.
struct device_words {
  std::function<std::vector<std::int32_t>(std::string_view text, bool add_special)> encode;
  std::function<std::optional<std::int32_t>()> bos_id;
};

/// A device that scores. What it is for a model is part of the model's policy in the store: rows of one device are
/// never mixed with those of another.
class scoring_device {
public:
  virtual ~scoring_device() = default;
  /// Everything of it that may change a bit of the scores of this model in this precision, f32 or f64, in one line.
  virtual std::string facts(const llmap::decoder_plan& plan, llmap::dtype precision) const = 0;
  virtual llmap::scoring_report score_f32(llmap::score_store& store, const llmap::model_to_score<device_words>& model,
                                          const llmap::text_set& texts, llmap::store_scoring_options options,
                                          const llmap::scoring_watch& watch) const = 0;
  virtual llmap::scoring_report score_f64(llmap::score_store& store, const llmap::model_to_score<device_words>& model,
                                          const llmap::text_set& texts, llmap::store_scoring_options options,
                                          const llmap::scoring_watch& watch) const = 0;
};

/// `name` is cuda, cuda:NUMBER, cuda:NUMBER,NUMBER... or cuda:all. Several devices share the texts of a model and count
/// as one: they have the same facts. Fails in one line if there is no such device, no module, or if devices differ.
std::unique_ptr<const scoring_device> open_device(const std::string& name);

/// What the module exports: the devices of these numbers, or all if there are none, for the caller to delete. `name` is
/// what messages call them.
using open_device_function = const scoring_device*(const std::string& name, const std::vector<int>& numbers);
