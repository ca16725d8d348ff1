// tokenizer.model of SentencePiece: the pieces with scores and types, and how text is normalized. A reader of the few
// fields of its protobuf that matter; all lengths are checked. Source: sentencepiece_model.proto.
#pragma once
#include "llmap/core/error.hpp"
#include "llmap/core/utf8.hpp"
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace llmap {

/// What tokenizer.model holds. Piece i has id i.
struct sentencepiece_model {
  /// Kinds of pieces, numbered as in the file.
  enum class type : std::int64_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };
  /// Kinds of models, numbered as in the file.
  enum class kind : std::int64_t { unigram = 1, bpe = 2, word = 3, character = 4 };

  std::vector<std::string> pieces; // (V)
  std::vector<float> scores;       // (V)
  std::vector<type> types;         // (V)
  kind model = kind::unigram;      ///< how pieces are joined
  std::string charsmap;            // empty: none

  /// Bytes that are not such a file are an llmap::error that starts with `where`.
  sentencepiece_model(std::string_view bytes, const std::string& where) : where_(where) {
    each_field(bytes, [&](std::uint64_t field, std::uint64_t, std::string_view content) {
      if (field == 1) read_piece(content);
      else if (field == 2)
        each_field(content, [&](std::uint64_t f, std::uint64_t number, std::string_view) {
          if (f == 3) model = static_cast<kind>(number);
        });
      else if (field == 3)
        each_field(content, [&](std::uint64_t f, std::uint64_t, std::string_view text) {
          if (f == 2) charsmap = text;
        });
    });
    if (pieces.empty()) fail(where_, ": expected a SentencePiece model, got no pieces");
    if (model != kind::unigram && model != kind::bpe)
      fail(where_, ": model_type: expected 1 (unigram) or 2 (BPE), got ", static_cast<std::int64_t>(model));
  }

private:
  std::string where_;

  std::uint64_t varint(std::string_view& rest) const {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest.empty()) break;
      const auto byte = static_cast<unsigned char>(rest.front());
      rest.remove_prefix(1);
      value |= std::uint64_t{byte & 127u} << shift;
      if (byte < 128) return value;
    }
    fail(where_, ": expected a SentencePiece model, got a number that does not end");
  }
  /// Calls body(field, number, content): the number of a varint or of 4 bytes, the content of a string or message.
  template <class Body> void each_field(std::string_view rest, const Body& body) const {
    while (!rest.empty()) {
      const std::uint64_t key = varint(rest), wire = key & 7;
      std::uint64_t number = 0;
      std::size_t size = wire == 1 ? 8 : wire == 5 ? 4 : 0;
      if (wire == 0) number = varint(rest);
      else if (wire == 2) size = varint(rest);
      else if (wire != 1 && wire != 5) fail(where_, ": expected a SentencePiece model, got wire type ", wire);
      if (size > rest.size())
        fail(where_, ": truncated: field ", key >> 3, " needs ", size, " bytes, ", rest.size(), " are left");
      const std::string_view content = rest.substr(0, size);
      if (wire == 5) {
        std::uint32_t word;
        std::memcpy(&word, content.data(), 4);
        number = word;
      }
      rest.remove_prefix(size);
      body(key >> 3, number, content);
    }
  }
  void read_piece(std::string_view content) {
    std::string text;
    float score = 0;
    type kind_of = type::normal;
    each_field(content, [&](std::uint64_t field, std::uint64_t number, std::string_view bytes) {
      if (field == 1) text = bytes;
      else if (field == 2) {
        const auto word = static_cast<std::uint32_t>(number);
        std::memcpy(&score, &word, 4);
      } else if (field == 3) kind_of = static_cast<type>(number);
    });
    if (const auto bad = invalid_utf8(text))
      fail(where_, ": piece ", pieces.size(), ": expected UTF-8, got an invalid sequence at byte ", *bad);
    pieces.push_back(std::move(text));
    scores.push_back(score);
    types.push_back(kind_of);
  }
};

} // namespace llmap
