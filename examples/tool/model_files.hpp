// What several commands read from a model folder, compiled in one unit: the tokenizer and the plan take long to compile.
#pragma once
#include "llmap/architectures/decoder_plan.hpp"
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llmap {
class tokenizer;
}

llmap::decoder_plan load_plan(const std::filesystem::path& folder);

/// An llmap::tokenizer behind a pointer.
class model_tokenizer {
  std::shared_ptr<const llmap::tokenizer> tokenizer_;

public:
  explicit model_tokenizer(const std::filesystem::path& folder);
  std::vector<std::int32_t> encode(std::string_view text, bool add_special = true) const;
  std::int32_t vocab_size() const;
  std::optional<std::int32_t> bos_id() const;
  std::optional<std::int32_t> eos_id() const;
  bool adds_bos() const;
  const std::string& canonical() const;
};
/// tokenizer::canonical() of a folder, from the files alone: the tokenizer takes longer to build.
std::string tokenizer_canonical(const std::filesystem::path& folder);
