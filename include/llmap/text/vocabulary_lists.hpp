// Tokenizers of model files that hold lists instead of a tokenizer.json (GGUF): token strings, their types, and merges
// or scores. They are turned into an equivalent tokenizer.json. Lists that do not fit together, strings that are not
// UTF-8 and unknown names are an llmap::error that starts with `where`.
#pragma once
#include "llmap/core/utf8.hpp"
#include "llmap/text/component.hpp"
#include "llmap/text/patterns.hpp"
#include "llmap/text/score_merges.hpp"
#include "llmap/text/tokenizer_files.hpp"
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace llmap {

/// The numbers of the types in SentencePiece and GGUF.
enum class token_type : std::int32_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

/// The lists of a file. Which of them a tokenizer needs depends on its kind.
struct vocabulary_lists {
  std::vector<std::string> tokens; ///< (V) the id is the index; byte-level tokens in byte characters
  std::vector<token_type> types;   ///< (V) or empty: all normal
  std::vector<std::string> merges; ///< byte-level only: "left right", best first
  std::vector<float> scores;       ///< (V) SentencePiece only: higher merges first
  std::string pre_tokenizer;       ///< byte-level only: GGUF's name of the splitting expression, e.g. "llama-bpe"
  bool add_space_prefix = true;    ///< SentencePiece only: a blank in front of each stretch of text
  std::optional<std::int32_t> bos, eos, unknown; ///< ids
  bool add_bos = false, add_eos = false;         ///< whether encode puts them around a text
};

namespace detail {

inline void check_lists(const vocabulary_lists& v, const std::string& where) {
  if (v.tokens.empty()) fail(where, ": tokens: expected at least one, got none");
  if (v.tokens.size() >= static_cast<std::size_t>(token_id_limit)) fail(where, ": tokens: too many: ", v.tokens.size());
  if (!v.types.empty() && v.types.size() != v.tokens.size())
    fail(where, ": token types: expected ", v.tokens.size(), " as many as tokens, got ", v.types.size());
  std::unordered_map<std::string_view, std::size_t> seen;
  for (std::size_t i = 0; i < v.tokens.size(); ++i) {
    if (const auto bad = invalid_utf8(v.tokens[i]))
      fail(where, ": tokens[", i, "]: expected UTF-8, got an invalid sequence at byte ", *bad);
    const auto [first, fresh] = seen.emplace(v.tokens[i], i);
    if (!fresh) fail(where, ": tokens[", i, "]: expected distinct tokens, got the same as tokens[", first->second, "]");
    if (!v.types.empty() && (v.types[i] < token_type::normal || v.types[i] > token_type::byte))
      fail(where, ": token types[", i, "]: expected 1 to 6, got ", static_cast<std::int32_t>(v.types[i]));
  }
  for (const auto& [name, id] : {std::pair{"BOS", v.bos}, {"EOS", v.eos}, {"unknown", v.unknown}})
    if (id && (*id < 0 || static_cast<std::size_t>(*id) >= v.tokens.size()))
      fail(where, ": ", name, " id: expected 0 to ", v.tokens.size() - 1, ", got ", *id);
  if (v.add_bos && !v.bos) fail(where, ": expected a BOS id, because BOS is to be added");
  if (v.add_eos && !v.eos) fail(where, ": expected an EOS id, because EOS is to be added");
}

/// The pre_tokenizer of a tokenizer.json for its name in GGUF (tokenizer.ggml.pre).
inline json named_pre_tokenizer(std::string_view name, const std::string& where) {
  const auto one_of = [&](auto... names) { return ((name == names) || ...); };
  const json gpt2 = json::object{{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}};
  if (one_of("gpt-2", "phi-2", "mpt", "olmo", "jais")) return gpt2;
  if (one_of("starcoder", "smollm", "refact", "command-r", "codeshell")) {
    const json digits = json::object{{"type", "Digits"}, {"individual_digits", true}};
    return json::object{{"type", "Sequence"}, {"pretokenizers", json::array{digits, gpt2}}};
  }
  if (one_of("llama-bpe", "llama3", "llama-v3", "dbrx", "smaug-bpe")) return regex_and_byte_level({llama3_pattern});
  if (one_of("qwen2", "stablelm2", "deepseek-r1-qwen")) return regex_and_byte_level({qwen2_pattern});
  if (one_of("bloom", "poro-chat", "gpt3-finnish")) return regex_and_byte_level({bloom_pattern});
  if (one_of("gpt-4o")) return regex_and_byte_level({gpt4o_pattern});
  if (one_of("tekken")) return regex_and_byte_level({tekken_pattern});
  if (one_of("default"))
    return regex_and_byte_level({"[\\p{P}\\$\\+<=>\\^~\\|]+",
                                 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)",
                                 "\\p{N}+", "[0-9][0-9][0-9]"});
  fail(where,
       ": expected a pre-tokenizer among gpt-2, starcoder, smollm, llama-bpe, qwen2, bloom, gpt-4o, tekken, default "
       "(and names of the same expressions), got ",
       name);
}

/// The tokens that are cut out of a text before the model sees it.
inline json::array added_tokens(const vocabulary_lists& v) {
  json::array added;
  for (std::size_t i = 0; i < v.types.size(); ++i) {
    const bool special = v.types[i] == token_type::control || v.types[i] == token_type::unknown;
    if (special || v.types[i] == token_type::user_defined)
      added.push_back(json::object{{"id", i}, {"content", v.tokens[i]}, {"special", special}, {"normalized", false}});
  }
  return added;
}

/// BOS and EOS around a text, if wanted.
inline json::object template_of(const vocabulary_lists& v) {
  json::array single;
  json::object ids;
  const auto insert = [&](bool wanted, const std::optional<std::int32_t>& id, const char* name) {
    if (!wanted) return;
    single.push_back(json::object{{"SpecialToken", json::object{{"id", name}}}});
    ids.push_back({name, json::object{{"ids", json::array{*id}}}});
  };
  insert(v.add_bos, v.bos, "bos");
  single.push_back(json::object{{"Sequence", json::object{{"id", "A"}}}});
  insert(v.add_eos, v.eos, "eos");
  return {{"type", "TemplateProcessing"}, {"single", std::move(single)}, {"special_tokens", std::move(ids)}};
}

/// The fields of the model that both kinds have.
inline json::object model_of(const vocabulary_lists& v, json::array merges) {
  json::object vocabulary;
  for (std::size_t i = 0; i < v.tokens.size(); ++i) vocabulary.push_back({v.tokens[i], i});
  json::object model{{"type", "BPE"}, {"vocab", std::move(vocabulary)}, {"merges", std::move(merges)}};
  if (v.unknown) model.push_back({"unk_token", v.tokens[static_cast<std::size_t>(*v.unknown)]});
  return model;
}

inline tokenizer_files files_of_lists(const vocabulary_lists& v, json::object model, json normalizer,
                                      json pre_tokenizer, const std::string& where) {
  const auto name = [&](const std::optional<std::int32_t>& id) {
    return id ? v.tokens[static_cast<std::size_t>(*id)] : std::string();
  };
  const json content = json::object{{"version", "1.0"},
                                    {"added_tokens", added_tokens(v)},
                                    {"normalizer", std::move(normalizer)},
                                    {"pre_tokenizer", std::move(pre_tokenizer)},
                                    {"post_processor", template_of(v)},
                                    {"model", std::move(model)}};
  return tokenizer_files_of(content, where, name(v.bos), name(v.eos));
}

} // namespace detail

