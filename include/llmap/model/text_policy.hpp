// How a text is prepared for the model: whether BOS is put in front, and what happens to a text that is longer than the
// model's positions. The policy is part of a score: scores of different policies are never mixed.
#pragma once
#include "llmap/architectures/decoder_plan.hpp"
#include "llmap/core/parallel.hpp"
#include "llmap/likelihood/score.hpp"
#include "llmap/text/text_set.hpp"
#include <span>
#include <string>
#include <vector>

namespace llmap {

/// What goes around the ids of a text.
enum class bos_policy {
  as_tokenizer, ///< what the tokenizer puts around a text, as transformers does
  always,       ///< BOS and the plain ids; an error if the tokenizer has no BOS
  never         ///< the plain ids: the first token of a text is context only
};
/// What happens to a text that is longer than the model's positions.
enum class overlong_policy {
  refuse,  ///< an error that names the text
  truncate ///< the first positions are scored, and the score is flagged
};

/// The policy of a run.
struct text_policy {
  bos_policy bos = bos_policy::as_tokenizer;          ///< before each text
  overlong_policy overlong = overlong_policy::refuse; ///< texts beyond the positions
};

/// The name in a policy_line, and of the option --bos.
inline std::string_view name_of(bos_policy p) {
  return p == bos_policy::always ? "always" : p == bos_policy::never ? "never" : "as_tokenizer";
}
/// The name in a policy_line, and of the option --on-overlong.
inline std::string_view name_of(overlong_policy p) { return p == overlong_policy::truncate ? "truncate" : "error"; }

/// A text as ids.
struct encoded_text {
  std::vector<std::int32_t> ids; ///< with BOS, if the policy wants it
  bool truncated = false;        ///< the text was longer
};

/// The ids of a text as the policy wants them, all in the model's vocabulary. `words` is a tokenizer: it has
/// encode(text, add_special) and bos_id(). `where` (the model's folder) starts every message.
template <class Tokenizer>
encoded_text encode_text(const Tokenizer& words, const decoder_plan& plan, const text_item& text,
                         const text_policy& policy, const std::string& where) {
  encoded_text out;
  out.ids = words.encode(text.text, policy.bos == bos_policy::as_tokenizer);
  if (policy.bos == bos_policy::always) {
    if (!words.bos_id()) fail(where, ": --bos always: the tokenizer has no BOS token");
    out.ids.insert(out.ids.begin(), *words.bos_id());
  }
  check_ids(out.ids, plan.vocab, where + ": text " + text.id);
  const auto most = static_cast<std::size_t>(plan.context_length);
  if (most && out.ids.size() > most) {
    if (policy.overlong == overlong_policy::refuse)
      fail(where, ": text ", text.id, ": expected at most ", most, " tokens (the model's positions), got ",
           out.ids.size(), "; --on-overlong truncate scores the first ", most);
    out.ids.resize(most);
    out.truncated = true;
  }
  return out;
}

/// Texts as ids, one entry per text.
struct encoded_texts {
  std::vector<std::vector<std::int32_t>> ids; ///< (N) of any length
  std::vector<std::uint8_t> truncated;        // 1: the text was longer
};

/// The ids of the texts with these positions in the set, on up to `threads` threads.
template <class Tokenizer>
encoded_texts encode_texts(const Tokenizer& words, const decoder_plan& plan, const text_set& texts,
                           std::span<const std::size_t> positions, const text_policy& policy, const std::string& where,
                           int threads) {
  encoded_texts out{std::vector<std::vector<std::int32_t>>(positions.size()),
                    std::vector<std::uint8_t>(positions.size())};
  parallel_for(threads, positions.size(), [&](std::size_t i) {
    encoded_text text = encode_text(words, plan, texts.items[positions[i]], policy, where);
    out.ids[i] = std::move(text.ids);
    out.truncated[i] = text.truncated;
  });
  return out;
}

/// score_texts for those of encoded texts that are taken here from `left`; the scores of truncated ones are flagged.
template <class Exec, class T, class Done>
void score_texts(const Exec& exec, const decoder<Exec, T>& model, const encoded_texts& texts, texts_to_take& left,
                 const score_options& options, const Done& done) {
  score_texts(exec, model, left, options, [&](std::size_t first, std::span<const text_score> batch) {
    std::vector<text_score> scores(batch.begin(), batch.end());
    for (std::size_t i = 0; i < scores.size(); ++i)
      if (texts.truncated[first + i]) scores[i].flags |= flag_truncated;
    return done(first, std::span<const text_score>(scores));
  });
}

/// The same for all of them.
template <class Exec, class T, class Done>
void score_texts(const Exec& exec, const decoder<Exec, T>& model, const encoded_texts& texts,
                 const score_options& options, const Done& done) {
  texts_to_take all(texts.ids);
  score_texts(exec, model, texts, all, options, done);
}

} // namespace llmap
