// What several commands read from a model folder, in a unit of its own: tokenizer and plan take long to compile.
#pragma once
#include "llmap/architectures/decoder_plan.hpp"
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llmap {
class model_weights;
class tokenizer;
struct tokenizer_files;
} // namespace llmap

/// The plan of a model folder, with what its files settle.
llmap::decoder_plan load_plan(const llmap::model_weights& weights);

/// The plan of a folder that has a config and no weights.
llmap::decoder_plan load_plan_of_config(const std::filesystem::path& folder);

/// The files of a tokenizer, already read; building it takes longer.
class model_tokenizer_files {
  friend class model_tokenizer;
  std::shared_ptr<const llmap::tokenizer_files> files_;

public:
  explicit model_tokenizer_files(const std::filesystem::path& path);
  explicit model_tokenizer_files(const llmap::model_weights& weights);
  /// What a fingerprint must cover: llmap::tokenizer::canonical().
  const std::string& canonical() const;
};

/// An llmap::tokenizer behind a pointer.
class model_tokenizer {
  std::shared_ptr<const llmap::tokenizer> tokenizer_;

public:
  explicit model_tokenizer(const model_tokenizer_files& files);
  explicit model_tokenizer(const std::filesystem::path& path) : model_tokenizer(model_tokenizer_files(path)) {}
  std::vector<std::int32_t> encode(std::string_view text, bool add_special = true) const;
  std::int32_t vocab_size() const;
  std::optional<std::int32_t> bos_id() const;
  std::optional<std::int32_t> eos_id() const;
  bool adds_bos() const;
};
