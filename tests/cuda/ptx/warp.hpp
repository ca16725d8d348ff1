// Execution: a launch runs its blocks one after another, a block its warps in turns, a warp its paths. A path is a set
// of lanes at one instruction; it splits where lanes branch apart and joins a path that it meets. An instruction is
// executed for all lanes of a path at once.
#pragma once
#include "cuda/ptx/counters.hpp"
#include "cuda/ptx/memory.hpp"
#include "cuda/ptx/module.hpp"
#include <array>
#include <bit>
#include <deque>
#include <random>
#include <unordered_set>

namespace ptx {

struct extent {
  std::uint32_t x = 1, y = 1, z = 1;
  std::uint64_t count() const { return std::uint64_t{x} * y * z; }
};

/// Which thread goes first where the kernel leaves it open. A right kernel gives the same result in each.
enum class order : std::uint8_t { forward, backward, shuffled };

struct launch_options {
  order first = order::forward;
  std::uint64_t seed = 1;
  std::uint64_t most_instructions = 200'000'000; // of the warps of a block: more, and it waits for ever
  bool sectors = false;                          // counts the distinct and the passed, which takes time
};

class block;

inline constexpr unsigned warp_size = 32;

template <class F> inline void for_lanes(lane_mask lanes, F&& f) {
  if (lanes == all_lanes) {
    for (unsigned i = 0; i < warp_size; ++i) f(i);
  } else {
    for (; lanes != 0; lanes &= lanes - 1) f(static_cast<unsigned>(std::countr_zero(lanes)));
  }
}

struct async_copy {
  std::uint64_t from;
  std::uint32_t to, bytes, from_bytes;
};

struct path {
  enum state_kind : std::uint8_t { ready, at_barrier, at_collective } state = ready;
  std::uint32_t pc = 0;
  lane_mask lanes = 0, members = 0;
  std::vector<std::uint32_t> calls; // where to return to
};

class warp {
  std::unique_ptr<std::uint32_t[]> narrow_;
  std::unique_ptr<std::uint64_t[]> wide_;
  std::vector<lane_mask> predicates_;
  std::vector<path> paths_;
  std::vector<lane_mask> syncs_; // the lanes of each bar.warp.sync since the last barrier
  std::uint32_t last_full_sync_ = 0;
  const module* code_ = nullptr;

  friend class block;
  std::size_t join(std::size_t p);
  bool meets(std::size_t p, std::size_t q) const;
  std::size_t pick();
  void step(std::size_t p, std::uint64_t& budget);
  bool meet(std::size_t p, const instruction& in, lane_mask lanes);
  bool release_syncs();
  void take_results(const instruction& call, lane_mask lanes);
  [[noreturn]] void report(const std::string& what, const instruction& in, unsigned lane) const;
  path& split(std::size_t p, lane_mask lanes, std::uint32_t pc);

public:
  block* home = nullptr;
  unsigned number = 0, lane_at = 0; // lane_at: whose access is being made
  lane_mask exists = 0, exited = 0;
  std::vector<std::byte> locals, params; // lane after lane
  std::uint64_t local_stride = 0, param_stride = 0;
  std::array<std::vector<async_copy>, warp_size> open_copies;             // not yet committed
  std::array<std::deque<std::vector<async_copy>>, warp_size> copy_groups; // committed, not yet waited for
  const instruction* now = nullptr;

  void begin(block& home, unsigned number, lane_mask exists, const module& code, std::uint32_t pc);
  std::uint64_t run(std::uint64_t budget);
  bool done() const { return exited == exists; }
  bool can_run() const;

  std::uint32_t* write32(const operand& o) { return narrow_.get() + std::size_t{o.slot} * warp_size; }
  std::uint64_t* write64(const operand& o) { return wide_.get() + std::size_t{o.slot} * warp_size; }
  const std::uint32_t* read32(const operand& o) const {
    return o.kind == operand::constant ? code_->constants[o.slot].narrow.data()
                                       : narrow_.get() + std::size_t{o.slot} * warp_size;
  }
  const std::uint64_t* read64(const operand& o) const {
    return o.kind == operand::constant ? code_->constants[o.slot].wide.data()
                                       : wide_.get() + std::size_t{o.slot} * warp_size;
  }
  /// Any width, by lane: for instructions that are not in a hurry.
  std::uint64_t value(const operand& o, unsigned lane) const {
    return o.kind == operand::reg64 || o.kind == operand::constant ? read64(o)[lane] : read32(o)[lane];
  }
  void set(const operand& o, unsigned lane, std::uint64_t value) {
    if (o.kind == operand::reg64) write64(o)[lane] = value;
    else if (o.kind == operand::reg32) write32(o)[lane] = static_cast<std::uint32_t>(value);
  }
  lane_mask test(const operand& o) const {
    if (o.kind == operand::constant) return code_->constants[o.slot].narrow[0] & 1 ? all_lanes : 0;
    return o.negated ? ~predicates_[o.slot] : predicates_[o.slot];
  }
  void set_predicate(std::uint32_t slot, lane_mask lanes, lane_mask values) {
    predicates_[slot] = (predicates_[slot] & ~lanes) | (values & lanes);
  }
  std::uint64_t address(const operand& o, unsigned lane) const {
    const std::uint64_t base = o.base == operand::reg64   ? wide_[std::size_t{o.slot} * warp_size + lane]
                               : o.base == operand::reg32 ? narrow_[std::size_t{o.slot} * warp_size + lane]
                                                          : code_->constants[o.slot].wide[0];
    return base + static_cast<std::uint64_t>(o.offset);
  }
  const module& code() const { return *code_; }
  unsigned thread(unsigned lane) const { return number * warp_size + lane; }

