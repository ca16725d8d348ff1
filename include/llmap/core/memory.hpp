// How much memory this process may still take: the smaller of what the machine has available and what the limits of its
// control groups (v1 and v2) leave. File pages count as available, because they are dropped when memory runs short.
#pragma once
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

namespace llmap {

namespace detail {

/// The number after `key` in a file of "key number" lines, or the first word if the key is empty. "max" means no limit
/// and gives nullopt.
inline std::optional<std::uint64_t> number_in(const std::filesystem::path& file, const std::string& key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(key)) continue;
    const auto digit = line.find_first_not_of(" \t", key.size());
    if (digit == std::string::npos || line[digit] < '0' || line[digit] > '9') return std::nullopt;
    return std::stoull(line.substr(digit));
  }
  return std::nullopt;
}

/// What the limits of a group and of its ancestors up to `root` leave.
inline std::uint64_t left_in_group(const std::filesystem::path& root, const std::filesystem::path& group,
                                   const std::string& limit_name, const std::string& usage_name,
                                   const std::string& cached_prefix) {
  std::uint64_t left = std::numeric_limits<std::uint64_t>::max();
  for (std::filesystem::path at = group.relative_path();; at = at.parent_path()) {
    const auto folder = root / at;
    if (const auto limit = number_in(folder / limit_name, "")) {
      const std::uint64_t used = number_in(folder / usage_name, "").value_or(0);
      const std::uint64_t cached = number_in(folder / "memory.stat", cached_prefix + "inactive_file ").value_or(0) +
                                   number_in(folder / "memory.stat", cached_prefix + "active_file ").value_or(0);
      const std::uint64_t taken = used - std::min(used, cached);
      left = std::min(left, *limit - std::min(*limit, taken));
    }
    if (at.empty()) return left;
  }
}

} // namespace detail

/// In bytes; the largest integer if nothing is known (systems other than Linux). `proc` and `cgroups` are the
/// folders of the kernel's files.
inline std::uint64_t available_memory(const std::filesystem::path& proc = "/proc",
                                      const std::filesystem::path& cgroups = "/sys/fs/cgroup") {
  std::uint64_t available = std::numeric_limits<std::uint64_t>::max();
  if (const auto kib = detail::number_in(proc / "meminfo", "MemAvailable:")) available = *kib << 10;
  // "0::/group" for v2, "4:cpu,memory:/group" for v1
  std::ifstream groups(proc / "self" / "cgroup");
  for (std::string line; std::getline(groups, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first, second + 1 - first),
                      group = line.substr(second + 1); // controllers keep their colons
    if (controllers == "::")
      available = std::min(available, detail::left_in_group(cgroups, group, "memory.max", "memory.current", ""));
    else if (controllers.find(":memory,") != std::string::npos || controllers.find(",memory,") != std::string::npos ||
             controllers.find(",memory:") != std::string::npos || controllers == ":memory:")
      available = std::min(available, detail::left_in_group(cgroups / "memory", group, "memory.limit_in_bytes",
                                                            "memory.usage_in_bytes", "total_"));
  }
  return available;
}

} // namespace llmap
