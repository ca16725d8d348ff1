// The tokenizer: text -> ids, as AutoTokenizer of transformers gives them. Read this file first.
//
// encode:  1. added tokens with normalized = false are cut out of the raw text        added_tokens.hpp
//          2. each stretch between them is normalized                                 normalizer.hpp
//             and added tokens with normalized = true are cut out of that
//          3. the rest is cut into pieces                                             pre_tokenizer.hpp
//          4. the model turns each piece into ids                                     bpe.hpp, unigram.hpp, ...
//          5. special ids go around the whole, if asked for                           post_processor.hpp
// What transformers does beyond tokenizer.json (classes, BOS and EOS, special tokens) is in transformers_rules.hpp
// and special_tokens.hpp. A tokenizer is immutable after loading; encode may be called from any number of threads.
#pragma once
#include "llmap/text/added_tokens.hpp"
#include "llmap/text/bpe.hpp"
#include "llmap/text/normalizer.hpp"
#include "llmap/text/post_processor.hpp"
#include "llmap/text/pre_tokenizer.hpp"
#include "llmap/text/rwkv_vocabulary.hpp"
#include "llmap/text/sentencepiece_files.hpp"
#include "llmap/text/special_tokens.hpp"
#include "llmap/text/tokenizer_files.hpp"
#include "llmap/text/transformers_rules.hpp"
#include "llmap/text/unigram.hpp"
#include "llmap/text/word_models.hpp"
#include <algorithm>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llmap {

/// The tokenizer of a model. A component of its files that is not known is an llmap::error.
class tokenizer {
public:
  /// Loads a model folder: tokenizer.json, vocab.json with merges.txt, tekken.json, tokenizer.model (SentencePiece or
  /// tiktoken) or rwkv_vocab.txt; with tokenizer_config.json, special_tokens_map.json, added_tokens.json and
  /// config.json if present.
  static tokenizer load(const std::filesystem::path& folder) { return from_files(read_tokenizer_files(folder)); }
  /// The same from files that were read before. A template, so that llmap::kernels can hold it compiled.
  template <std::same_as<tokenizer_files> Files = tokenizer_files> static tokenizer from_files(const Files& files) {
    switch (files.form) {
    case vocabulary_form::vocab_and_merges:
      return {files, detail::from_vocabulary_files(files)};
    case vocabulary_form::sentencepiece:
      return {files, detail::from_sentencepiece(files)};
    case vocabulary_form::tiktoken:
      return {files, detail::beside_tiktoken(files),
              std::make_shared<bpe>(read_tiktoken(files.tokenizer, files.where))};
    case vocabulary_form::tekken: {
      const json content = detail::parse_object(files.tokenizer, files.where, python_json);
      return {files, read_tekken({content, files.where})};
    }
    case vocabulary_form::rwkv:
      return tokenizer(files);
    default: // Hugging Face tokenizers read it by the strict rules of JSON
      return {files, detail::parse_object(files.tokenizer, files.where, {})};
    }
  }

  /// From the content of a tokenizer.json alone: its own template, no class rules. `where` starts every message;
  /// `bos` and `eos` name tokens of the file, empty for none.
  static tokenizer from_json(const json& content, const std::string& where, const std::string& bos = "",
                             const std::string& eos = "") {
    return {tokenizer_files_of(content, where, bos, eos), content};
  }

  /// The ids of a text, with the special ids around it unless add_special is false. Invalid UTF-8 is an llmap::error
  /// that names the byte.
  std::vector<std::int32_t> encode(std::string_view text, bool add_special = true) const {
    if (const auto bad = invalid_utf8(text)) fail("tokenizer: expected UTF-8, got an invalid sequence at byte ", *bad);
    std::vector<std::int32_t> ids;
    if (add_special) ids = special_.prefix;
    for (const text_segment& segment : raw_matcher_(text)) {
      if (segment.id) ids.push_back(*segment.id);
      else encode_raw(text.substr(segment.begin, segment.end - segment.begin), segment.begin == 0, ids);
    }
    if (add_special) ids.insert(ids.end(), special_.suffix.begin(), special_.suffix.end());
    return ids;
  }

  /// One more than the largest id that encode can give.
  std::int32_t vocab_size() const { return largest_id_ + 1; }
  /// nullopt where the files and the class name none.
  std::optional<std::int32_t> bos_id() const { return bos_; }
  /// nullopt where the files and the class name none.
  std::optional<std::int32_t> eos_id() const { return eos_; }
  /// The ids that add_special puts around a text.
  const special_ids& special() const { return special_; }
  /// Whether encode puts BOS in front.
  bool adds_bos() const { return bos_ && !special_.prefix.empty() && special_.prefix.front() == *bos_; }
  /// The bytes of the files that decide ids, which a fingerprint must cover: equal bytes give equal ids.
  const std::string& canonical() const { return canonical_; }

private:
  normalizer normalizer_;
  pre_tokenizer pre_tokenizer_;
  std::shared_ptr<const token_model> model_; // shared by copies
  added_token_matcher raw_matcher_, normal_matcher_;
  special_ids special_;
  std::optional<std::int32_t> bos_, eos_;
  std::int32_t largest_id_ = -1;
  std::string canonical_;

