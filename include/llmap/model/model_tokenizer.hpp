// Where the tokenizer of a model lies: in its folder, in that of an adapter's base, or in its GGUF file.
#pragma once
#include "llmap/model/gguf_tokenizer.hpp"
#include "llmap/text/tokenizer.hpp"
#include "llmap/weights/model_weights.hpp"

namespace llmap {

/// Of a model folder with the config in `base` (base_folder): an adapter may bring its own.
inline tokenizer_files tokenizer_files_of(const std::filesystem::path& folder, const std::filesystem::path& base) {
  return read_tokenizer_files(has_tokenizer(folder) ? folder : base);
}

/// Of opened weights. A folder without a tokenizer is an llmap::error.
inline tokenizer_files tokenizer_files_of(const model_weights& weights) {
  if (weights.stored_gguf()) return gguf::tokenizer_files_of(*weights.stored_gguf());
  return tokenizer_files_of(weights.folder(), weights.base());
}

/// Of the model at `path`, whose weights need not be there.
inline tokenizer_files tokenizer_files_at(const std::filesystem::path& path) {
  if (is_gguf(path)) return gguf::tokenizer_files_of(gguf::file(path));
  return tokenizer_files_of(path, base_folder(path));
}

} // namespace llmap
