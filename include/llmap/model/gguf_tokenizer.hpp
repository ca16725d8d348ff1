// The tokenizer of a GGUF file, from the lists in its metadata:
//   tokenizer.ggml.model "gpt2"   byte-level BPE; tokenizer.ggml.pre names the rule that cuts the text
//   tokenizer.ggml.model "llama"  SentencePiece BPE; the merges follow from the scores of the pieces
#pragma once
#include "llmap/text/vocabulary_lists.hpp"
#include "llmap/weights/gguf/file.hpp"

namespace llmap::gguf {

/// As the files of a folder that hold the same.
inline tokenizer_files tokenizer_files_of(const file& f) {
  using strings = std::vector<std::string>;
  using numbers = std::vector<double>;
  const std::string tokens_key = "tokenizer.ggml.tokens", types_key = "tokenizer.ggml.token_type",
                    merges_key = "tokenizer.ggml.merges";
  const std::string model = f.text_of("tokenizer.ggml.model", "(none)");
  const bool sentencepiece = model == "llama";
  if (!sentencepiece && model != "gpt2") f.refuse("tokenizer.ggml.model", "expected gpt2 or llama, got ", model);

  vocabulary_lists lists;
  const auto* tokens = f.find<strings>(tokens_key, "an array of strings");
  if (!tokens || tokens->empty()) f.refuse(tokens_key, "missing or empty");
  lists.tokens = *tokens;
  if (const auto* types = f.find<numbers>(types_key, "an array of numbers"))
    for (const double type : *types) {
      if (!(type >= 1 && type <= 6) || type != static_cast<int>(type))
        f.refuse(types_key, "entry ", lists.types.size(), ": expected 1 to 6, got ", type);
      lists.types.push_back(static_cast<token_type>(type));
    }
  const auto id_of = [&](const char* key) -> std::optional<std::int32_t> {
    const auto id = f.integer(key, 0, static_cast<std::int64_t>(tokens->size()) - 1);
    return id ? std::optional(static_cast<std::int32_t>(*id)) : std::nullopt;
  };
  lists.bos = id_of("tokenizer.ggml.bos_token_id");
  lists.eos = id_of("tokenizer.ggml.eos_token_id");
  lists.unknown = id_of("tokenizer.ggml.unknown_token_id");
  lists.add_bos = f.boolean("tokenizer.ggml.add_bos_token", sentencepiece);
  lists.add_eos = f.boolean("tokenizer.ggml.add_eos_token", false);

  const std::string where = f.where() + ": tokenizer.ggml";
  if (sentencepiece) {
    if (const auto* scores = f.find<numbers>("tokenizer.ggml.scores", "an array of numbers"))
      for (const double score : *scores) lists.scores.push_back(static_cast<float>(score));
    const auto unknown = std::find(tokens->begin(), tokens->end(), "<unk>");
    if (!lists.unknown && unknown != tokens->end())
      lists.unknown = static_cast<std::int32_t>(unknown - tokens->begin());
    lists.add_space_prefix = f.boolean("tokenizer.ggml.add_space_prefix", true);
    return sentencepiece_files(lists, where);
  }
  const auto* merges = f.find<strings>(merges_key, "an array of strings");
  if (!merges) f.refuse(merges_key, "missing");
  lists.merges = *merges;
  lists.pre_tokenizer = f.text_of("tokenizer.ggml.pre", "default");
  return byte_level_files(lists, where);
}

} // namespace llmap::gguf
