// Writes a safetensors file: tensors with the largest elements first, header padded to 8 bytes, so that a reader may
// map it. The file appears under its name only when it is complete (written beside it, synced, renamed).
#pragma once
#include "llmap/core/json_writer.hpp"
#include "llmap/core/write_file.hpp"
#include "llmap/weights/tensor_source.hpp"
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <map>

namespace llmap {

/// Every tensor of the source. What stands in the way of writing is an llmap::error, see write_file_with.
template <tensor_source Source>
void write_safetensors(const std::filesystem::path& path, const Source& source,
                       const std::map<std::string, std::string>& metadata = {}) {
  std::vector<std::pair<std::string, tensor_info>> order;
  for (const std::string& name : source.names()) order.emplace_back(name, *source.find(name));
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return bits_of(a.second.type) > bits_of(b.second.type); });
  json_writer header;
  header.object([&] {
    if (!metadata.empty())
      header.field("__metadata__", [&] {
        header.object([&] {
          for (const auto& [key, value] : metadata) header.field(key, value);
        });
      });
    std::uint64_t offset = 0;
    for (const auto& [name, info] : order) {
      const std::uint64_t begin = offset;
      offset += static_cast<std::uint64_t>(info.elements()) * static_cast<std::uint64_t>(bits_of(info.type)) / 8;
      header.field(name, [&, &type = info.type, &shape = info.shape] {
        header.object([&] {
          header.field("dtype", name_of(type));
          header.field("shape", shape);
          header.field("data_offsets", std::array{begin, offset});
        });
      });
    }
  });
  std::string text = header.text();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  write_file_with(path, [&](std::FILE* file) {
    const std::uint64_t length = text.size();
    std::fwrite(&length, 8, 1, file);
    std::fwrite(text.data(), 1, text.size(), file);
    for (const auto& [name, info] : order) {
      const tensor_data data = source.read(name);
      if (!data.bytes.empty()) std::fwrite(data.bytes.data(), 1, data.bytes.size(), file);
    }
  });
}

} // namespace llmap
