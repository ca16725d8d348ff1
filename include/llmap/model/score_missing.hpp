// Scores a model into a store; scores that the store has are not computed again. A run that is ended by its watch has
// saved all it did; one that is killed loses the batch at hand and what was scored since the last transaction.
#pragma once
#include "llmap/core/parallel.hpp"
#include "llmap/forward/load.hpp"
#include "llmap/model/fingerprint.hpp"
#include "llmap/model/scoring_report.hpp"
#include "llmap/model/text_policy.hpp"
#include "llmap/store/store.hpp"
#include <chrono>
#include <cmath>
#include <functional>
#include <mutex>
#include <numbers>
#include <optional>
#include <span>

namespace llmap {

/// How a model is scored into a store.
struct store_scoring_options {
  text_policy policy{}; ///< of every text
  load_options load{};  // its compute type is part of the model's fingerprint
  /// Results can be saved after each batch: batches are short by default.
  score_options batches{.batch_rows = 0, .batch_seconds = 2};
  double save_seconds = 0.25;      // least time between two transactions
  int threads = default_threads(); // for tokenizing
};

/// How far the scoring of a model has come. Tokens and texts count what is scored now.
struct scoring_progress {
  /// In this order.
  enum class phase { reading_weights, tokenizing, packing_weights, scoring };
  phase now;                                ///< the present one
  std::int64_t tokens_done = 0, tokens = 0; ///< so far, and in all
  std::size_t texts_done = 0, texts = 0;    ///< so far, and in all
};

/// As a message to a reader puts it.
inline const char* name_of(scoring_progress::phase p) {
  constexpr const char* names[] = {"reading the weights", "tokenizing", "packing the weights", "scoring"};
  return names[static_cast<int>(p)];
}

/// Called at the start of each phase and after each batch. If it returns false, all that is done is saved and the
/// scoring ends. It may be empty.
using scoring_watch = std::function<bool(const scoring_progress&)>;

/// Precision and policy as one line; scores of different lines are never mixed.
template <class T> std::string policy_line(compute_type compute, const text_policy& policy) {
  const char* precision = sizeof(T) == 8 ? "f64" : compute == compute_type::bf16 ? "bf16" : "f32";
  return std::string("precision ") + precision + ", bos " + std::string(name_of(policy.bos)) + ", overlong " +
         std::string(name_of(policy.overlong));
}

/// A model folder whose weights are not packed yet. Words is a tokenizer, see encode_text.
template <class Words> struct model_to_score {
  const std::filesystem::path& folder; ///< starts messages
  const decoder_plan& plan;            ///< of the model
  const model_weights& weights;        ///< open files
  const Words& words;                  ///< text to ids
  model_record record;                 ///< as the store has it
};

namespace detail {

/// Scores that wait for the next transaction.
class pending_scores {
  score_store& store_;
  score_store::stored_model& model_;
  const model_weights& weights_;
  std::vector<std::size_t> texts_;
  std::vector<text_score> scores_;

public:
  pending_scores(score_store& store, score_store::stored_model& model, const model_weights& weights)
      : store_(store), model_(model), weights_(weights) {}
  void add(std::size_t text, const text_score& score) { texts_.push_back(text), scores_.push_back(score); }
  void save() {
    weights_.check_unchanged();
    store_.save(model_, texts_, scores_);
    texts_.clear();
    scores_.clear();
  }
};

} // namespace detail

/// Scores the texts that have no score under the model yet. `store` was opened with `texts`. The executors share the
/// texts; each holds the weights. `watch` is called by one of their threads at a time.
template <class T, executor Exec, class Words>
scoring_report score_missing(score_store& store, std::span<const Exec> execs, const model_to_score<Words>& model,
                             const text_set& texts, const store_scoring_options& options = {},
                             const scoring_watch& watch = {}) {
  using clock = std::chrono::steady_clock;
  using phase = scoring_progress::phase;
  const auto seconds_since = [](clock::time_point start) {
    return std::chrono::duration<double>(clock::now() - start).count();
  };
  score_store::stored_model stored = store.open_model(model.record);
  scoring_report report;
  report.model = model.record.name;
  const auto present = store.scores(stored);
  std::vector<std::size_t> missing;
  for (std::size_t i = 0; i < present.size(); ++i)
    if (!present[i]) missing.push_back(i);
  report.present = present.size() - missing.size();

  scoring_progress progress{.now = phase::tokenizing, .texts = missing.size()};
  const auto go_on = [&](phase now) {
    progress.now = now;
    return report.complete = report.complete && (!watch || watch(progress));
  };
  const auto score_them = [&] {
    if (!go_on(phase::tokenizing)) return;
    const encoded_texts encoded =
        encode_texts(model.words, model.plan, texts, missing, options.policy, model.folder.string(), options.threads);
    for (const auto& ids : encoded.ids) progress.tokens += static_cast<std::int64_t>(ids.size());
    if (!go_on(phase::packing_weights)) return;
    std::mutex reporting; // of what the workers share, from here on
    std::optional<clock::time_point> start, saved_at;
    detail::pending_scores pending(store, stored, model.weights);
    texts_to_take left(encoded.ids);
    with_workers(execs, left, [&](const Exec& exec) {
      const auto network = load_decoder<T>(exec, model.plan, model.weights.tensors(dtype_of<T>, model.plan.tied()),
                                           model.folder.string(), options.load);
      {
        const std::lock_guard hold(reporting);
        if (!start) {
          if (!go_on(phase::scoring)) left.stop();
          start = saved_at = clock::now();
        }
      }
      score_texts(exec, network, encoded, left, options.batches,
                  [&](std::size_t first, std::span<const text_score> batch) {
                    const std::lock_guard hold(reporting);
                    for (std::size_t i = 0; i < batch.size(); ++i) {
                      pending.add(missing[first + i], batch[i]);
                      progress.tokens_done += static_cast<std::int64_t>(encoded.ids[first + i].size());
                      report.tokens_now += batch[i].tokens_scored;
                    }
                    report.scored = progress.texts_done += batch.size();
                    if (seconds_since(*saved_at) > options.save_seconds) pending.save(), saved_at = clock::now();
                    return go_on(phase::scoring);
                  });
    });
    pending.save();
    report.seconds = seconds_since(*start);
  };
  if (!missing.empty()) score_them();

  double nats = 0;
  std::int64_t bytes = 0;
  const auto all = store.scores(stored);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i]) continue;
    report.tokens += all[i]->tokens_scored;
    if (all[i]->flags) {
      report.flagged.push_back(texts.items[i].id);
      if (all[i]->flags & ~flag_truncated) ++report.without_value;
      continue;
    }
    nats += all[i]->log_likelihood;
    bytes += static_cast<std::int64_t>(texts.items[i].text.size());
  }
  report.bits_per_byte =
      bytes ? -nats / (static_cast<double>(bytes) * std::numbers::ln2) : std::numeric_limits<double>::quiet_NaN();
  return report;
}

/// The same on one executor.
template <class T, executor Exec, class Words>
scoring_report score_missing(score_store& store, const Exec& exec, const model_to_score<Words>& model,
                             const text_set& texts, const store_scoring_options& options = {},
                             const scoring_watch& watch = {}) {
  return score_missing<T>(store, std::span<const Exec>(&exec, 1), model, texts, options, watch);
}

} // namespace llmap
