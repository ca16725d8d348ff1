// Peak memory of the test's process since the last reset (Linux).
#pragma once
#include <fstream>
#include <string>

namespace llmap {

/// KiB; 0 if the system does not say.
inline long peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == "VmHWM:") return status >> word, std::stol(word);
  return 0;
}
/// False if the system does not allow it.
inline bool set_back_peak_memory() {
  return static_cast<bool>(std::ofstream("/proc/self/clear_refs") << 5 << std::flush) && peak_memory() > 0;
}

} // namespace llmap
