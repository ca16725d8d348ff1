// Device memory with checks. An address of the device is the host's with a bit set that no host address has, so that
// host code which follows a device pointer faults, and a kernel which follows a host pointer is told.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>

namespace ptx {

/// What a kernel must not do; the warp adds who did it and where.
struct fault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class access : std::uint8_t { read, write, update }; // update: atomic

inline constexpr std::uint64_t device_bit = 1ull << 56;
/// Generic addresses of the other state spaces: one of these bits and an offset.
inline constexpr std::uint64_t shared_window = 1ull << 57, local_window = 1ull << 58, param_window = 1ull << 59;

class device_memory {
  struct allocation {
    std::uint64_t begin = 0, size = 0; // device addresses
    std::uint64_t* written = nullptr;  // a bit a byte
    std::string name;
  };
  std::map<std::uint64_t, allocation> live_;
  const allocation* last_ = nullptr;

  const allocation& find(std::uint64_t address, std::uint64_t bytes);

public:
  device_memory() = default;
  device_memory(const device_memory&) = delete;
  device_memory& operator=(const device_memory&) = delete;
  ~device_memory();

  /// Whether another device has this address; a kernel that follows it is told so.
  std::function<bool(std::uint64_t)> elsewhere;
  /// Whether so many bytes of the host are pinned, so that kernels reach them.
  std::function<bool(std::uint64_t, std::uint64_t)> pinned;

  /// Pages are taken when they are first written, so that arrays may be larger than the machine. 0: out of memory.
  std::uint64_t allocate(std::uint64_t bytes, std::string name);
  bool release(std::uint64_t address); // false: not an allocation
  bool contains(std::uint64_t address) const;
  std::size_t allocations() const { return live_.size(); }

  /// The host's address of bytes that a kernel accesses. Throws fault: out of bounds, misaligned, never written.
  std::byte* at(std::uint64_t address, unsigned bytes, unsigned alignment, access how);
  /// The host's address of bytes that the host copies or sets; marks them written. Throws fault out of bounds.
  std::byte* for_host(std::uint64_t address, std::uint64_t bytes, bool write);
  /// Copies the marks too: bytes never written stay so.
  void copy(std::uint64_t to, std::uint64_t from, std::uint64_t bytes);
};

} // namespace ptx
