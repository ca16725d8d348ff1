#include "cuda/ptx/memory.hpp"
#include <algorithm>
#include <cstring>
#include <sys/mman.h>

namespace ptx {

namespace {

void* map_pages(std::uint64_t bytes) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return at == MAP_FAILED ? nullptr : at;
}
std::uint64_t mark_bytes(std::uint64_t bytes) { return (bytes / 64 + 2) * 8; }

void mark(std::uint64_t* written, std::uint64_t first, std::uint64_t count) {
  while (count > 0) {
    const std::uint64_t bit = first % 64, n = std::min<std::uint64_t>(count, 64 - bit);
    written[first / 64] |= (n == 64 ? ~0ull : (1ull << n) - 1) << bit;
    first += n, count -= n;
  }
}
bool marked(const std::uint64_t* written, std::uint64_t first, std::uint64_t count) {
  while (count > 0) {
    const std::uint64_t bit = first % 64, n = std::min<std::uint64_t>(count, 64 - bit);
    const std::uint64_t wanted = (n == 64 ? ~0ull : (1ull << n) - 1) << bit;
    if ((written[first / 64] & wanted) != wanted) return false;
    first += n, count -= n;
  }
  return true;
}
std::byte* host(std::uint64_t address) { return reinterpret_cast<std::byte*>(address & ~device_bit); }

} // namespace

device_memory::~device_memory() {
  while (!live_.empty()) release(live_.begin()->first);
}

std::uint64_t device_memory::allocate(std::uint64_t bytes, std::string name) {
  void* const numbers = map_pages(bytes + 1);
  void* const written = map_pages(mark_bytes(bytes));
  if (!numbers || !written) return 0;
  const std::uint64_t begin = reinterpret_cast<std::uint64_t>(numbers) | device_bit;
  live_[begin] = {begin, bytes, static_cast<std::uint64_t*>(written), std::move(name)};
  last_ = nullptr;
  return begin;
}

bool device_memory::release(std::uint64_t address) {
  const auto found = live_.find(address);
  if (found == live_.end()) return false;
  munmap(host(address), found->second.size + 1);
  munmap(found->second.written, mark_bytes(found->second.size));
  live_.erase(found);
  last_ = nullptr;
  return true;
}

bool device_memory::contains(std::uint64_t address) const {
  auto next = live_.upper_bound(address);
  return next != live_.begin() && address < std::prev(next)->second.begin + std::prev(next)->second.size;
}

const device_memory::allocation& device_memory::find(std::uint64_t address, std::uint64_t bytes) {
  if (last_ && address >= last_->begin && address + bytes <= last_->begin + last_->size) return *last_;
  if (!(address & device_bit)) throw fault("access to an address that is not the device's");
  const auto next = live_.upper_bound(address);
  const bool outside =
      next == live_.begin() || address + bytes > std::prev(next)->second.begin + std::prev(next)->second.size;
  if (outside && elsewhere && elsewhere(address)) throw fault("access to memory of another device");
  if (next == live_.begin()) throw fault("global access out of bounds: before every allocation");
  const allocation& found = std::prev(next)->second;
  if (outside)
    throw fault("global access out of bounds: bytes " + std::to_string(address - found.begin) + " to " +
                std::to_string(address - found.begin + bytes - 1) + " of " + found.name + ", which has " +
                std::to_string(found.size));
  last_ = &found;
  return found;
}

std::byte* device_memory::at(std::uint64_t address, unsigned bytes, unsigned alignment, access how) {
  if (address % alignment != 0)
    throw fault("misaligned global access: address must be a multiple of " + std::to_string(alignment));
  if (!(address & device_bit) && pinned && pinned(address, bytes)) return host(address);
  const allocation& in = find(address, bytes);
  const std::uint64_t first = address - in.begin;
  if (how != access::write && !marked(in.written, first, bytes))
    throw fault("read of global memory that was never written: byte " + std::to_string(first) + " of " + in.name);
  if (how != access::read) mark(in.written, first, bytes);
  return host(address);
}

std::byte* device_memory::for_host(std::uint64_t address, std::uint64_t bytes, bool write) {
  const allocation& in = find(address, bytes);
  if (write) mark(in.written, address - in.begin, bytes);
  return host(address);
}

void device_memory::copy(std::uint64_t to, std::uint64_t from, std::uint64_t bytes) {
  const allocation source = find(from, bytes), target = find(to, bytes);
  std::memmove(host(to), host(from), bytes);
  for (std::uint64_t i = 0; i < bytes; ++i)
    if (marked(source.written, from - source.begin + i, 1)) mark(target.written, to - target.begin + i, 1);
}

} // namespace ptx
