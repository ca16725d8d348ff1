// Scoring a model folder into a store.
#pragma once
#include "llmap/forward/deployed_inputs.hpp"
#include "llmap/model/model_folder.hpp"
#include "llmap/model/score_missing.hpp"

namespace llmap {

/// Scores the texts that the store lacks under the model; see score_missing.hpp. `store` was opened with `texts`.
template <class T, executor Exec>
scoring_report score_into(score_store& store, const Exec& exec, const opened_model& model, const text_set& texts,
                          const store_scoring_options& options = {}, const scoring_watch& watch = {}) {
  const std::string policy =
      policy_line<T>(options.load.compute, options.policy) +
      activations_line(options.load.activations, model.plan, model.weights.tensors(dtype_of<T>, model.plan.tied()));
  return score_missing<T>(
      store, exec,
      model_to_score<tokenizer>{
          model.folder,
          model.plan,
          model.weights,
          model.words,
          {model.name, fingerprint_of(model.weights, model.words.canonical(), policy), model.plan.model_type, policy}},
      texts, options, watch);
}

} // namespace llmap