  std::uint32_t sync_count() const { return static_cast<std::uint32_t>(syncs_.size()); }
  void sync(lane_mask lanes);
  /// Whether a bar.warp.sync of both lanes came after the first `count` ones.
  bool synced_since(std::uint32_t count, unsigned a, unsigned b) const;
  void finish_copies(unsigned lane, std::size_t keep);
};

/// Who touched some bytes of shared memory last.
struct shared_cell {
  std::uint32_t write_epoch = 0, write_syncs = 0;
  std::uint32_t read_epoch = 0, read_syncs = 0, read_warps = 0, read_lanes = 0;
  std::uint16_t writer = 0;
  std::uint8_t read_warp = 0, written = 0; // written: a bit a byte
  bool pending = false, atomic = false;    // pending: a cp.async on its way
};

class launch;

class block {
  struct barrier {
    const instruction* at = nullptr;
    std::uint32_t arrived = 0;
  };
  std::vector<std::byte> shared_;
  std::vector<shared_cell> cells_;
  std::array<barrier, 16> barriers_;
  std::uint32_t cell_ = 4; // bytes

  void touch(warp& who, std::uint32_t address, unsigned bytes, access how, bool begins_copy);
  bool release_barriers();
  [[noreturn]] void report_stall();
  [[noreturn]] void report_endless();

public:
  launch& of;
  extent id;
  std::uint32_t epoch = 1; // barriers passed
  std::vector<warp> warps;

  explicit block(launch& of);
  void run(extent id);
  void arrive(warp& who, const instruction& in, lane_mask lanes);
  std::byte* shared_at(warp& who, std::uint64_t address, unsigned bytes, unsigned alignment, access how);
  void begin_copy(warp& who, const async_copy& copy);
  void finish_copy(warp& who, const async_copy& copy);
};

/// The sectors that a block read last, first in, first out: whether they lie where others do plays no part.
class first_level_cache {
  std::unordered_set<std::uint64_t> has_;
  std::array<std::uint64_t, first_level_sectors> order_;
  std::size_t next_ = 0; // counts all that came

public:
  void clear() { has_.clear(), next_ = 0; }
  /// Whether it comes only now.
  bool take(std::uint64_t sector) {
    if (!has_.insert(sector).second) return false;
    std::uint64_t& place = order_[next_ % first_level_sectors];
    if (next_++ >= first_level_sectors) has_.erase(place);
    place = sector;
    return true;
  }
};

class launch {
  std::mt19937_64 random_;
  struct count {
    std::uint64_t issued = 0, active = 0, conflicts = 0;
  };
  std::vector<count> own_, others_; // by instruction: of the kernel, and of the module once it calls a function
  first_level_cache first_level_;   // of the block
  std::unordered_set<std::uint64_t> loaded_, stored_;

public:
  const module& code;
  const function& kernel;
  device_memory& memory;
  extent grid, threads;
  std::uint64_t dynamic_offset = 0, dynamic_shared = 0, shared_bytes = 0;
  launch_options options;
  std::vector<std::byte> params;
  counters counted;

  launch(const module& code, const function& kernel, device_memory& memory, extent grid, extent threads,
         std::uint64_t dynamic_shared, const void* const* arguments, const launch_options& options);
  void run();
  void count_sectors(const std::uint64_t* sectors, std::size_t count, bool store);
  std::uint64_t random(std::uint64_t below) { return random_() % below; }
  /// What an instruction of the module did.
  count& of(std::uint64_t instruction) {
    const std::uint64_t at = instruction - kernel.begin; // wraps if it lies before
    if (at < own_.size()) return own_[at];
    if (others_.empty()) others_.resize(code.code.size());
    return others_[instruction];
  }
};

/// What the requests of a warp to global and shared memory cost.
void count_global(launch& in, lane_mask lanes, const std::uint64_t* addresses, unsigned bytes, bool store);
void count_shared(launch& in, const instruction& what, lane_mask lanes, const std::uint64_t* addresses, unsigned bytes);

std::string hexadecimal(lane_mask lanes);
std::string readable(const std::string& mangled);
/// "file:line", and where that is inlined.
std::string source_of(const module& code, const instruction& at);
/// "kernel block (x,y,z) thread (x,y,z), PTX line n: text, file:line".
std::string place(const launch& in, extent block_id, unsigned thread, const instruction& at);

} // namespace ptx
