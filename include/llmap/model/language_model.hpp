// A language model ready to score texts: weights, tokenizer and name together.
#pragma once
#include "llmap/forward/load.hpp"
#include "llmap/geometry/score_matrix.hpp"
#include "llmap/model/model_folder.hpp"
#include "llmap/model/text_policy.hpp"
#include <numeric>

namespace llmap {

/// What load_model makes and `score` takes. T is the working type.
template <class Exec, class T> struct language_model {
  std::string name, folder; ///< as a map shows it; where it was loaded from
  decoder<Exec, T> network; ///< plan and weights
  tokenizer words;          ///< text to ids
};

/// Loads a model folder, given the plan of its config: plan_of(config) for any family, or llama_plan(config) and the
/// like for one of them. `base` is the model below an adapter, if the adapter does not say (base_folder).
template <class T, executor Exec>
language_model<Exec, T> load_model(const Exec& exec, const std::filesystem::path& folder, decoder_plan plan,
                                   const load_options& options = {}, const std::filesystem::path& base = {}) {
  opened_model opened(folder, std::move(plan), base);
  auto network = load_decoder<T>(exec, opened.plan, opened.weights.tensors(dtype_of<T>, opened.plan.tied()),
                                 folder.string(), options);
  opened.weights.check_unchanged();
  return {opened.name, folder.string(), std::move(network), std::move(opened.words)};
}

/// The score of every text (N), in order. `options` change speed and memory, never a bit; `threads` threads tokenize.
template <class Exec, class T>
std::vector<text_score> score(const Exec& exec, const language_model<Exec, T>& model, const text_set& texts,
                              const text_policy& policy = {}, const score_options& options = {},
                              int threads = default_threads()) {
  std::vector<std::size_t> all(texts.items.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  const encoded_texts encoded =
      encode_texts(model.words, model.network.plan, texts, all, policy, model.folder, threads);
  std::vector<text_score> scores;
  score_texts(exec, model.network, encoded, options, [&](std::size_t, std::span<const text_score> batch) {
    scores.insert(scores.end(), batch.begin(), batch.end());
  });
  return scores;
}

/// A matrix for the scores of these texts, without models yet.
inline score_matrix matrix_of(const text_set& texts) {
  score_matrix m;
  bool domains = false, documents = false;
  for (const text_item& text : texts.items) domains |= !text.domain.empty(), documents |= !text.document.empty();
  for (const text_item& text : texts.items) {
    m.texts.push_back(text.id);
    m.bytes.push_back(static_cast<std::int64_t>(text.text.size()));
    if (domains) m.domains.push_back(text.domain);
    if (documents) m.documents.push_back(text.document);
  }
  return m;
}

/// Adds a model as the last row.
inline void add_model(score_matrix& m, const std::string& name, const std::string& family,
                      std::span<const text_score> scores) {
  const std::size_t K = m.models.size(), N = m.texts.size();
  LLMAP_EXPECTS(scores.size() == N, "add_model: a score for every text");
  matrix<double> nats(K + 1, N);
  matrix<std::uint8_t> flags(K + 1, N);
  std::ranges::copy(m.log_likelihood.span(), nats.data());
  std::ranges::copy(m.flags.span(), flags.data());
  for (std::size_t s = 0; s < N; ++s) nats(K, s) = scores[s].log_likelihood, flags(K, s) = scores[s].flags;
  m.log_likelihood = std::move(nats);
  m.flags = std::move(flags);
  m.models.push_back(name);
  m.groups["family"].push_back(family);
}

} // namespace llmap
