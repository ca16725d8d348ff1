#include "cuda/ptx/warp.hpp"
#include <algorithm>

namespace ptx {

namespace {
constexpr std::uint64_t path_slice = 100'000; // instructions until another path of the warp has its turn
} // namespace

std::string hexadecimal(lane_mask lanes) {
  static const char digits[] = "0123456789abcdef";
  std::string text = "0x";
  for (int shift = 28; shift >= 0; shift -= 4) text += digits[lanes >> shift & 15];
  return text;
}

void warp::begin(block& of, unsigned index, lane_mask lanes, const module& code, std::uint32_t pc) {
  home = &of, number = index, exists = lanes, exited = 0, code_ = &code;
  if (!narrow_) {
    narrow_.reset(new std::uint32_t[std::size_t{code.registers32} * warp_size]);
    wide_.reset(new std::uint64_t[std::size_t{code.registers64} * warp_size]);
    predicates_.resize(code.predicates);
  }
  paths_.assign(1, {});
  paths_[0].pc = pc, paths_[0].lanes = lanes;
  syncs_.clear();
  last_full_sync_ = 0;
  for (auto& copies : open_copies) copies.clear();
  for (auto& groups : copy_groups) groups.clear();
}

bool warp::can_run() const {
  return std::any_of(paths_.begin(), paths_.end(), [](const path& p) { return p.state == path::ready; });
}

void warp::sync(lane_mask lanes) {
  syncs_.push_back(lanes);
  if (lanes == exists) last_full_sync_ = sync_count();
}
bool warp::synced_since(std::uint32_t count, unsigned a, unsigned b) const {
  if (last_full_sync_ > count) return true;
  const lane_mask both = (1u << a) | (1u << b);
  for (std::size_t i = count; i < syncs_.size(); ++i)
    if ((syncs_[i] & both) == both) return true;
  return false;
}

void warp::report(const std::string& what, const instruction& in, unsigned lane) const {
  throw error(what + " [" + place(home->of, home->id, thread(lane), in) + "]");
}

path& warp::split(std::size_t p, lane_mask lanes, std::uint32_t pc) {
  path other = paths_[p];
  paths_[p].lanes &= ~lanes;
  other.lanes = lanes, other.pc = pc;
  paths_.push_back(std::move(other));
  return paths_.back();
}

/// Path p takes in those that stand where it stands; one that waits there tries again with more lanes. Its new place.
std::size_t warp::join(std::size_t p) {
  for (std::size_t q = paths_.size(); q-- > 0;) {
    if (q == p || !meets(p, q)) continue;
    paths_[p].lanes |= paths_[q].lanes;
    paths_.erase(paths_.begin() + static_cast<std::ptrdiff_t>(q));
    if (q < p) --p;
  }
  return p;
}
bool warp::meets(std::size_t p, std::size_t q) const {
  return paths_[q].pc == paths_[p].pc && paths_[q].state != path::at_barrier && paths_[q].calls == paths_[p].calls;
}

/// The path to go on with: the one that is least far, so that paths meet again; or another, in other orders.
std::size_t warp::pick() {
  std::size_t best = paths_.size(), ready = 0;
  const order how = home->of.options.first;
  for (std::size_t p = 0; p < paths_.size(); ++p) {
    if (paths_[p].state != path::ready) continue;
    ++ready;
    if (best == paths_.size() || (how == order::backward   ? paths_[p].pc > paths_[best].pc
                                  : how == order::shuffled ? home->of.random(ready) == 0
                                                           : paths_[p].pc < paths_[best].pc))
      best = p;
  }
  return best;
}

/// Returns how much of the budget it has used.
std::uint64_t warp::run(std::uint64_t budget) {
  const std::uint64_t given = budget;
  while (budget > 0) {
    std::size_t p = pick();
    if (p == paths_.size()) {
      if (!release_syncs()) break;
      continue;
    }
    if (paths_.size() > 1) p = join(p);
    std::uint64_t turn = std::min(budget, path_slice);
    budget -= turn;
    step(p, turn);
    budget += turn;
  }
  return given - budget;
}

/// From the results of a function into the variables that its call names.
void warp::take_results(const instruction& call, lane_mask lanes) {
  const function& callee = code_->functions[call.operands[0].slot];
  for (std::size_t i = 0; i < callee.results.size(); ++i) {
    const variable& from = callee.results[i].second;
    for_lanes(lanes, [&](unsigned lane) {
      std::byte* const own = params.data() + lane * param_stride;
      std::memmove(own + value(call.operands[1 + i], lane), own + from.offset, from.size);
    });
  }
}

/// Goes on with path p until it blocks, splits, meets another or has had its turn.
void warp::step(std::size_t p, std::uint64_t& budget) {
  launch& in_launch = home->of;
  const instruction* const code = code_->code.data();
  const bool alone = paths_.size() == 1;
  while (budget > 0) {
    path& me = paths_[p];
    if (!alone) {
      for (std::size_t q = 0; q < paths_.size(); ++q)
        if (q != p && meets(p, q)) return;
    }
    --budget;
    const instruction& in = code[me.pc];
    now = &in;
    lane_mask lanes = me.lanes;
    if (in.guard >= 0)
      lanes &= in.guard_negated ? ~predicates_[static_cast<std::size_t>(in.guard)]
                                : predicates_[static_cast<std::size_t>(in.guard)];
    auto& counted = in_launch.of(me.pc);
    ++counted.issued;
    counted.active += static_cast<std::uint64_t>(std::popcount(lanes));
    switch (in.way) {
    case flow::straight:
      if (lanes != 0) {
        try {
          in.run(*this, in, lanes);
        } catch (const fault& wrong) {
          report(wrong.what(), in, lane_at);
        }
      }
      ++me.pc;
      break;
    case flow::branch:
      if (lanes == me.lanes) {
        me.pc = in.operands[0].slot;
      } else if (lanes == 0) {
        ++me.pc;
      } else {
        ++me.pc;
        split(p, lanes, in.operands[0].slot);
        return;
      }
      break;
    case flow::indexed_branch: {
      const auto& table = code_->branch_tables[in.operands[1].slot];
      const std::uint32_t* index = read32(in.operands[0]);
      const unsigned first = static_cast<unsigned>(std::countr_zero(me.lanes));
      if (lanes != me.lanes) report("guarded brx.idx is not implemented", in, first);
      if (index[first] >= table.size()) report("brx.idx: index beyond its table", in, first);
      lane_mask same = 0;
      for_lanes(lanes, [&](unsigned i) { same |= lane_mask{index[i] == index[first]} << i; });
      const std::uint32_t pc = me.pc;
      me.pc = table[index[first]];
      if (same != lanes) {
        split(p, lanes & ~same, pc);
        return;
      }
      break;
    }
    case flow::call: {
      const unsigned first = static_cast<unsigned>(std::countr_zero(me.lanes));
      if (lanes == 0) {
        ++me.pc;
        break;
      }
      if (lanes != me.lanes) report("guarded call is not implemented", in, first);
      try {
        in.run(*this, in, lanes);
      } catch (const fault& wrong) {
        report(wrong.what(), in, lane_at);
      }
      if (in.operands.empty() || in.operands[0].kind != operand::function) { // done by `run` alone
        ++me.pc;
        break;
      }
      const function& callee = code_->functions[in.operands[0].slot];
      for (const std::uint32_t back : me.calls)
        if (back > callee.begin && back <= callee.end)
          report("recursion is not implemented: " + callee.name, in, first);
      me.calls.push_back(me.pc + 1);
      me.pc = callee.begin;
      break;
    }
    case flow::leave: {
      if (lanes == 0) {
        ++me.pc;
        break;
      }
      if (in.opcode == "ret" && !me.calls.empty()) {
        if (lanes != me.lanes) {
          split(p, me.lanes & ~lanes, me.pc + 1);
        }
        paths_[p].pc = paths_[p].calls.back();
        take_results(code[paths_[p].pc - 1], lanes);
        paths_[p].calls.pop_back();
        return;
      }
      for_lanes(lanes, [&](unsigned lane) { finish_copies(lane, 0); });
      exited |= lanes;
      me.lanes &= ~lanes;
      if (me.lanes == 0) paths_.erase(paths_.begin() + static_cast<std::ptrdiff_t>(p));
      else ++me.pc;
      return;
    }
    case flow::barrier:
      if (lanes != me.lanes) { // those that pass by go on, then the others arrive
        if (lanes == 0) {
          ++me.pc;
          break;
        }
        split(p, me.lanes & ~lanes, me.pc + 1);
        paths_[p].state = path::at_barrier;
        home->arrive(*this, in, lanes);
        return;
      }
      me.state = path::at_barrier;
      home->arrive(*this, in, lanes);
      return;
    case flow::collective:
    case flow::together:
      if (lanes == 0) {
        ++me.pc;
        break;
      }
      if (lanes != me.lanes) {
        split(p, me.lanes & ~lanes, me.pc + 1);
        meet(p, in, lanes);
        return;
      }
      if (!meet(p, in, lanes)) return;
      break;
    case flow::trap: {
      if (lanes == 0) {
        ++me.pc;
        break;
      }
      report("trap", in, static_cast<unsigned>(std::countr_zero(lanes)));
    }
    }
  }
}

/// A path reaches an instruction of several lanes. Those that are complete execute it, the others wait. False: not all
/// of them executed it as one.
bool warp::meet(std::size_t p, const instruction& in, lane_mask lanes) {
  bool whole = true;
  while (lanes != 0) {
    lane_mask members = all_lanes, same = lanes;
    const auto first = static_cast<unsigned>(std::countr_zero(lanes));
    if (in.way == flow::collective) {
      const operand& mask = in.operands.back();
      members = static_cast<lane_mask>(value(mask, first));
      same = 0;
      for_lanes(lanes, [&](unsigned i) {
        const auto own = static_cast<lane_mask>(value(mask, i));
        if (!(own >> i & 1)) report("lane is not in its own member mask " + hexadecimal(own), in, i);
        same |= lane_mask{own == members} << i;
      });
    }
    if ((members & ~exists) != 0)
      report("member mask " + hexadecimal(members) + " names lanes that do not exist", in, first);
    if ((members & exited) != 0)
      report("member mask " + hexadecimal(members) + " names lanes that have exited", in, first);
    std::size_t at = p;
    if (same != lanes) {
      split(p, same, paths_[p].pc);
      at = paths_.size() - 1;
      whole = false;
    }
    lanes &= ~same;
    if (same == members) {
      try {
        in.run(*this, in, same);
      } catch (const fault& wrong) {
        report(wrong.what(), in, lane_at);
      }
      ++paths_[at].pc;
    } else {
      paths_[at].state = path::at_collective;
      paths_[at].members = members;
      whole = false;
    }
  }
  return whole;
}

/// Nothing of this warp can go on. Lanes that wait for each other at different bar.warp.sync are let go.
bool warp::release_syncs() {
  for (const path& waiting : paths_) {
    if (waiting.state != path::at_collective || code_->code[waiting.pc].opcode != "bar") continue;
    const lane_mask members = waiting.members;
    lane_mask arrived = 0;
    for (const path& other : paths_)
      if (other.state == path::at_collective && other.members == members && code_->code[other.pc].opcode == "bar")
        arrived |= other.lanes;
    if (arrived != members) continue;
    for (path& other : paths_)
      if (other.state == path::at_collective && other.members == members && code_->code[other.pc].opcode == "bar")
        other.state = path::ready, ++other.pc;
    sync(members);
    return true;
  }
  return false;
}

void warp::finish_copies(unsigned lane, std::size_t keep) {
  auto& groups = copy_groups[lane];
  for (; groups.size() > keep; groups.pop_front())
    for (const async_copy& copy : groups.front()) {
      lane_at = lane;
      home->finish_copy(*this, copy);
    }
}

} // namespace ptx
