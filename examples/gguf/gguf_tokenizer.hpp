// The tokenizer of a GGUF file: its metadata written as the tokenizer.json it was made from, for llmap::tokenizer.
//   tokenizer.ggml.model "gpt2"   byte-level BPE; tokenizer.ggml.pre names the rule that cuts the text
//   tokenizer.ggml.model "llama"  SentencePiece BPE; the merges are reconstructed from the scores of the pieces
// token_type: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte. Control and user-defined tokens are
// found in the text before anything else. Other models and rules are refused by name.
#pragma once
#include "gguf_file.hpp"
#include "llmap/text/tokenizer.hpp"
#include <unordered_map>

namespace gguf {

namespace detail {

using nlohmann::json;

inline json isolated(const char* pattern) {
  return {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}};
}

/// How text is cut and which flags the model gets, by the name in tokenizer.ggml.pre.
inline void byte_level_rules(const file& f, json& out) {
  const std::string pre = f.text_of("tokenizer.ggml.pre", "default");
  const json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  const json gpt2 = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}};
  json steps;
  if (pre == "gpt-2") steps = {gpt2};
  else if (pre == "smollm" || pre == "starcoder" || pre == "refact" || pre == "command-r")
    steps = {{{"type", "Digits"}, {"individual_digits", true}}, gpt2};
  else if (pre == "llama-bpe" || pre == "llama3" || pre == "llama-v3") {
    steps = {isolated("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
                      "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"), bytes};
    out["model"]["ignore_merges"] = true;
  } else if (pre == "qwen2") {
    out["normalizer"] = {{"type", "NFC"}};
    steps = {isolated("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
                      "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"), bytes};
  } else if (pre == "default") {
    steps = {isolated("[\\p{P}\\$\\+<=>\\^~\\|]+"),
             isolated("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)"),
             isolated("\\p{N}+"), isolated("[0-9][0-9][0-9]"), bytes};
  } else f.refuse("tokenizer.ggml.pre", "expected smollm, gpt-2, llama-bpe, qwen2 or default, got ", pre);
  out["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
}

/// Every way to make a piece out of two others is a merge. Better scores come first, then the longer left half, the
/// longer right half, the smaller ids: the order that transformers gives them.
inline json merges_of_scores(const std::vector<std::string>& tokens, const std::vector<double>& scores) {
  std::unordered_map<std::string_view, std::size_t> id_of;
  for (std::size_t i = 0; i < tokens.size(); ++i) id_of.emplace(tokens[i], i);
  const auto characters = [](std::string_view s) {
    return std::count_if(s.begin(), s.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
  };
  struct merge { double score; std::ptrdiff_t left_length, right_length; std::size_t left, right; };
  std::vector<merge> merges;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const std::size_t first = merges.size();
    const std::string_view piece = tokens[i];
    for (std::size_t cut = 1; cut < piece.size(); ++cut) {
      const auto left = id_of.find(piece.substr(0, cut)), right = id_of.find(piece.substr(cut));
      if (left == id_of.end() || right == id_of.end()) continue;
      merges.push_back({scores[i], characters(left->first), characters(right->first), left->second, right->second});
    }
    std::sort(merges.begin() + static_cast<std::ptrdiff_t>(first), merges.end(), [](const merge& a, const merge& b) {
      return std::pair(a.left, a.right) < std::pair(b.left, b.right);
    });
  }
  std::stable_sort(merges.begin(), merges.end(), [](const merge& a, const merge& b) {
    return std::tuple(a.score, a.left_length, a.right_length) > std::tuple(b.score, b.left_length, b.right_length);
  });
  json out = json::array();
  for (const merge& m : merges) out.push_back({tokens[m.left], tokens[m.right]});
  return out;
}

} // namespace detail

