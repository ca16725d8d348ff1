// Writes a safetensors file: tensors largest alignment first, header padded to 8 bytes, so that a reader may map it.
// The file appears under its name only when it is complete (written beside it, synced, renamed).
#pragma once
#include "llmap/core/write_file.hpp"
#include "llmap/weights/tensor_source.hpp"
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

namespace llmap {

template <tensor_source Source>
void write_safetensors(const std::filesystem::path& path, const Source& source,
                       const std::map<std::string, std::string>& metadata = {}) {
  std::vector<std::pair<std::string, tensor_info>> order;
  for (const std::string& name : source.names()) order.emplace_back(name, *source.find(name));
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return bits_of(a.second.type) > bits_of(b.second.type);
  });
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const auto& [name, info] : order) {
    const std::uint64_t size = static_cast<std::uint64_t>(info.elements()) * bits_of(info.type) / 8;
    header[name] = {{"dtype", std::string(name_of(info.type))}, {"shape", info.shape}, {"data_offsets", {offset, offset + size}}};
    offset += size;
  }
  std::string text = header.dump();
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