/// Byte-level BPE, like that of GPT-2. Qwen2's family applies NFC first. Llama 3 and Tekken look up the whole piece
/// before they merge, because their merges do not reach every token.
inline tokenizer_files byte_level_files(const vocabulary_lists& v, const std::string& where) {
  detail::check_lists(v, where);
  for (std::size_t i = 0; i < v.merges.size(); ++i)
    if (const auto bad = invalid_utf8(v.merges[i]))
      fail(where, ": merges[", i, "]: expected UTF-8, got an invalid sequence at byte ", *bad);
  json pre_tokenizer = detail::named_pre_tokenizer(v.pre_tokenizer, where);
  json::object model = detail::model_of(v, json::array(v.merges.begin(), v.merges.end()));
  if (v.pre_tokenizer.starts_with("llama") || v.pre_tokenizer == "tekken") model.push_back({"ignore_merges", true});
  return detail::files_of_lists(v, std::move(model),
                                v.pre_tokenizer == "qwen2" ? json::object{{"type", "NFC"}} : json(),
                                std::move(pre_tokenizer), where);
}

/// SentencePiece-style BPE with byte fallback, like that of Llama 2: blanks become U+2581.
inline tokenizer_files sentencepiece_files(const vocabulary_lists& v, const std::string& where) {
  detail::check_lists(v, where);
  if (v.scores.size() != v.tokens.size())
    fail(where, ": scores: expected ", v.tokens.size(), " as many as tokens, got ", v.scores.size());
  for (std::size_t i = 0; i < v.scores.size(); ++i)
    if (!(v.scores[i] == v.scores[i])) fail(where, ": scores[", i, "]: expected a number, got NaN");
  json::object model = detail::model_of(v, detail::merges_of_scores(v.tokens, v.scores));
  model.push_back({"byte_fallback", true});
  model.push_back({"fuse_unk", true});
  const char* const blank = "\xe2\x96\x81";
  json::array steps;
  if (v.add_space_prefix) steps.push_back(json::object{{"type", "Prepend"}, {"prepend", blank}});
  steps.push_back(json::object{{"type", "Replace"}, {"pattern", json::object{{"String", " "}}}, {"content", blank}});
  return detail::files_of_lists(v, std::move(model),
                                json::object{{"type", "Sequence"}, {"normalizers", std::move(steps)}}, {}, where);
}

} // namespace llmap
