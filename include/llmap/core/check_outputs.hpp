// An output must not be what is read, nor another output: the one that is written first would be gone.
#pragma once
#include "llmap/core/error.hpp"
#include <filesystem>
#include <system_error>
#include <vector>

namespace llmap {

/// Whether two paths lead to one file, also through links; a file that does not exist yet is known by its canonical path.
inline bool same_file(const std::filesystem::path& a, const std::filesystem::path& b) {
  namespace fs = std::filesystem;
  std::error_code unknown;
  if (fs::exists(a, unknown) && fs::exists(b, unknown)) return fs::equivalent(a, b, unknown);
  return fs::weakly_canonical(fs::absolute(a), unknown) == fs::weakly_canonical(fs::absolute(b), unknown);
}

/// Fails where an output is an input or another output. Devices and pipes, which keep nothing, may be named twice. Empty paths
/// are left out.
inline void check_outputs(const std::vector<std::filesystem::path>& inputs, const std::vector<std::filesystem::path>& outputs) {
  const auto keeps = [](const std::filesystem::path& p) {
    std::error_code unknown;
    return !std::filesystem::exists(p, unknown) || std::filesystem::is_regular_file(p, unknown);
  };
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].empty() || !keeps(outputs[i])) continue;
    for (const auto& input : inputs)
      if (!input.empty() && same_file(outputs[i], input))
        fail(outputs[i].string(), ": expected an output that is not read, got the input ", input.string());
    for (std::size_t j = 0; j < i; ++j)
      if (!outputs[j].empty() && same_file(outputs[i], outputs[j]))
        fail(outputs[i].string(), ": expected one output a file, got it twice (", outputs[j].string(), ")");
  }
}

} // namespace llmap
