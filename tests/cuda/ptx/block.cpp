#include "cuda/ptx/warp.hpp"
#include <algorithm>

namespace ptx {

namespace {
constexpr std::uint64_t slice = 20'000; // instructions until another warp has its turn
} // namespace

block::block(launch& of) : of(of) {
  warps.resize((of.threads.count() + warp_size - 1) / warp_size);
  cell_ = of.kernel.shared_cell;
}

void block::run(extent at) {
  id = at;
  epoch = 1;
  barriers_.fill({});
  shared_.assign(of.shared_bytes + 16, std::byte{0xff});
  cells_.assign(of.shared_bytes / cell_ + 8, {});
  const std::uint64_t threads = of.threads.count();
  const extent &n = of.threads, &g = of.grid;
  for (unsigned w = 0; w < warps.size(); ++w) {
    warp& now = warps[w];
    const std::uint64_t lanes = std::min<std::uint64_t>(warp_size, threads - w * warp_size);
    now.begin(*this, w, lanes == warp_size ? all_lanes : (1u << lanes) - 1, of.code, of.kernel.begin);
    now.local_stride = of.code.local_bytes;
    now.param_stride = of.code.call_params > 0 ? call_params_begin + of.code.call_params : of.kernel.param_bytes;
    now.locals.resize(now.local_stride * warp_size);
    now.params.resize(now.param_stride * warp_size);
    for (unsigned lane = 0; lane < warp_size; ++lane)
      std::copy(of.params.begin(), of.params.end(),
                now.params.begin() + static_cast<std::ptrdiff_t>(lane * now.param_stride));
    for (const auto& [what, slot] : of.code.specials) {
      operand target;
      target.kind = operand::reg32, target.slot = slot;
      std::uint32_t* const to = now.write32(target);
      for (unsigned lane = 0; lane < warp_size; ++lane) {
        const std::uint32_t t = now.thread(lane), bit = 1u << lane;
        switch (what) {
        case special::tid_x:
          to[lane] = t % n.x;
          break;
        case special::tid_y:
          to[lane] = t / n.x % n.y;
          break;
        case special::tid_z:
          to[lane] = t / n.x / n.y;
          break;
        case special::ntid_x:
          to[lane] = n.x;
          break;
        case special::ntid_y:
          to[lane] = n.y;
          break;
        case special::ntid_z:
          to[lane] = n.z;
          break;
        case special::ctaid_x:
          to[lane] = id.x;
          break;
        case special::ctaid_y:
          to[lane] = id.y;
          break;
        case special::ctaid_z:
          to[lane] = id.z;
          break;
        case special::nctaid_x:
          to[lane] = g.x;
          break;
        case special::nctaid_y:
          to[lane] = g.y;
          break;
        case special::nctaid_z:
          to[lane] = g.z;
          break;
        case special::laneid:
          to[lane] = lane;
          break;
        case special::warpid:
          to[lane] = w;
          break;
        case special::nwarpid:
          to[lane] = static_cast<std::uint32_t>(warps.size());
          break;
        case special::lanemask_eq:
          to[lane] = bit;
          break;
        case special::lanemask_lt:
          to[lane] = bit - 1;
          break;
        case special::lanemask_le:
          to[lane] = bit | (bit - 1);
          break;
        case special::lanemask_gt:
          to[lane] = ~(bit | (bit - 1));
          break;
        case special::lanemask_ge:
          to[lane] = ~(bit - 1);
          break;
        case special::dynamic_smem_size:
          to[lane] = static_cast<std::uint32_t>(of.dynamic_shared);
          break;
        case special::smid:
          to[lane] = 0;
          break;
        case special::nsmid:
          to[lane] = 1;
          break;
        }
      }
    }
  }
  std::vector<unsigned> turn(warps.size());
  for (unsigned w = 0; w < warps.size(); ++w)
    turn[w] = of.options.first == order::backward ? static_cast<unsigned>(warps.size()) - 1 - w : w;
  std::uint64_t steps = 0;
  for (;;) {
    bool ran = false, done = true;
    if (of.options.first == order::shuffled)
      for (std::size_t i = turn.size(); i > 1; --i) std::swap(turn[i - 1], turn[of.random(i)]);
    for (const unsigned w : turn) {
      if (warps[w].done()) continue;
      done = false;
      const bool could = warps[w].can_run();
      steps += warps[w].run(of.options.first == order::shuffled ? 1 + of.random(500) : slice);
      ran = ran || could;
    }
    if (done) return;
    if (!ran && !release_barriers()) {
      // A bar.warp.sync may have been released by the last turn.
      if (std::any_of(warps.begin(), warps.end(), [](const warp& w) { return !w.done() && w.can_run(); })) continue;
      report_stall();
    }
    if (steps > of.options.most_instructions) report_endless();
  }
}

void block::arrive(warp& who, const instruction& in, lane_mask lanes) {
  const unsigned first = static_cast<unsigned>(std::countr_zero(lanes));
  const bool reduces = in.has(modifier("red"));
  const operand* number = reduces ? &in.operands[1] : in.operands.empty() ? nullptr : &in.operands[0];
  const std::uint64_t n = number ? who.value(*number, first) : 0;
  if (n >= barriers_.size()) who.report("barrier number above 15", in, first);
  const std::size_t count_at = reduces ? 2 : 1;
  if (in.operands.size() > count_at + (reduces ? 1 : 0) &&
      who.value(in.operands[count_at], first) != of.threads.count())
    who.report("a barrier of a part of the block is not implemented", in, first);
  barrier& here = barriers_[n];
  if (here.at && here.at != &in)
    who.report("divergent barrier: other threads wait at PTX line " + std::to_string(here.at->line), in, first);
  here.at = &in;
  here.arrived += static_cast<std::uint32_t>(std::popcount(lanes));
}

bool block::release_barriers() {
  bool any = false;
  for (barrier& b : barriers_) {
    if (!b.at || b.arrived != of.threads.count()) continue;
    const instruction& in = *b.at;
    if (in.has(modifier("red"))) {
      std::uint32_t yes = 0;
      for (warp& w : warps) yes += static_cast<std::uint32_t>(std::popcount(w.test(in.operands.back()) & w.exists));
      const bool popc = in.has(modifier("popc")), all = in.has(modifier("and"));
      for (warp& w : warps) {
        if (popc) for_lanes(w.exists, [&](unsigned lane) { w.set(in.operands[0], lane, yes); });
        else
          w.set_predicate(in.operands[0].slot, w.exists, (all ? yes == of.threads.count() : yes > 0) ? all_lanes : 0);
      }
    }
    b = {};
    ++epoch;
    ++of.counted.barriers;
    for (warp& w : warps) {
      for (path& p : w.paths_)
        if (p.state == path::at_barrier && &of.code.code[p.pc] == &in) p.state = path::ready, ++p.pc;
      w.syncs_.clear();
      w.last_full_sync_ = 0;
    }
    any = true;
  }
  return any;
}

void block::report_endless() {
  for (const warp& w : warps)
    for (const path& p : w.paths_)
      if (p.state == path::ready)
        w.report("still running after " + std::to_string(of.options.most_instructions) + " instructions of its block",
                 of.code.code[p.pc], static_cast<unsigned>(std::countr_zero(p.lanes)));
  report_stall();
}

void block::report_stall() {
  std::uint64_t exited = 0;
  for (const warp& w : warps) exited += static_cast<std::uint64_t>(std::popcount(w.exited));
  for (const warp& w : warps)
    for (const path& p : w.paths_) {
      const instruction& in = of.code.code[p.pc];
      const auto lane = static_cast<unsigned>(std::countr_zero(p.lanes));
      const lane_mask missing = p.members & ~p.lanes;
      if (p.state == path::at_collective)
        w.report("lanes " + hexadecimal(missing) +
                     ((missing & w.exited) != 0 ? " have exited without" : " never come to") +
                     " a warp operation that names them",
                 in, lane);
    }
  for (const warp& w : warps)
    for (const path& p : w.paths_)
      if (p.state == path::at_barrier)
        w.report("divergent barrier: " + std::to_string(exited) + " threads have exited without it", of.code.code[p.pc],
                 static_cast<unsigned>(std::countr_zero(p.lanes)));
  throw error("nothing can go on in " + of.kernel.name);
}

// ---- shared memory

std::byte* block::shared_at(warp& who, std::uint64_t address, unsigned bytes, unsigned alignment, access how) {
  if (address + bytes > of.shared_bytes)
    throw fault("shared access out of bounds: bytes " + std::to_string(address) + " to " +
                std::to_string(address + bytes - 1) + " of " + std::to_string(of.shared_bytes));
  if (address % alignment != 0)
    throw fault("misaligned shared access: address " + std::to_string(address) + " must be a multiple of " +
                std::to_string(alignment));
  touch(who, static_cast<std::uint32_t>(address), bytes, how, false);
  return shared_.data() + address;
}

void block::touch(warp& who, std::uint32_t address, unsigned bytes, access how, bool begins_copy) {
  const unsigned lane = who.lane_at, me = who.thread(lane);
  const std::uint32_t syncs = who.sync_count();
  const auto other = [](unsigned thread) {
    return " by thread " + std::to_string(thread) + " with no barrier between";
  };
  for (std::uint32_t first = address / cell_, last = (address + bytes - 1) / cell_, c = first; c <= last; ++c) {
    shared_cell& cell = cells_[c];
    const std::uint32_t begin = std::max(address, c * cell_) - c * cell_,
                        end = std::min(address + bytes, (c + 1) * cell_) - c * cell_;
    const auto touched = static_cast<std::uint8_t>(((1u << (end - begin)) - 1) << begin);
    if (cell.pending)
      throw fault("shared byte " + std::to_string(c * cell_ + begin) +
                  " is on its way by cp.async: no wait for it between");
    if (how != access::write && (cell.written & touched) != touched)
      throw fault("read of shared memory that was never written: byte " + std::to_string(c * cell_ + begin));
    const bool both_atomic = how == access::update && cell.atomic;
    if (!both_atomic && cell.write_epoch == epoch && cell.writer != me &&
        !(cell.writer / warp_size == who.number && who.synced_since(cell.write_syncs, cell.writer % warp_size, lane)))
      throw fault(std::string("race: ") + (how == access::read ? "read" : "write") + " of shared byte " +
                  std::to_string(c * cell_ + begin) + ", written" + other(cell.writer));
    if (how != access::read && !both_atomic && cell.read_epoch == epoch) {
      const lane_mask elsewhere = cell.read_warps & ~(1u << who.number);
      if (elsewhere != 0)
        throw fault("race: write of shared byte " + std::to_string(c * cell_ + begin) + ", read" +
                    other(static_cast<unsigned>(std::countr_zero(elsewhere)) * warp_size));
      if (cell.read_warp == who.number)
        for_lanes(cell.read_lanes & ~(1u << lane), [&](unsigned reader) {
          if (!who.synced_since(cell.read_syncs, reader, lane))
            throw fault("race: write of shared byte " + std::to_string(c * cell_ + begin) + ", read" +
                        other(who.thread(reader)));
        });
    }
    if (how == access::read) {
      if (cell.read_epoch != epoch) cell.read_epoch = epoch, cell.read_warps = 0, cell.read_lanes = 0;
      if (cell.read_warp != who.number || cell.read_syncs != syncs) cell.read_lanes = 0;
      cell.read_warps |= 1u << who.number;
      cell.read_lanes |= 1u << lane;
      cell.read_warp = static_cast<std::uint8_t>(who.number), cell.read_syncs = syncs;
    } else {
      cell.write_epoch = epoch, cell.write_syncs = syncs, cell.writer = static_cast<std::uint16_t>(me);
      cell.written |= touched;
      cell.atomic = how == access::update;
      cell.pending = begins_copy;
    }
  }
}

void block::begin_copy(warp& who, const async_copy& copy) {
  if (copy.to + std::uint64_t{copy.bytes} > of.shared_bytes)
    throw fault("shared access out of bounds: cp.async to bytes " + std::to_string(copy.to) + " to " +
                std::to_string(copy.to + copy.bytes - 1) + " of " + std::to_string(of.shared_bytes));
  if (copy.to % copy.bytes != 0 || copy.from % copy.bytes != 0)
    throw fault("misaligned cp.async: both addresses must be multiples of " + std::to_string(copy.bytes));
  if (copy.from_bytes > copy.bytes) throw fault("cp.async: more bytes to read than to write");
  touch(who, copy.to, copy.bytes, access::write, true);
  if (copy.from_bytes > 0) of.memory.at(copy.from, copy.from_bytes, 1, access::read);
}

void block::finish_copy(warp& who, const async_copy& copy) {
  for (std::uint32_t c = copy.to / cell_; c <= (copy.to + copy.bytes - 1) / cell_; ++c) {
    shared_cell& cell = cells_[c];
    cell.pending = false;
    cell.write_epoch = epoch, cell.write_syncs = who.sync_count();
    cell.writer = static_cast<std::uint16_t>(who.thread(who.lane_at));
  }
  std::fill_n(shared_.begin() + copy.to, copy.bytes, std::byte{0});
  if (copy.from_bytes > 0)
    std::memcpy(shared_.data() + copy.to, of.memory.at(copy.from, copy.from_bytes, 1, access::read), copy.from_bytes);
}

} // namespace ptx
