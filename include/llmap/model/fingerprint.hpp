// Everything that decides the scores of a model, as one number: config, weights, tokenizer and policy.
#pragma once
#include "llmap/core/json_file.hpp"
#include "llmap/store/store.hpp"
#include "llmap/weights/model_weights.hpp"
#include <algorithm>

namespace llmap {

/// `policy`: one line that says precision and text policy.
inline std::string fingerprint_of(const model_weights& weights, const std::string& tokenizer,
                                  const std::string& policy) {
  fingerprint print;
  print.add(weights.stored() ? read_file(weights.base() / "config.json") : "").add(tokenizer).add(policy);
  if (weights.adapted()) print.add(read_file(weights.folder() / "adapter_config.json"));
  constexpr std::size_t piece = 64 << 20, part = 256 << 10; // a part stays in the second-level cache
  std::vector<std::byte> read(part);
  for (const mapped_file* file : weights.files()) {
    const std::size_t size = file->bytes().size();
    for (std::size_t first = 0; first < size; first += part) {
      if (first % piece == 0) print.add_size(std::min(piece, size - first));
      const auto bytes = std::span(read).first(std::min(part, size - first));
      file->read(first, bytes);
      print.add_part(bytes);
    }
  }
  return print.hex();
}

} // namespace llmap
