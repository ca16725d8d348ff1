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
/// False if the system does not allow it, or if the address sanitizer keeps what was freed.
inline bool set_back_peak_memory() {
#if defined(__SANITIZE_ADDRESS__)
  return false;
#endif
  return static_cast<bool>(std::ofstream("/proc/self/clear_refs") << 5 << std::flush) && peak_memory() > 0;
}

} // namespace llmap
