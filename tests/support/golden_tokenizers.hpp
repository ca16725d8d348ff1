// The golden tokenizer cases: one folder per case, with the files of a tokenizer and expected.json. See
// tests/golden/tokenizers/README.md for the format.
#pragma once
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace golden {

inline std::filesystem::path tokenizer_folder() {
  return std::filesystem::path(LLMAP_SOURCE_DIR) / "tests/golden/tokenizers";
}

inline nlohmann::json read_json(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error(path.string() + ": missing");
  return nlohmann::json::parse(in);
}

inline std::vector<std::string> tokenizer_cases() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(tokenizer_folder()))
    if (std::filesystem::exists(entry.path() / "expected.json")) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

/// FNV-1a over the ids as little-endian 32-bit words, which expected.json holds for long answers.
inline std::string digest(const std::vector<std::int32_t>& ids) {
  std::uint64_t h = 0xcbf29ce484222325u;
  for (const std::int32_t id : ids)
    for (int shift = 0; shift < 32; shift += 8)
      h = (h ^ ((static_cast<std::uint32_t>(id) >> shift) & 0xffu)) * 0x100000001b3u;
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(h));
  return text;
}

/// `expected` is a list of ids, or {"count", "fnv1a64", "first", "last"}.
inline ::testing::AssertionResult same_ids(const nlohmann::json& expected, const std::vector<std::int32_t>& ids) {
  const nlohmann::json got = ids;
  if (expected.is_array() && expected == got) return ::testing::AssertionSuccess();
  if (expected.is_object() && expected.at("count") == ids.size() && expected.at("fnv1a64") == digest(ids))
    return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "expected " << expected.dump() << "\n     got " << got.dump().substr(0, 1000);
}

} // namespace golden
