// Preloaded into the tool by a test: writes the file of every posix_fadvise(WILLNEED) to $LLMAP_ASKED_AHEAD.
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <unistd.h>

extern "C" int posix_fadvise(int file, off_t, off_t, int advice) {
  char name[4096];
  const ssize_t length = ::readlink(("/proc/self/fd/" + std::to_string(file)).c_str(), name, sizeof name - 1);
  std::FILE* const log = std::fopen(std::getenv("LLMAP_ASKED_AHEAD"), "a");
  if (!log) return 0;
  if (advice == POSIX_FADV_WILLNEED && length > 0) std::fprintf(log, "%.*s\n", static_cast<int>(length), name);
  std::fclose(log);
  return 0;
}