inline llmap::tokenizer tokenizer_of(const file& f) {
  using nlohmann::json;
  using strings = std::vector<std::string>;
  using numbers = std::vector<double>;
  // 1. Vocabulary
  const std::string tokens_key = "tokenizer.ggml.tokens", model = f.text_of("tokenizer.ggml.model", "(none)");
  const auto* tokens = f.find<strings>(tokens_key, "an array of strings");
  if (!tokens || tokens->empty()) f.refuse(tokens_key, "missing or empty");
  json out = {{"model", {{"type", "BPE"}, {"vocab", json::object()}}}, {"added_tokens", json::array()}};
  json& vocab = out["model"]["vocab"];
  for (std::size_t i = 0; i < tokens->size(); ++i) {
    const std::string& t = (*tokens)[i];
    if (llmap::invalid_utf8(t)) f.refuse(tokens_key, "entry ", i, ": invalid UTF-8");
    if (!vocab.emplace(t, i).second) f.refuse(tokens_key, "entry ", i, ": appears twice");
  }
  const auto of_tokens = [&](const char* key) {
    const auto* list = f.find<numbers>(key, "an array of numbers");
    if (list && list->size() != tokens->size()) f.refuse(key, "expected ", tokens->size(), " entries, got ", list->size());
    return list;
  };
  // 2. Added tokens
  const numbers* types = of_tokens("tokenizer.ggml.token_type");
  for (std::size_t i = 0; types && i < types->size(); ++i) {
    const double type = (*types)[i];
    if (type == 3 || type == 4 || (type == 2 && model == "llama"))
      out["added_tokens"].push_back({{"id", i}, {"content", (*tokens)[i]}, {"special", type != 4}, {"normalized", false}});
  }
  // 3. Model and rules
  bool adds_bos = false;
  if (model == "gpt2") {
    const auto* merges = f.find<strings>("tokenizer.ggml.merges", "an array of strings");
    if (!merges) f.refuse("tokenizer.ggml.merges", "missing");
    for (std::size_t i = 0; i < merges->size(); ++i)
      if (llmap::invalid_utf8((*merges)[i])) f.refuse("tokenizer.ggml.merges", "entry ", i, ": invalid UTF-8");
    out["model"]["merges"] = *merges;
    detail::byte_level_rules(f, out);
  } else if (model == "llama") {
    const numbers* scores = of_tokens("tokenizer.ggml.scores");
    if (!scores) f.refuse("tokenizer.ggml.scores", "missing");
    adds_bos = true;
    out["model"]["merges"] = detail::merges_of_scores(*tokens, *scores);
    out["model"]["byte_fallback"] = out["model"]["fuse_unk"] = true;
    if (vocab.contains("<unk>")) out["model"]["unk_token"] = "<unk>";
    json steps = json::array({{{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\u2581"}}});
    if (f.flag("tokenizer.ggml.add_space_prefix", true)) steps.insert(steps.begin(), {{"type", "Prepend"}, {"prepend", "\u2581"}});
    out["normalizer"] = {{"type", "Sequence"}, {"normalizers", std::move(steps)}};
  } else f.refuse("tokenizer.ggml.model", "expected gpt2 or llama, got ", model);
  // 4. BOS, only where the file asks for it
  const auto named = [&](const char* key) {
    const auto id = f.integer(key, 0, static_cast<std::int64_t>(tokens->size()) - 1);
    return id ? (*tokens)[static_cast<std::size_t>(*id)] : std::string();
  };
  const std::string bos = named("tokenizer.ggml.bos_token_id"), eos = named("tokenizer.ggml.eos_token_id");
  if (f.flag("tokenizer.ggml.add_eos_token", false)) f.refuse("tokenizer.ggml.add_eos_token", "expected false");
  if (f.flag("tokenizer.ggml.add_bos_token", adds_bos)) {
    if (bos.empty()) f.refuse("tokenizer.ggml.bos_token_id", "missing, but a BOS token is asked for");
    out["post_processor"] = {{"type", "TemplateProcessing"},
                             {"single", {{{"SpecialToken", {{"id", bos}}}}, {{"Sequence", {{"id", "A"}}}}}},
                             {"special_tokens", {{bos, {{"ids", {vocab[bos]}}}}}}};
  }
  return llmap::tokenizer::from_json(out, f.where() + ": tokenizer.ggml", bos, eos);
}

} // namespace gguf
