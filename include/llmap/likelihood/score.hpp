// Scoring: log p(text) = sum over its tokens of log p(token | tokens before it), nats.
// The first id is context only: BOS if the policy adds one, else the text's own first token.
#pragma once
#include "llmap/forward/transformer.hpp"
#include "llmap/likelihood/text_score.hpp"
#include "llmap/likelihood/workers.hpp"
#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

namespace llmap {

/// Fails unless every id is a row of the model's vocabulary.
inline void check_ids(std::span<const std::int32_t> ids, std::int64_t vocab, const std::string& where) {
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (ids[i] < 0 || ids[i] >= vocab)
      fail(where, ": token id at position ", i, ": expected 0 to ", vocab - 1, " (the model's vocabulary), got ",
           ids[i]);
}

/// Buffers that scoring keeps from batch to batch.
template <class Exec, class T> struct score_workspace {
  forward_workspace<Exec, T> forward;               ///< hidden states
  typename Exec::template head_room<T> head;        ///< of the fused head
  typename Exec::template host_buffer<double> nats; ///< of a batch
};

/// log p(ids[t + 1] | ids[0..t]) for every text of the batch: T - 1 numbers each, nats, texts one after another.
/// Ids must be in the vocabulary and texts within the model's positions (llmap::error otherwise).
template <class Exec, class T>
std::vector<double> token_log_probabilities(const Exec& exec, const decoder<Exec, T>& model, const ragged_batch& batch,
                                            score_workspace<Exec, T>& work) {
  std::vector<std::int32_t> targets;
  for (std::size_t t = 0; t < batch.texts(); ++t) {
    const std::string where = "sequence " + std::to_string(t);
    if (model.plan.position_limit && batch.length(t) > static_cast<std::size_t>(model.plan.position_limit))
      fail(where, ": expected at most ", model.plan.position_limit, " tokens (the model's positions), got ",
           batch.length(t));
    const auto ids = std::span(batch.ids).subspan(batch.offsets[t], batch.length(t));
    check_ids(ids, model.plan.vocab, where);
    if (!ids.empty()) targets.insert(targets.end(), ids.begin() + 1, ids.end());
  }
  if (targets.empty()) return {};
  const matrix_view<const T> hidden = forward(exec, model, batch, work.forward);
  // Rows that predict a token: all but each text's last.
  std::vector<std::size_t> row_of;
  for (std::size_t t = 0; t < batch.texts(); ++t)
    for (std::size_t p = 0; p + 1 < batch.length(t); ++p) row_of.push_back(batch.offsets[t] + p);
  work.head.rows.compute = model.head.compute;
  const std::span<double> nats = work.nats.resize(exec, targets.size());
  work.forward.for_slabs(exec, model.plan, targets.size(), [&](slab rows) {
    gather_rows(exec, hidden, std::span<const std::size_t>(row_of).subspan(rows.first, rows.count), work.head.rows,
                work.forward.scratch);
    linear_cross_entropy(exec, work.head.rows, model.head,
                         std::span<const std::int32_t>(targets).subspan(rows.first, rows.count),
                         head_options{model.plan.head.scale, model.plan.head.softcap},
                         nats.subspan(rows.first, rows.count), work.head, work.forward.scratch);
  });
  synchronize(exec);
  return {nats.begin(), nats.end()};
}

/// Batches change speed, memory and when results come, never a bit of a result.
struct score_options {
  std::size_t batch_rows = 0; // tokens a batch is filled up to; 0: llmap::batch_rows
  /// Seconds that a batch should take, judged by the speed of the last one, so that results come at this pace. A text
  /// is never cut.
  double batch_seconds = std::numeric_limits<double>::infinity();
};

/// How many rows the next batch may have: at most `most`, and if time is bounded, as many as fit it at the speed of the
/// last batch. The first batch, whose speed is unknown, is then a single text.
class batch_pace {
  std::size_t most_, rows_;
  double seconds_;

public:
  /// Batches of at most `most` rows; infinite seconds do not bound the time.
  batch_pace(std::size_t most, double seconds)
      : most_(most), rows_(std::isinf(seconds) ? most : 1), seconds_(seconds) {}
  /// Rows of the next batch. 0 means a single text.
  std::size_t rows() const { return rows_; }
  /// Reports what the last batch held and took.
  void took(std::size_t rows, double seconds) {
    const double fit = static_cast<double>(rows) * seconds_ / std::max(seconds, 1e-9);
    rows_ = fit < static_cast<double>(most_) ? static_cast<std::size_t>(fit) : most_;
  }
};

/// What batches are computed with: an executor, and how many tokens they are filled up to.
template <class Exec> struct batch_setup {
  Exec exec;        ///< with the memory of all batches
  std::size_t rows; ///< tokens of a batch
};
/// An executor that takes the memory of all batches before the first has a function of its own beside this one. `rows`
/// are wanted; the longest text has to fit whatever they are.
template <class Exec, class T>
batch_setup<Exec> set_up(const Exec& exec, const decoder<Exec, T>&, score_workspace<Exec, T>&, std::size_t rows,
                         std::size_t) {
  return {exec, rows};
}

/// Computes the token log-probabilities of texts given as ids, in order and batch by batch: `done(first, batch, nats)`
/// gets those of texts first, first + 1, ... as token_log_probabilities returns them. `done` returns nothing, or false
/// to stop. Texts must fit the model's positions. Of texts shared with other workers only those taken here come, and
/// stopping leaves nobody any.
template <class Exec, class T, class Done>
void for_batches(const Exec& exec, const decoder<Exec, T>& model, texts_to_take& texts, const score_options& options,
                 const Done& done) {
  score_workspace<Exec, T> work;
  const std::size_t wanted = options.batch_rows ? options.batch_rows : batch_rows<T>(exec, model.plan);
  const batch_setup<Exec> setup = set_up(exec, model, work, std::min(wanted, texts.tokens()), texts.longest());
  batch_pace pace(setup.rows, options.batch_seconds);
  for (texts_to_take::part taken; !(taken = texts.take(pace.rows())).empty();) {
    const std::size_t first = taken.first;
    ragged_batch batch;
    for (std::size_t i = first; i < taken.last; ++i) batch.add(texts[i]);
    const auto start = std::chrono::steady_clock::now();
    const std::vector<double> nats = token_log_probabilities(setup.exec, model, batch, work);
    pace.took(batch.rows(), std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    if constexpr (std::is_void_v<decltype(done(first, batch, std::span<const double>(nats)))>)
      done(first, batch, std::span<const double>(nats));
    else if (!done(first, batch, std::span<const double>(nats))) return texts.stop();
  }
}
/// The same for texts that are nobody else's.
template <class Exec, class T, class Done>
void for_batches(const Exec& exec, const decoder<Exec, T>& model, std::span<const std::vector<std::int32_t>> texts,
                 const score_options& options, const Done& done) {
  texts_to_take all(texts);
  for_batches(exec, model, all, options, done);
}

/// How many tokens of a text have a log-probability.
inline std::size_t tokens_scored(std::size_t length) { return length > 0 ? length - 1 : 0; }

/// Scores texts given as ids: `done(first, scores)` gets the scores of texts first, first + 1, ..., see for_batches.
template <class Exec, class T, class Done>
void score_texts(const Exec& exec, const decoder<Exec, T>& model, texts_to_take& texts, const score_options& options,
                 const Done& done) {
  for_batches(exec, model, texts, options,
              [&](std::size_t first, const ragged_batch& batch, std::span<const double> nats) {
                std::vector<text_score> scores;
                for (std::size_t t = 0; t < batch.texts(); ++t) {
                  const std::size_t count = tokens_scored(batch.length(t));
                  text_score score;
                  for (const double token : nats.first(count)) score.log_likelihood += token;
                  nats = nats.subspan(count);
                  score.tokens_scored = static_cast<std::int32_t>(count);
                  if (score.tokens_scored == 0) score.flags |= flag_nothing;
                  if (std::isnan(score.log_likelihood)) score.flags |= flag_nan;
                  if (std::isinf(score.log_likelihood)) score.flags |= flag_infinite;
                  scores.push_back(score);
                }
                return done(first, std::span<const text_score>(scores));
              });
}
/// The same for texts that are nobody else's.
template <class Exec, class T, class Done>
void score_texts(const Exec& exec, const decoder<Exec, T>& model, std::span<const std::vector<std::int32_t>> texts,
                 const score_options& options, const Done& done) {
  texts_to_take all(texts);
  score_texts(exec, model, all, options, done);
}

} // namespace llmap