  /// `model`: of a vocabulary that is not in `content`.
  tokenizer(const tokenizer_files& files, const json& content, std::shared_ptr<const token_model> model = nullptr)
      : model_(std::move(model)), canonical_(files.canonical) {
    const component file(content, files.where), config = files.config_component();
    if (!file.absent("version") && file.at("version").text() != "1.0") file.at("version").refuse("\"1.0\"");
    if (!file.absent("pre_tokenizer")) pre_tokenizer_ = pre_tokenizer(file.at("pre_tokenizer"));
    if (model_) pre_tokenizer_.leave_bytes();
    else read_model(file.at("model"));
    if (!file.absent("normalizer")) normalizer_ = normalizer(file.at("normalizer"));
    if (!file.absent("post_processor")) special_ = read_post_processor(file.at("post_processor"));

    const tokenizer_class& kind = files.kind();
    if (kind.name == "Llama" && !config.absent("add_prefix_space") && files.form == vocabulary_form::tokenizer_json)
      fail(config.where(),
           ".add_prefix_space: expected none for this class, which would rebuild itself from tokenizer.model");
    // The classes of transformers 4 set the prefix space themselves; the one that 5 writes takes the file at its word.
    if (config.absent("tokenizer_class") || config.at("tokenizer_class").text() != "TokenizersBackend")
      pre_tokenizer_.force_prefix_space(config.boolean("add_prefix_space", false));
    if (kind.name == "Bert") {
      const auto field = [&](const char* key) {
        return config.absent(key) ? std::optional<bool>() : std::optional(config.boolean(key, false));
      };
      normalizer_.force_bert(field("do_lower_case"), field("tokenize_chinese_chars"), field("strip_accents"));
    }

    const special_tokens named(files, file, *model_);
    const bool split_special = config.boolean("split_special_tokens", false); // special tokens in a text are plain text
    for (const added_token& t : named.tokens()) {
      const bool plain = split_special && t.special;
      if (t.normalized) normal_matcher_.add(normalizer_(t.content), t, plain);
      else raw_matcher_.add(t.content, t, plain);
    }
    largest_id_ = std::max(model_->largest_id(), named.tokens().largest_id());
    bos_ = named.named_id("bos_token", kind.bos);
    eos_ = named.named_id("eos_token", kind.eos);
    apply_class_template(files, kind);
    for (const auto* ids : {&special_.prefix, &special_.suffix})
      for (const std::int32_t id : *ids)
        if (id > largest_id_)
          fail(files.where, ".post_processor: expected ids of the vocabulary (at most ", largest_id_, "), got ", id);
  }

  /// The special tokens of a tekken.json go around a text and are never found in it; so does mistral_common.
  tokenizer(const tokenizer_files& files, const tekken_vocabulary& v)
      : model_(std::make_shared<bpe>(v.ranked)), special_{{v.bos}, {}}, bos_(v.bos), eos_(v.eos),
        largest_id_(model_->largest_id()), canonical_(files.canonical) {
    const json steps = detail::regex_and_byte_level({v.pattern});
    pre_tokenizer_ = pre_tokenizer({steps, files.where + ".config"});
    pre_tokenizer_.leave_bytes();
  }

  /// A vocabulary of bytes: no normalizer, no pieces, no special tokens but the end of a text, 0.
  explicit tokenizer(const tokenizer_files& files)
      : model_(std::make_shared<rwkv_vocabulary>(files.tokenizer, files.where)), eos_(0),
        largest_id_(model_->largest_id()), canonical_(files.canonical) {}

  /// The model by its type; older files leave the type out.
  void read_model(const component& c) {
    std::string type = c.absent("type") ? "" : c.type();
    if (type.empty())
      type = !c.absent("merges")                     ? "BPE"
             : !c.absent("max_input_chars_per_word") ? "WordPiece"
             : c.at("vocab").value().items()         ? "Unigram"
                                                     : "WordLevel";
    if (type == "BPE") {
      pre_tokenizer_.leave_bytes();
      model_ = std::make_shared<bpe>(c, pre_tokenizer_.ends_in_bytes());
    } else if (type == "Unigram") model_ = std::make_shared<unigram>(c);
    else if (type == "WordPiece") model_ = std::make_shared<word_piece>(c);
    else if (type == "WordLevel") model_ = std::make_shared<word_level>(c);
    else c.unknown("BPE, Unigram, WordPiece, WordLevel");
  }

  /// Some classes add BOS and EOS by their own config, whatever the file's template says; the GPT2 class does so if
  /// there is no tokenizer.json.
  void apply_class_template(const tokenizer_files& files, const tokenizer_class& kind) {
    const component config = files.config_component();
    const bool gpt2_adds = files.form == vocabulary_form::vocab_and_merges && kind.name == "GPT2" &&
                           config.boolean("add_bos_token", false);
    if (!kind.own_template && !gpt2_adds) return;
    special_ = {};
    const auto add = [&](const char* flag, bool otherwise, const std::optional<std::int32_t>& id,
                         std::vector<std::int32_t>& to) {
      if (!config.boolean(flag, otherwise)) return;
      if (!id) fail(config.where(), ".", flag, ": true, but there is no such token");
      to.push_back(*id);
    };
    add("add_bos_token", kind.add_bos, bos_, special_.prefix);
    add("add_eos_token", kind.add_eos, eos_, special_.suffix);
  }

  /// Steps 2 to 4 for a stretch of raw text; `at_start`: it begins where the input begins.
  void encode_raw(std::string_view raw, bool at_start, std::vector<std::int32_t>& ids) const {
    const std::string normal = normalizer_(raw);
    at_start = at_start && normalizer_.keeps_first(raw);
    for (const text_segment& segment : normal_matcher_(normal)) {
      if (segment.id) {
        ids.push_back(*segment.id);
        continue;
      }
      const std::string_view text = std::string_view(normal).substr(segment.begin, segment.end - segment.begin);
      const text_pieces pieces = pre_tokenizer_(text, at_start && segment.begin == 0);
      for (std::size_t i = 0; i < pieces.pieces.size(); ++i) model_->encode(pieces[i], ids);
    }
  }
};

#if defined(LLMAP_KERNELS) // the program links llmap::kernels
extern template tokenizer tokenizer::from_files(const tokenizer_files&);
#endif

} // namespace llmap
