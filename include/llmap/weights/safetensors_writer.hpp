// Writes a safetensors file: tensors largest alignment first, header padded to 8 bytes, so that a reader may map it.
// The file appears under its name only when it is complete (written beside it, synced, renamed).
#pragma once
#include "llmap/weights/tensor_source.hpp"
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace llmap {

/// Writes `write(FILE*)`'s output to `path` through a temporary file beside it. Any failure (full disk, read-only
/// folder) is an llmap::error and leaves what was at `path` as it was.
template <class Write> void write_file_atomically(const std::filesystem::path& path, const Write& write) {
  const std::filesystem::path part = path.string() + ".part" + std::to_string(::getpid());
  std::FILE* file = std::fopen(part.c_str(), "wb");
  if (!file) fail(path.string(), ": cannot write: ", std::strerror(errno));
  write(file);
  errno = 0;
  const bool written = std::fflush(file) == 0 && !std::ferror(file) && ::fsync(::fileno(file)) == 0;
  int reason = errno;
  const bool closed = std::fclose(file) == 0;
  if (written && closed && std::rename(part.c_str(), path.c_str()) == 0) return;
  if (reason == 0) reason = errno;
  ::unlink(part.c_str());
  fail(path.string(), ": cannot write: ", std::strerror(reason ? reason : ENOSPC));
}

inline void write_text_file(const std::filesystem::path& path, std::string_view text) {
  write_file_atomically(path, [&](std::FILE* file) { std::fwrite(text.data(), 1, text.size(), file); });
}

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
  write_file_atomically(path, [&](std::FILE* file) {
    const std::uint64_t length = text.size();
    std::fwrite(&length, 8, 1, file);
    std::fwrite(text.data(), 1, text.size(), file);
    for (const auto& [name, info] : order) {
      const tensor_data data = source.read(name);
      std::fwrite(data.bytes.data(), 1, data.bytes.size(), file);
    }
  });
}

} // namespace llmap
