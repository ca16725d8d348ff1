// The files of a tokenizer folder, and those of their bytes that decide ids. Small files are parsed when they are read,
// the one with the vocabulary on request.
#pragma once
#include "llmap/core/json_file.hpp"
#include "llmap/text/component.hpp"
#include "llmap/text/patterns.hpp"
#include "llmap/text/ranked_tokens.hpp"
#include "llmap/text/transformers_rules.hpp"
#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace llmap {

/// The files that hold a vocabulary.
enum class vocabulary_form { tokenizer_json, vocab_and_merges, tekken, sentencepiece, tiktoken, rwkv };

/// Their names; the first that a folder has is read. A file named as SentencePiece's may hold tiktoken's form.
inline constexpr std::pair<const char*, vocabulary_form> vocabulary_files[] = {
    {"tokenizer.json", vocabulary_form::tokenizer_json},
    {"vocab.json", vocabulary_form::vocab_and_merges},
    {"tekken.json", vocabulary_form::tekken},
    {"tokenizer.model", vocabulary_form::sentencepiece},
    {"sentencepiece.bpe.model", vocabulary_form::sentencepiece},
    {"rwkv_vocab.txt", vocabulary_form::rwkv},
    {"rwkv_vocab_v20230424.txt", vocabulary_form::rwkv}};

/// Whether a folder holds a tokenizer.
inline bool has_tokenizer(const std::filesystem::path& folder) {
  return std::any_of(std::begin(vocabulary_files), std::end(vocabulary_files), [&](const auto& file) {
    std::error_code ignored;
    return std::filesystem::exists(folder / file.first, ignored);
  });
}

/// What was read from a folder: the input of tokenizer::from_files.
struct tokenizer_files {
  std::filesystem::path folder;                           ///< of the model
  std::string where;                                      // path of the file that `tokenizer` holds
  vocabulary_form form = vocabulary_form::tokenizer_json; ///< what `tokenizer` holds
  std::string tokenizer, merges;                          // the file of the vocabulary, and merges.txt
  json config;           // tokenizer_config.json; this and the next three are null if there is no such file
  json model_config;     // config.json; only model_type is used
  json special_map;      // special_tokens_map.json
  json added;            // added_tokens.json
  std::string canonical; // equal for two tokenizers only if they give the same ids

  component config_component() const { return {config, path("tokenizer_config.json")}; }             ///< with its path
  component special_map_component() const { return {special_map, path("special_tokens_map.json")}; } ///< with its path
  component added_component() const { return {added, path("added_tokens.json")}; }                   ///< with its path
  /// The class of transformers that reads these files; an unknown one is refused.
  const tokenizer_class& kind() const {
    if (form == vocabulary_form::rwkv || form == vocabulary_form::tekken) return plain_tokenizer_class();
    return class_of(config_component(), {model_config, path("config.json")});
  }
  std::string path(const char* name) const { return (folder / name).string(); } ///< of a file in the folder
};

namespace detail {

/// Whether the path exists; a dangling link does, so that it is not silently left out.
inline bool is_there(const std::filesystem::path& path) {
  std::error_code problem;
  const auto status = std::filesystem::symlink_status(path, problem);
  if (status.type() == std::filesystem::file_type::not_found) return false;
  if (problem) fail(path.string(), ": cannot be read: ", problem.message());
  return true;
}

inline json parse_object(std::string_view text, const std::string& where, const json_rules& rules) {
  json value = parse_json(text, where, rules);
  if (!value.members()) component(value, where).refuse("an object");
  return value;
}

/// Null if there is no such file.
inline json read_object(const std::filesystem::path& path, std::string* text_out = nullptr) {
  if (!is_there(path)) return {};
  std::string text = read_file(path);
  json value = parse_object(text, path.string(), python_json);
  if (text_out) *text_out = std::move(text);
  return value;
}

/// Name, length, content: no two lists of parts give the same bytes.
inline void append_part(std::string& canonical, std::string_view name, std::string_view content) {
  canonical.append(name) += '\0';
  canonical.append(std::to_string(content.size())) += '\0';
  canonical += content;
}

/// The fields of tokenizer_config.json that can change ids; chat templates and the like do not.
inline std::string deciding_fields(const json& config) {
  json::object kept;
  for (const char* key :
       {"tokenizer_class", "add_bos_token", "add_eos_token", "add_prefix_space", "bos_token", "eos_token", "unk_token",
        "pad_token", "cls_token", "sep_token", "mask_token", "additional_special_tokens", "added_tokens_decoder",
        "split_special_tokens", "legacy", "do_lower_case", "strip_accents", "tokenize_chinese_chars"})
    if (const json* value = config.find(key)) kept.push_back({key, *value});
  return canonical_text(std::move(kept));
}

/// Splits at one expression after the other, then writes the bytes as characters.
inline json regex_and_byte_level(std::initializer_list<std::string_view> patterns) {
  json::array steps;
  for (const std::string_view pattern : patterns)
    steps.push_back(
        json::object{{"type", "Split"}, {"pattern", json::object{{"Regex", pattern}}}, {"behavior", "Isolated"}});
  steps.push_back(json::object{{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}});
  return json::object{{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
}

/// vocab.json and merges.txt as the tokenizer.json that the folder's class would make of them.
inline json from_vocabulary_files(const tokenizer_files& files) {
  json::array merges;
  if (const auto bad = invalid_utf8(files.merges))
    fail(files.path("merges.txt"), ": expected UTF-8, got an invalid sequence at byte ", *bad);
  std::string_view rest = files.merges;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty() && !line.starts_with("#version")) merges.push_back(line);
  }
  json::object model{{"type", "BPE"},
                     {"vocab", parse_object(files.tokenizer, files.where, python_json)},
                     {"merges", std::move(merges)}};
  const std::string_view kind = files.kind().name;
  if (kind == "GPT2" || kind == "CodeGen")
    return json::object{{"model", std::move(model)},
                        {"pre_tokenizer", json::object{{"type", "ByteLevel"}, {"add_prefix_space", false}}}};
  if (kind == "Qwen2")
    return json::object{{"model", std::move(model)},
                        {"normalizer", json::object{{"type", "NFC"}}},
                        {"pre_tokenizer", regex_and_byte_level({qwen2_pattern})}};
  fail(files.where, ": expected a tokenizer of class GPT2, CodeGen or Qwen2 if there is no tokenizer.json, got ", kind);
}

/// The rest of a tokenizer.json for a vocabulary of tiktoken, as transformers converts one: Llama 3's expression. Such
/// a vocabulary does not say which tokens are special, so the config must.
inline json beside_tiktoken(const tokenizer_files& files) {
  if (files.config.is_null() || files.config_component().absent("added_tokens_decoder"))
    fail(files.where, ": expected added_tokens_decoder in a tokenizer_config.json beside it, which names the special ",
         "tokens of a tiktoken vocabulary, got none");
  return json::object{{"pre_tokenizer", regex_and_byte_level({llama3_pattern})}};
}

} // namespace detail

