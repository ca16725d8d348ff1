// Bytes as a file that lives in memory, for readers that take a path.
#pragma once
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

class as_file {
  int descriptor_;

public:
  as_file(const std::uint8_t* data, std::size_t size) : descriptor_(::memfd_create("input", 0)) {
    if (descriptor_ < 0 || ::write(descriptor_, data, size) != static_cast<ssize_t>(size))
      throw std::runtime_error("no memory file");
  }
  ~as_file() { ::close(descriptor_); }
  as_file(const as_file&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }
};
