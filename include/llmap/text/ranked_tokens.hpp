// Vocabularies as tiktoken keeps them: tokens are strings of bytes, numbered by rank. The rank also orders the merges:
// of all neighbors in a piece, the two whose joined bytes have the lowest rank merge first, the leftmost two of equals.
//   tekken.json        Mistral's form: ranks in a JSON file with the splitting expression and the special tokens
//   tokenizer.model    as Llama 3 brings it: lines of a token in Base64 and its rank
// Sources: tiktoken 0.12; mistral_common 1.8 (tokens/tokenizers/tekken.py).
#pragma once
#include "llmap/core/base64.hpp"
#include "llmap/text/component.hpp"
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace llmap {

/// A vocabulary in the order of its merges.
struct ranked_tokens {
  std::vector<std::string> tokens; ///< (V) the bytes of rank 0, 1, ...
  std::int32_t first_id = 0;       ///< the id of rank 0; the others follow
};

/// What a tekken.json says.
struct tekken_vocabulary {
  ranked_tokens ranked;  ///< the vocabulary
  std::string pattern;   ///< cuts a text into pieces
  std::int32_t bos, eos; ///< the ids of <s> and </s>
};

namespace detail {

/// Every byte is a token, no token is there twice.
inline void check_ranks(const ranked_tokens& ranked, const std::string& where) {
  std::unordered_set<std::string_view> seen;
  for (std::size_t rank = 0; rank < ranked.tokens.size(); ++rank)
    if (!seen.insert(ranked.tokens[rank]).second)
      fail(where, ": expected distinct tokens, got that of rank ", rank, " twice");
  for (unsigned b = 0; b < 256; ++b)
    if (const char byte = static_cast<char>(b); !seen.contains({&byte, 1}))
      fail(where, ": expected a token for every byte, got none for byte ", b);
}

inline std::string token_bytes(std::string_view base64, const std::string& where) {
  auto bytes = from_base64(base64);
  if (!bytes || bytes->empty()) fail(where, ": expected the bytes of a token in Base64, got ", base64.substr(0, 80));
  return std::move(*bytes);
}

} // namespace detail

/// Whether the content of a tokenizer.model is such a list of lines; SentencePiece's is a binary message.
inline bool is_tiktoken(std::string_view content) {
  const std::string_view line = content.substr(0, std::min<std::size_t>(content.find('\n'), 256));
  const std::size_t blank = line.find(' ');
  return blank != std::string_view::npos && from_base64(line.substr(0, blank)).has_value();
}

/// The ranks of a tiktoken file, which must be 0, 1, ... in order; `where` starts every message.
inline ranked_tokens read_tiktoken(std::string_view content, const std::string& where) {
  ranked_tokens ranked;
  for (std::size_t number = 1; !content.empty(); ++number) {
    const std::string_view line = content.substr(0, content.find('\n'));
    content.remove_prefix(std::min(content.size(), line.size() + 1));
    if (line.empty()) continue;
    const std::string place = where + ": line " + std::to_string(number);
    const std::size_t blank = line.find(' ');
    std::size_t rank = 0;
    const char* const end = line.data() + line.size();
    if (blank == std::string_view::npos || std::from_chars(line.data() + blank + 1, end, rank).ptr != end)
      fail(place, ": expected a token in Base64 and its rank");
    if (rank != ranked.tokens.size()) fail(place, ": expected rank ", ranked.tokens.size(), ", got ", rank);
    ranked.tokens.push_back(detail::token_bytes(line.substr(0, blank), place));
  }
  detail::check_ranks(ranked, where);
  return ranked;
}

/// Special tokens come first in the ids. A file lists more ranks than the model has; those beyond
/// default_vocab_size are not used.
inline tekken_vocabulary read_tekken(const component& file) {
  const component config = file.at("config"), vocabulary = file.at("vocab");
  const auto count = [&](const char* key) {
    const component field = config.at(key);
    const auto value = component::id_of(field.value());
    if (!value) field.refuse("a count");
    return static_cast<std::size_t>(*value);
  };
  const std::size_t special = count("default_num_special_tokens"), all = count("default_vocab_size");
  if (all < special || all - special > vocabulary.size())
    config.at("default_vocab_size")
        .refuse("from " + std::to_string(special) + " to " + std::to_string(special + vocabulary.size()) +
                ", as there are special tokens and others");

  tekken_vocabulary result{{{}, static_cast<std::int32_t>(special)}, config.at("pattern").text(), 1, 2};
  for (std::size_t rank = 0; rank < all - special; ++rank) {
    const component entry = vocabulary.at(rank);
    if (const component field = entry.at("rank"); field.value().number() != static_cast<double>(rank))
      field.refuse(std::to_string(rank));
    const component bytes = entry.at("token_bytes");
    result.ranked.tokens.push_back(detail::token_bytes(bytes.text(), bytes.where()));
  }
  detail::check_ranks(result.ranked, vocabulary.where());

  if (file.absent("special_tokens")) { // up to version 7 they are the same in every file: <unk>, <s>, </s>, ...
    const std::string version = config.at("version").text();
    if (version != "v1" && version != "v2" && version != "v3" && version != "v7")
      fail(file.where(), ".special_tokens: missing, expected them in a file of version ", version);
    return result;
  }
  const component list = file.at("special_tokens");
  if (list.size() > special) fail(list.where(), ": expected at most ", special, ", got ", list.size());
  const auto id_of = [&](std::string_view name) {
    for (std::size_t i = 0; i < list.size(); ++i)
      if (list.at(i).at("token_str").value().is(name)) return list.at(i).at("rank").id();
    fail(list.where(), ": expected ", name, " among them");
  };
  result.bos = id_of("<s>"), result.eos = id_of("</s>");
  return result;
}

} // namespace llmap
