// What scoring does with a text before the model sees it: whether BOS stands in front, and what happens to a text that
// is longer than the model's positions. The policy is part of a score: scores of different policies are never mixed.
#pragma once
#include "llmap/architectures/decoder_plan.hpp"
#include "llmap/core/parallel.hpp"
#include "llmap/likelihood/score.hpp"
#include "llmap/text/text_set.hpp"
#include <span>
#include <string>
#include <vector>

namespace llmap {

enum class bos_policy {
  as_tokenizer, ///< what the tokenizer puts around a text, as transformers does
  always,       ///< BOS and the plain ids; an error where the tokenizer has no BOS
  never         ///< the plain ids: the first token of a text is context only
};
enum class overlong_policy {
  refuse,  ///< an error that names the text
  truncate ///< the first positions are scored, and the score is flagged
};

struct text_policy {
  bos_policy bos = bos_policy::as_tokenizer;
  overlong_policy overlong = overlong_policy::refuse;
};

inline std::string_view name_of(bos_policy p) {
  return p == bos_policy::always ? "always" : p == bos_policy::never ? "never" : "as_tokenizer";
}
inline std::string_view name_of(overlong_policy p) { return p == overlong_policy::truncate ? "truncate" : "error"; }

struct encoded_text {
  std::vector<std::int32_t> ids;
  bool truncated = false;
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
  const auto most = static_cast<std::size_t>(plan.trained_tokens);
  if (most && out.ids.size() > most) {
    if (policy.overlong == overlong_policy::refuse)
      fail(where, ": text ", text.id, ": expected at most ", most, " tokens (the model's positions), got ",
           out.ids.size(), "; --on-overlong truncate scores the first ", most);
    out.ids.resize(most);
    out.truncated = true;
  }
  return out;
}

/// The ids of the texts with these positions in the set, on up to `threads` threads.
template <class Tokenizer>
std::vector<encoded_text> encode_texts(const Tokenizer& words, const decoder_plan& plan, const text_set& texts,
                                       std::span<const std::size_t> positions, const text_policy& policy,
                                       const std::string& where, int threads) {
  std::vector<encoded_text> encoded(positions.size());
  parallel_for(threads, positions.size(),
               [&](std::size_t i) { encoded[i] = encode_text(words, plan, texts.items[positions[i]], policy, where); });
  return encoded;
}

} // namespace llmap
