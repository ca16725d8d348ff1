// What a launch did, counted. A request is one instruction of one warp.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace ptx {

inline constexpr std::size_t first_level_sectors = 512; // 16 KiB

struct traffic { // global memory, one direction
  std::uint64_t requests = 0, bytes = 0;
  std::uint64_t sectors = 0, needed_sectors = 0; // 32 bytes; needed: were the distinct bytes of each request packed
  // Where launch_options ask for them:
  std::uint64_t distinct_sectors = 0; // of each launch
  /// Loads that a block does not find among the first_level_sectors that it read last: what a multiprocessor's cache
  /// has for one of the blocks that it runs at once. Stores: all, they go through.
  std::uint64_t passed_sectors = 0;
};

struct counters {
  std::uint64_t launches = 0, blocks = 0;
  std::uint64_t instructions = 0, lane_instructions = 0;                    // of warps, and of threads
  std::map<std::string, std::uint64_t, std::less<>> by_name;                // instructions of warps by the PTX word
  traffic loads, stores;                                                    // loads: cp.async too
  std::uint64_t shared_requests = 0, shared_passes = 0, bank_conflicts = 0; // conflicts: passes beyond the least
  std::map<std::string, std::uint64_t> conflict_places;                     // by file:line of the CUDA source
  std::uint64_t barriers = 0;                                               // of blocks
  std::uint64_t mma_operations = 0;                                         // multiply-adds of tensor cores
  std::uint64_t local_requests = 0;

  /// Instructions whose name has this part: "f64", "mma.sync".
  std::uint64_t with(std::string_view part) const {
    std::uint64_t sum = 0;
    for (const auto& [name, count] : by_name)
      if (name.find(part) != std::string::npos) sum += count;
    return sum;
  }
  void add(const counters& other);
};

} // namespace ptx
