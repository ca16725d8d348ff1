// Which added tokens a tokenizer ends up with: those of tokenizer.json, then what tokenizer_config.json and its older
// companions say, then the named special tokens (bos, eos, unk, sep, pad, cls, mask). The order decides ids, as in
// transformers 4.57.
#pragma once
#include "llmap/text/added_tokens.hpp"
#include "llmap/text/token_model.hpp"
#include "llmap/text/tokenizer_files.hpp"
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace llmap {

/// Reads the files once; `files` and `model` must outlive it.
class special_tokens {
public:
  /// Joins what tokenizer.json, the config and older files say.
  special_tokens(const tokenizer_files& files, const component& tokenizer_json, const token_model& model)
      : files_(files), model_(model), kind_(files.kind()) {
    read_file(tokenizer_json);
    const component config = files.config_component();
    if (!config.absent("added_tokens_decoder")) read_decoder(config.at("added_tokens_decoder"));
    else if (!files.added.is_null()) read_old_files();
    for (const auto& [key, otherwise] : {std::pair{"bos_token", kind_.bos},
                                         {"eos_token", kind_.eos},
                                         {"unk_token", kind_.unk},
                                         {"sep_token", kind_.sep},
                                         {"pad_token", kind_.pad},
                                         {"cls_token", kind_.cls},
                                         {"mask_token", kind_.mask}})
      read_named(key, otherwise);
    read_additional();
  }

  const added_token_list& tokens() const { return tokens_; } ///< all of them

  /// The id of bos_token or eos_token; none if the files say null, or name nothing and the class has no default.
  std::optional<std::int32_t> named_id(const char* key, std::string_view otherwise) const {
    const component config = files_.config_component();
    std::string name(otherwise);
    if (!config.absent(key)) name = content_of(config.at(key));
    else if (is_null(key)) return std::nullopt;
    if (name.empty()) return std::nullopt;
    if (const added_token* token = tokens_.find(name)) return token->id;
    return model_.id_of(name);
  }

private:
  const tokenizer_files& files_;
  const token_model& model_;
  const tokenizer_class& kind_;
  added_token_list tokens_;

  void add(added_token token) {
    const auto id = model_.id_of(token.content);
    tokens_.add(std::move(token), id, model_.size());
  }
  static added_token token_of(const component& c) {
    added_token t;
    t.content = c.at("content").text();
    t.special = c.boolean("special", false);
    t.single_word = c.boolean("single_word", false);
    t.lstrip = c.boolean("lstrip", false);
    t.rstrip = c.boolean("rstrip", false);
    t.normalized = c.boolean("normalized", !t.special);
    return t;
  }
  /// A special token is written as its content, or as an object with flags.
  static const std::string& content_of(const component& c) {
    return c.value().members() ? c.at("content").text() : c.text();
  }
  bool is_null(const char* key) const {
    const json* value = files_.config.find(key);
    return value && value->is_null();
  }

  void read_file(const component& file) {
    if (file.absent("added_tokens")) return;
    const component list = file.at("added_tokens");
    for (std::size_t i = 0; i < list.size(); ++i) {
      const component entry = list.at(i);
      if (!entry.absent("id")) (void)entry.at("id").id();
      add(token_of(entry));
    }
  }

  void read_decoder(const component& decoder) {
    std::map<std::int64_t, added_token> by_id;
    for (const auto& [id, value] : decoder.members("an object of id: token")) {
      const component entry(value, decoder.where() + "." + id.substr(0, 40));
      const bool number = !id.empty() && id.size() <= 9 && id.find_first_not_of("0123456789") == std::string::npos;
      if (!number) fail(entry.where(), ": expected a token id as the key");
      by_id[std::stoll(id)] = token_of(entry);
    }
    for (const auto& [id, token] : by_id) add(token);
  }

  /// special_tokens_map.json and added_tokens.json, from before added_tokens_decoder.
  void read_old_files() {
    std::map<std::int64_t, std::string> by_id;
    const component added = files_.added_component();
    for (const auto& [content, id] : added.members())
      by_id[component(id, added.where() + "." + content.substr(0, 40)).id()] = content;
    for (const auto& [id, content] : by_id) {
      added_token t;
      t.content = content;
      const auto says = [&](const json* value) { return value && value->is(t.content); };
      if (!files_.special_map.is_null()) {
        const component map = files_.special_map_component();
        for (const auto& [key, value] : map.members())
          t.special = t.special || says(&value) || says(value.find("content"));
      }
      t.normalized = !t.special;
      add(std::move(t));
    }
  }

  void add_named(const component& value) {
    const std::string& content = content_of(value);
    if (tokens_.find(content)) return;
    added_token t;
    t.normalized = false;
    if (value.value().members()) t = token_of(value);
    t.content = content;
    t.special = true;
    add(std::move(t));
  }

  void read_named(const char* key, std::string_view otherwise) {
    const component config = files_.config_component(), map = files_.special_map_component();
    const component& source = !config.absent(key) ? config : map;
    if (!source.absent(key)) return add_named(source.at(key));
    if (otherwise.empty() || is_null(key)) return;
    const json name = otherwise;
    add_named({name, key});
  }

  void read_additional() {
    const component config = files_.config_component(), map = files_.special_map_component();
    for (const component* source : {&config, &map}) {
      if (source->absent("additional_special_tokens")) continue;
      const component list = source->at("additional_special_tokens");
      for (std::size_t i = 0; i < list.size(); ++i) add_named(list.at(i));
      return;
    }
  }
};

} // namespace llmap
