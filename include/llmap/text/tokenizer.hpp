// The tokenizer: text -> ids, as AutoTokenizer of transformers gives them. Read this file first.
//
// encode:  1. added tokens with normalized = false are cut out of the raw text
//          2. each stretch between them is normalised; added tokens with normalized = true are cut out of that
//          3. the rest is pre-tokenized, and the model (BPE) turns each piece into ids
//          4. the special ids of the template go around the whole, if asked for
// A tokenizer is immutable after loading; encode may be called from any number of threads.
#pragma once
#include "llmap/text/added_tokens.hpp"
#include "llmap/text/bpe.hpp"
#include "llmap/text/normalizer.hpp"
#include "llmap/text/post_processor.hpp"
#include "llmap/text/pre_tokenizer.hpp"
#include "llmap/text/transformers_rules.hpp"
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace llmap {

class tokenizer {
public:
  /// Loads a model folder: tokenizer.json, or vocab.json with merges.txt; with tokenizer_config.json,
  /// special_tokens_map.json, added_tokens.json and config.json where they are there.
  static tokenizer load(const std::filesystem::path& folder) {
    tokenizer_files files;
    files.folder = folder;
    if (!std::filesystem::is_directory(folder)) fail(folder.string(), ": expected a model directory");
    files.config = read_optional(folder / "tokenizer_config.json", files.canonical);
    files.model_config = read_optional(folder / "config.json", files.ignored);
    files.special_map = read_optional(folder / "special_tokens_map.json", files.canonical);
    files.added = read_optional(folder / "added_tokens.json", files.canonical);
    nlohmann::json json = read_optional(folder / "tokenizer.json", files.canonical);
    const bool from_json = !json.is_null();
    if (!from_json) json = from_vocabulary_files(files);
    return tokenizer(json, (folder / (from_json ? "tokenizer.json" : "vocab.json")).string(), files, from_json);
  }

  /// From the content of a tokenizer.json alone: its own template, no class rules. For loaders of other formats;
  /// `bos` and `eos` name special tokens, empty for none.
  static tokenizer from_json(const nlohmann::json& json, const std::string& where, const std::string& bos = "", const std::string& eos = "") {
    tokenizer_files files;
    files.config = nlohmann::json::object();
    files.config["tokenizer_class"] = "PreTrainedTokenizerFast";
    if (!bos.empty()) files.config["bos_token"] = bos;
    if (!eos.empty()) files.config["eos_token"] = eos;
    files.canonical = json.dump() + files.config.dump();
    return tokenizer(json, where, files, true);
  }

  /// Ids of a text. Invalid UTF-8 is an llmap::error.
  std::vector<std::int32_t> encode(std::string_view text, bool add_special = true) const {
    if (const auto bad = invalid_utf8(text)) fail("tokenizer: invalid UTF-8 at byte ", *bad);
    std::vector<std::int32_t> ids;
    if (add_special) ids = special_.prefix;
    for (const text_segment& raw : raw_matcher_(text)) {
      if (raw.id) {
        ids.push_back(*raw.id);
        continue;
      }
      const std::string normal = normalizer_(text.substr(raw.begin, raw.end - raw.begin));
      for (const text_segment& segment : normal_matcher_(normal)) {
        if (segment.id) {
          ids.push_back(*segment.id);
          continue;
        }
        const bool at_start = raw.begin == 0 && segment.begin == 0;
        for (const text_piece& piece : pre_tokenizer_({normal.substr(segment.begin, segment.end - segment.begin), at_start}))
          model_->encode(piece.text, ids);
      }
    }
    if (add_special) ids.insert(ids.end(), special_.suffix.begin(), special_.suffix.end());
    return ids;
  }

  /// One more than the largest id that encode can give.
  std::int32_t vocab_size() const { return largest_id_ + 1; }
  std::optional<std::int32_t> bos_id() const { return bos_; }
  std::optional<std::int32_t> eos_id() const { return eos_; }
  /// What add_special puts around a text.
  const special_ids& special() const { return special_; }
  bool adds_bos() const { return bos_ && !special_.prefix.empty() && special_.prefix.front() == *bos_; }
  /// The bytes of all files that decide the ids: what a fingerprint has to cover.
  const std::string& canonical() const { return canonical_; }

private:
  struct tokenizer_files {
    std::filesystem::path folder;
    nlohmann::json config, model_config, special_map, added;
    std::string canonical, ignored;
    std::string path(const char* name) const { return (folder / name).string(); }
  };
  normalizer normalizer_;
  pre_tokenizer pre_tokenizer_;
  std::shared_ptr<const bpe> model_;
  added_token_matcher raw_matcher_, normal_matcher_;
  special_ids special_;
  std::optional<std::int32_t> bos_, eos_;
  std::int32_t largest_id_ = -1;
  std::string canonical_;

  static std::string read_all(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    if (!in || !std::filesystem::is_regular_file(path) || !(out << in.rdbuf())) {
      if (in && std::filesystem::is_regular_file(path) && std::filesystem::file_size(path) == 0) return "";
      fail(path.string(), ": cannot read: ", std::strerror(errno));
    }
    return out.str();
  }
  static nlohmann::json parse(const std::string& text, const std::string& where) {
    try {
      return nlohmann::json::parse(text);
    } catch (const nlohmann::json::exception& problem) {
      fail(where, ": not valid JSON: ", problem.what());
    }
  }
  static nlohmann::json read_optional(const std::filesystem::path& path, std::string& canonical) {
    if (!std::filesystem::exists(path)) return nullptr;
    const std::string text = read_all(path);
    canonical += path.filename().string() + '\0' + std::to_string(text.size()) + '\0' + text;
    nlohmann::json json = parse(text, path.string());
    if (!json.is_object()) fail(path.string(), ": expected a JSON object");
    return json;
  }

  /// vocab.json and merges.txt as the tokenizer.json that the folder's class would make of them.
  static nlohmann::json from_vocabulary_files(tokenizer_files& files) {
    if (!std::filesystem::exists(files.folder / "vocab.json") || !std::filesystem::exists(files.folder / "merges.txt"))
      fail(files.folder.string(), ": expected tokenizer.json, or vocab.json with merges.txt");
    const tokenizer_class& kind = class_of({files.config, files.path("tokenizer_config.json")}, {files.model_config, files.path("config.json")});
    nlohmann::json json;
    json["model"]["type"] = "BPE";
    json["model"]["vocab"] = read_optional(files.folder / "vocab.json", files.canonical);
    const std::string merges = read_all(files.folder / "merges.txt");
    files.canonical += merges;
    json["model"]["merges"] = nlohmann::json::array();
    std::istringstream lines(merges);
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (line.empty() || line.starts_with("#version")) continue;
      json["model"]["merges"].push_back(line);
    }
    const nlohmann::json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}};
    if (kind.name == "GPT2") {
      json["pre_tokenizer"] = bytes;
    } else if (kind.name == "Qwen2") {
      json["normalizer"] = {{"type", "NFC"}};
      nlohmann::json plain = bytes;
      plain["use_regex"] = false;
      json["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {{{"type", "Split"}, {"pattern", {{"Regex",
          "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}}},
          {"behavior", "Isolated"}}, plain}}};
    } else {
      fail(files.path("vocab.json"), ": expected a tokenizer of class GPT2 or Qwen2 where there is no tokenizer.json, got ", kind.name);
    }
    return json;
  }

  tokenizer(const nlohmann::json& json, const std::string& where, const tokenizer_files& files, bool own_file) {
    const component file(json, where), config(files.config, files.path("tokenizer_config.json"));
    const component model = file.at("model");
    if (!model.absent("type") && model.type() != "BPE") model.unknown("BPE");
    if (!file.absent("version") && file.at("version").json() != "1.0") file.at("version").wrong("\"1.0\"");
    model_ = std::make_shared<bpe>(model);
    if (!file.absent("normalizer")) normalizer_ = normalizer(file.at("normalizer"));
    if (!file.absent("pre_tokenizer")) pre_tokenizer_ = pre_tokenizer(file.at("pre_tokenizer"));
    if (!file.absent("post_processor")) special_ = read_post_processor(file.at("post_processor"));
    canonical_ = files.canonical;

    const tokenizer_class& kind = class_of(config, {files.model_config, files.path("config.json")});
    if (kind.name == "Llama" && !config.absent("add_prefix_space") && own_file)
      fail(config.where(), ": add_prefix_space: this class then rebuilds itself from tokenizer.model, which is not covered");
    pre_tokenizer_.force_prefix_space(config.flag("add_prefix_space", false));

    std::vector<added_token> tokens = file_tokens(file);
    apply_config_tokens(tokens, config, files, kind);
    build_matchers(tokens, config.flag("split_special_tokens", false));
    largest_id_ = model_->largest_id();
    for (const added_token& t : tokens) largest_id_ = std::max(largest_id_, t.id);

    bos_ = named_id("bos_token", kind.bos, config, tokens);
    eos_ = named_id("eos_token", kind.eos, config, tokens);
    // The class decides about BOS and EOS, or, for vocabulary files, the config of the GPT2 class does.
    const bool decides = kind.own_template || (!own_file && kind.name == "GPT2" && config.flag("add_bos_token", false));
    if (decides) {
      special_ = {};
      const auto add = [&](const char* flag, bool otherwise, const std::optional<std::int32_t>& id, std::vector<std::int32_t>& to) {
        if (!config.flag(flag, otherwise)) return;
        if (!id) fail(config.where(), ": ", flag, " is true, but there is no such token");
        to.push_back(*id);
      };
      add("add_bos_token", kind.add_bos, bos_, special_.prefix);
      add("add_eos_token", kind.add_eos, eos_, special_.suffix);
    }
  }

  static added_token token_of(const component& c, std::string content) {
    added_token t;
    t.content = std::move(content);
    t.special = c.flag("special", false);
    t.single_word = c.flag("single_word", false);
    t.lstrip = c.flag("lstrip", false);
    t.rstrip = c.flag("rstrip", false);
    t.normalized = c.flag("normalized", !t.special);
    return t;
  }

  /// Adds or updates a token by content; its id is the vocabulary's, or the next free one.
  void add_token(std::vector<added_token>& tokens, added_token t) const {
    if (t.content.empty()) return;
    for (added_token& present : tokens)
      if (present.content == t.content) {
        t.id = present.id;
        t.special = t.special || present.special;
        present = std::move(t);
        return;
      }
    if (const auto id = model_->id_of(t.content)) t.id = *id;
    else {
      auto next = static_cast<std::int32_t>(model_->size());
      for (const added_token& present : tokens) next = std::max(next, present.id + 1);
      t.id = next;
    }
    tokens.push_back(std::move(t));
  }

  std::vector<added_token> file_tokens(const component& file) const {
    std::vector<added_token> tokens;
    if (file.absent("added_tokens")) return tokens;
    const component list = file.at("added_tokens");
    for (std::size_t i = 0; i < list.size(); ++i) add_token(tokens, token_of(list.at(i), list.at(i).at("content").text()));
    return tokens;
  }

  /// added_tokens_decoder, else special_tokens_map.json and added_tokens.json; then the named special tokens.
  void apply_config_tokens(std::vector<added_token>& tokens, const component& config, const tokenizer_files& files,
                           const tokenizer_class& kind) const {
    const component map(files.special_map, files.path("special_tokens_map.json"));
    if (!config.absent("added_tokens_decoder")) {
      const component decoder = config.at("added_tokens_decoder");
      std::map<std::int64_t, added_token> by_id;
      for (const auto& [id, value] : decoder.json().items()) {
        const component entry(value, decoder.where() + "." + id);
        if (id.empty() || id.size() > 9 || id.find_first_not_of("0123456789") != std::string::npos) decoder.wrong("token ids as keys");
        by_id[std::stoll(id)] = token_of(entry, entry.at("content").text());
      }
      for (auto& [id, token] : by_id) add_token(tokens, token);
    } else if (!files.added.is_null()) {
      std::map<std::int64_t, std::string> by_id;
      const component added(files.added, files.path("added_tokens.json"));
      for (const auto& [content, id] : files.added.items()) by_id[component(id, added.where() + "." + content).id()] = content;
      for (const auto& [id, content] : by_id) {
        bool special = false;
        if (files.special_map.is_object())
          for (const auto& item : files.special_map.items())
            special = special || item.value() == content || (item.value().is_object() && item.value().value("content", "") == content);
        added_token t;
        t.content = content;
        t.special = special;
        t.normalized = !special;
        add_token(tokens, t);
      }
    }
    const auto add_named = [&](const component& value) {
      const bool object = value.json().is_object();
      const std::string content = object ? value.at("content").text() : value.text();
      for (const added_token& t : tokens)
        if (t.content == content) return;
      added_token t;
      if (object) t = token_of(value, content);
      else t.normalized = false;
      t.content = content;
      t.special = true;
      add_token(tokens, t);
    };
    for (const auto& [key, otherwise] : {std::pair{"bos_token", kind.bos}, {"eos_token", kind.eos}, {"unk_token", kind.unk}, {"pad_token", kind.pad}}) {
      const component& source = !config.absent(key) ? config : map;
      if (!source.absent(key)) add_named(source.at(key));
      else if (!otherwise.empty() && !(files.config.is_object() && files.config.contains(key)))
        add_named({nlohmann::json(std::string(otherwise)), key});
    }
    for (const component* source : {&config, &map})
      if (!source->absent("additional_special_tokens")) {
        const component list = source->at("additional_special_tokens");
        for (std::size_t i = 0; i < list.size(); ++i) add_named(list.at(i));
        break;
      }
  }

  void build_matchers(const std::vector<added_token>& tokens, bool split_special) {
    for (const added_token& t : tokens) {
      if (split_special && t.special) continue;
      if (t.normalized) normal_matcher_.add(normalizer_(t.content), t);
      else raw_matcher_.add(t.content, t);
    }
  }

  std::optional<std::int32_t> named_id(const char* key, std::string_view otherwise, const component& config,
                                       const std::vector<added_token>& tokens) const {
    std::string name(otherwise);
    if (!config.absent(key)) {
      const component value = config.at(key);
      name = value.json().is_object() ? value.at("content").text() : value.text();
    } else if (config.json().is_object() && config.json().contains(key)) {
      return std::nullopt; // null: explicitly none
    }
    if (name.empty()) return std::nullopt;
    for (const added_token& t : tokens)
      if (t.content == name) return t.id;
    return model_->id_of(name);
  }
};

} // namespace llmap
