// What a tokenizer needs of its model: pieces to ids. bpe.hpp, unigram.hpp, word_models.hpp and rwkv_vocabulary.hpp
// are models.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace llmap {

class token_model {
public:
  virtual ~token_model() = default;
  /// Appends the ids of one piece.
  virtual void encode(std::string_view piece, std::vector<std::int32_t>& out) const = 0;
  virtual std::optional<std::int32_t> id_of(std::string_view token) const = 0;
  /// Entries of the vocabulary; their ids need not be 0, 1, 2, ...
  virtual std::size_t size() const = 0;
  virtual std::int32_t largest_id() const = 0;
};

} // namespace llmap
