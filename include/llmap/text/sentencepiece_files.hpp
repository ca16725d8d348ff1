// A folder with a SentencePiece model and no tokenizer.json, as the tokenizer.json that transformers 4.57 makes of it
// for the class of the folder (convert_slow_tokenizer.py).
#pragma once
#include "llmap/core/base64.hpp"
#include "llmap/text/score_merges.hpp"
#include "llmap/text/sentencepiece_model.hpp"
#include "llmap/text/tokenizer_files.hpp"
#include <limits>

namespace llmap::detail {

inline json from_sentencepiece(const tokenizer_files& files) {
  sentencepiece_model m(files.tokenizer, files.where);
  const component config = files.config_component();
  const std::string_view kind = files.kind().name;
  const std::string blank = "\u2581"; // what stands for a space
  const auto replace = [&](json pattern, const std::string& to) {
    return json::object{{"type", "Replace"}, {"pattern", std::move(pattern)}, {"content", to}};
  };
  const auto metaspace = [&](const char* scheme, bool split) {
    return json::object{{"type", "Metaspace"}, {"replacement", blank}, {"prepend_scheme", scheme}, {"split", split}};
  };
  const auto sequence = [](const char* name, json::array steps) {
    return json::object{{"type", "Sequence"}, {name, std::move(steps)}};
  };
  json normalizer, pre_tokenizer, post_processor;
  std::int64_t unknown = 0;
  const std::size_t V = m.pieces.size();
  const auto names = [&](std::initializer_list<const char*> first) {
    for (std::size_t i = 0; i < first.size() && i < V; ++i) m.pieces[i] = first.begin()[i], m.scores[i] = 0;
  };
  bool byte_fallback = true;
  if (kind == "Llama") {
    names({"<unk>", "<s>", "</s>"});
    const bool legacy = config.boolean("legacy", true), prefix = config.boolean("add_prefix_space", true);
    if (legacy) {
      json::array steps;
      if (prefix) steps.push_back(json::object{{"type", "Prepend"}, {"prepend", blank}});
      steps.push_back(replace(json::object{{"String", " "}}, blank));
      normalizer = sequence("normalizers", std::move(steps));
    } else {
      pre_tokenizer = metaspace(prefix ? "first" : "never", false);
    }
  } else if (kind == "Gemma") {
    names({"<pad>", "<eos>", "<bos>"});
    if (std::find(m.pieces.begin(), m.pieces.end(), "\t") == m.pieces.end())
      for (std::string& piece : m.pieces)
        if (piece == "<0x09>") piece = "\t";
    normalizer = replace(json::object{{"String", " "}}, blank);
  } else if (kind == "XGLM") {
    names({"<s>", "<pad>", "</s>", "<unk>"});
    // One more name than pieces: the pieces from the fourth on move up by one.
    const sentencepiece_model file(files.tokenizer, files.where);
    m.pieces.resize(std::min<std::size_t>(4, V)), m.scores.resize(m.pieces.size()), m.types.resize(m.pieces.size());
    for (std::size_t i = 3; i < V; ++i)
      m.pieces.push_back(file.pieces[i]), m.scores.push_back(file.scores[i]), m.types.push_back(file.types[i]);
    for (int i = 0; i < 7; ++i)
      m.pieces.push_back("<madeupword" + std::to_string(i) + ">"), m.scores.push_back(0),
          m.types.push_back(sentencepiece_model::type::normal);
    unknown = 3;
    byte_fallback = false;
    json::array steps;
    if (!m.charsmap.empty())
      steps.push_back(json::object{{"type", "Precompiled"}, {"precompiled_charsmap", to_base64(m.charsmap)}});
    steps.push_back(json::object{{"type", "Strip"}, {"strip_left", false}, {"strip_right", true}});
    steps.push_back(replace(json::object{{"Regex", " {2,}"}}, blank));
    normalizer = sequence("normalizers", std::move(steps));
    pre_tokenizer = metaspace("always", true);
    post_processor = json::object{{"type", "TemplateProcessing"},
                                  {"single", json::array{json::object{{"SpecialToken", json::object{{"id", "</s>"}}}},
                                                         json::object{{"Sequence", json::object{{"id", "A"}}}}}},
                                  {"special_tokens", json::object{{"</s>", json::object{{"ids", json::array{2}}}}}}};
  } else {
    fail(files.where, ": expected a tokenizer of class Llama, Gemma or XGLM if there is no tokenizer.json, got ", kind);
  }

  json::object model;
  if (m.model == sentencepiece_model::kind::bpe) {
    json::object vocabulary;
    for (std::size_t i = 0; i < m.pieces.size(); ++i) vocabulary.push_back({m.pieces[i], i});
    model = {{"type", "BPE"},
             {"vocab", std::move(vocabulary)},
             {"merges", merges_of_scores(m.pieces, m.scores)},
             {"unk_token", kind == "Gemma" ? "<unk>" : m.pieces[static_cast<std::size_t>(unknown)]},
             {"fuse_unk", true},
             {"byte_fallback", byte_fallback}};
  } else {
    json::array vocabulary;
    for (std::size_t i = 0; i < m.pieces.size(); ++i)
      vocabulary.push_back(json::array{m.pieces[i], static_cast<double>(m.scores[i])});
    model = {
        {"type", "Unigram"}, {"vocab", std::move(vocabulary)}, {"unk_id", unknown}, {"byte_fallback", byte_fallback}};
  }
  json::array added;
  for (std::size_t i = 0; i < m.pieces.size(); ++i)
    if (const bool control = m.types[i] == sentencepiece_model::type::control;
        control || m.types[i] == sentencepiece_model::type::user_defined)
      added.push_back(json::object{{"id", i}, {"content", m.pieces[i]}, {"special", control}, {"normalized", false}});
  json::object file{{"added_tokens", std::move(added)}, {"model", std::move(model)}};
  if (!normalizer.is_null()) file.push_back({"normalizer", std::move(normalizer)});
  if (!pre_tokenizer.is_null()) file.push_back({"pre_tokenizer", std::move(pre_tokenizer)});
  if (!post_processor.is_null()) file.push_back({"post_processor", std::move(post_processor)});
  return file;
}

} // namespace llmap::detail
