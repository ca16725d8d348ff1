// One block of device memory that buffers share in the order of one stream, so that a pass asks the device for memory
// once. A part that is given back is handed out again at once: what was queued on the stream before is done before what
// will be queued next.
#pragma once
#include "llmap/core/cuda/check.cuh"
#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>

namespace llmap {

/// A block that is taken from the device when this is made. Not for several threads.
class cuda_arena {
  std::byte* block_ = nullptr;
  std::size_t size_ = 0, used_ = 0, most_ = 0;
  std::map<std::size_t, std::size_t> free_; // where: bytes

public:
  static constexpr std::size_t unit = 256; // where parts begin, as those of cudaMalloc do
  static constexpr std::size_t rounded(std::size_t bytes) { return (bytes + unit - 1) / unit * unit; } ///< up to a unit

  /// On the device in use.
  explicit cuda_arena(std::size_t bytes) : size_(rounded(bytes)) {
    if (size_ == 0) return;
    cuda_check_memory(cudaMalloc(reinterpret_cast<void**>(&block_), size_), "cudaMalloc", "device", size_);
    free_[0] = size_;
  }
  cuda_arena(const cuda_arena&) = delete;
  cuda_arena& operator=(const cuda_arena&) = delete;
  ~cuda_arena() {
    if (block_) cudaFree(block_);
  }

  std::size_t size() const { return size_; }
  /// The most that was ever taken at a time.
  std::size_t most_used() const { return most_; }

  /// The first part that is large enough; null if there is none.
  void* take(std::size_t bytes) {
    bytes = rounded(bytes);
    const auto at = std::find_if(free_.begin(), free_.end(), [&](const auto& part) { return part.second >= bytes; });
    if (bytes == 0 || at == free_.end()) return nullptr;
    const auto [first, found] = *at;
    free_.erase(at);
    if (found > bytes) free_[first + bytes] = found - bytes;
    most_ = std::max(most_, used_ += bytes);
    return block_ + first;
  }
  /// A part that `take` gave, of the bytes that were asked for.
  void give_back(void* part, std::size_t bytes) {
    bytes = rounded(bytes);
    used_ -= bytes;
    auto at = free_.emplace(static_cast<std::size_t>(static_cast<std::byte*>(part) - block_), bytes).first;
    if (const auto next = std::next(at); next != free_.end() && at->first + at->second == next->first)
      at->second += next->second, free_.erase(next);
    if (at == free_.begin()) return;
    if (const auto before = std::prev(at); before->first + before->second == at->first)
      before->second += at->second, free_.erase(at);
  }
};

} // namespace llmap
