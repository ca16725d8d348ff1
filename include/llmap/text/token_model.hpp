// What a tokenizer needs of its model: pieces to ids. bpe.hpp, unigram.hpp, word_models.hpp and rwkv_vocabulary.hpp
// are models.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace llmap {

/// A vocabulary, and how it cuts a piece. Immutable once it is read, so threads may share it.
class token_model {
public:
  virtual ~token_model() = default;
  /// Appends the ids of one piece.
  virtual void encode(std::string_view piece, std::vector<std::int32_t>& out) const = 0;
  /// The id of a token as the vocabulary writes it.
  virtual std::optional<std::int32_t> id_of(std::string_view token) const = 0;
  /// Entries of the vocabulary; their ids need not be 0, 1, 2, ...
  virtual std::size_t size() const = 0;
  /// The largest id of the vocabulary.
  virtual std::int32_t largest_id() const = 0;
};

/// Byte fallback: the ids of the tokens <0x00> to <0xFF>, -1 where the vocabulary lacks one.
inline std::array<std::int32_t, 256> byte_token_ids(const token_model& model) {
  constexpr char hex[] = "0123456789ABCDEF";
  std::array<std::int32_t, 256> ids;
  for (unsigned b = 0; b < 256; ++b)
    ids[b] = model.id_of(std::string("<0x") + hex[b / 16] + hex[b % 16] + ">").value_or(-1);
  return ids;
}

} // namespace llmap