/// The same for the content of a tokenizer.json alone: its own template, no class rules. `bos` and `eos` name tokens of
/// the file, empty for none.
inline tokenizer_files tokenizer_files_of(const json& content, const std::string& where, const std::string& bos = "",
                                          const std::string& eos = "") {
  tokenizer_files files;
  files.where = where;
  files.tokenizer = canonical_text(content);
  json::object config{{"tokenizer_class", "PreTrainedTokenizerFast"}};
  if (!bos.empty()) config.push_back({"bos_token", bos});
  if (!eos.empty()) config.push_back({"eos_token", eos});
  files.config = std::move(config);
  files.canonical = files.tokenizer + canonical_text(files.config);
  return files;
}

/// Reads what a model folder says about its tokenizer.
inline tokenizer_files read_tokenizer_files(const std::filesystem::path& folder) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) fail(folder.string(), ": expected a model folder");
  tokenizer_files files;
  files.folder = folder;
  std::string special_map_text, added_text;
  files.config = detail::read_object(folder / "tokenizer_config.json");
  files.model_config = detail::read_object(folder / "config.json");
  files.special_map = detail::read_object(folder / "special_tokens_map.json", &special_map_text);
  files.added = detail::read_object(folder / "added_tokens.json", &added_text);
  const char* name = nullptr;
  // transformers does not read the tokenizer.json of this class if its config has the field, and there is the model.
  const bool rebuilt = !files.config_component().absent("add_prefix_space") && files.kind().name == "Llama" &&
                       detail::is_there(folder / "tokenizer.model");
  for (const auto& [file, form] : vocabulary_files) {
    if (!detail::is_there(folder / file) || (rebuilt && form != vocabulary_form::sentencepiece)) continue;
    if (form == vocabulary_form::vocab_and_merges && !detail::is_there(folder / "merges.txt")) continue;
    name = file;
    files.form = form;
    break;
  }
  if (!name)
    fail(folder.string(),
         ": expected tokenizer.json, or vocab.json and merges.txt, tekken.json, tokenizer.model or rwkv_vocab.txt, ",
         "got none of them");
  files.where = files.path(name);
  files.tokenizer = read_file(folder / name, large_file_bytes);
  if (files.form == vocabulary_form::sentencepiece && is_tiktoken(files.tokenizer))
    files.form = vocabulary_form::tiktoken;
  if (files.form == vocabulary_form::vocab_and_merges)
    files.merges = read_file(folder / "merges.txt", large_file_bytes);

  detail::append_part(files.canonical, "class", files.kind().name);
  detail::append_part(files.canonical, "tokenizer_config.json", detail::deciding_fields(files.config));
  detail::append_part(files.canonical, "special_tokens_map.json", special_map_text);
  detail::append_part(files.canonical, "added_tokens.json", added_text);
  if (files.form == vocabulary_form::vocab_and_merges) detail::append_part(files.canonical, "merges.txt", files.merges);
  detail::append_part(files.canonical, name, files.tokenizer);
  return files;
}

} // namespace llmap
