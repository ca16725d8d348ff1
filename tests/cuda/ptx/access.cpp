// Loads, stores, atomics, cp.async, fences.
#include "cuda/ptx/operands.hpp"
#include <algorithm>
#include <cmath>

namespace ptx {

namespace {

struct place_of_address {
  space where;
  std::uint64_t address;
};
place_of_address resolve(space where, std::uint64_t address) {
  if (where == space::shared) return {where, address & 0xffffffffu};
  if (where != space::generic) return {where, address};
  if (address & shared_window) return {space::shared, address & ~shared_window};
  if (address & local_window) return {space::local, address & ~local_window};
  if (address & param_window) return {space::param, address & ~param_window};
  return {space::global, address};
}

std::byte* lane_bytes(warp& w, std::vector<std::byte>& all, std::uint64_t stride, std::uint64_t address, unsigned bytes,
                      const char* name) {
  if (address + bytes > stride) throw fault(std::string(name) + " access out of bounds");
  return all.data() + w.lane_at * stride + address;
}

std::byte* at(warp& w, space where, std::uint64_t address, unsigned bytes, access how) {
  switch (where) {
  case space::shared:
    return w.home->shared_at(w, address, bytes, bytes, how);
  case space::local:
    return lane_bytes(w, w.locals, w.local_stride, address, bytes, "local");
  case space::param:
    return lane_bytes(w, w.params, w.param_stride, address, bytes, "parameter");
  default:
    return w.home->of.memory.at(address, bytes, bytes, how);
  }
}

/// The lanes' addresses in one state space, counted.
void find_addresses(warp& w, const instruction& in, const operand& o, lane_mask lanes, unsigned bytes, bool store,
                    std::array<std::uint64_t, warp_size>& addresses, std::array<space, warp_size>& spaces) {
  lane_mask global = 0, shared = 0, local = 0;
  for_lanes(lanes, [&](unsigned i) {
    const auto [where, address] = resolve(in.where, w.address(o, i));
    addresses[i] = address, spaces[i] = where;
    global |= lane_mask{where == space::global} << i;
    shared |= lane_mask{where == space::shared} << i;
    local |= lane_mask{where == space::local} << i;
  });
  if (global != 0) count_global(w.home->of, global, addresses.data(), bytes, store);
  if (shared != 0) count_shared(w.home->of, in, shared, addresses.data(), bytes);
  if (local != 0) ++w.home->of.counted.local_requests;
}

template <class T> std::uint64_t read_as(const std::byte* from) { // sign-extended where T is signed
  T value;
  std::memcpy(&value, from, sizeof value);
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
}
std::uint64_t read_number(const std::byte* from, type t) {
  switch (t) {
  case type::s8:
    return read_as<std::int8_t>(from);
  case type::s16:
    return read_as<std::int16_t>(from);
  case type::s32:
    return read_as<std::int32_t>(from);
  default:
    break;
  }
  switch (bytes_of(t)) {
  case 1:
    return read_as<std::uint8_t>(from);
  case 2:
    return read_as<std::uint16_t>(from);
  case 4:
    return read_as<std::uint32_t>(from);
  default:
    return read_as<std::uint64_t>(from);
  }
}

void load(warp& w, const instruction& in, lane_mask lanes) {
  const operand& to = in.operands[0];
  const unsigned n = bytes_of(in.types[0]), count = to.kind == operand::vector ? to.count : 1;
  std::array<std::uint64_t, warp_size> addresses;
  std::array<space, warp_size> spaces;
  find_addresses(w, in, in.operands[1], lanes, n * count, false, addresses, spaces);
  for_lanes(lanes, [&](unsigned i) {
    w.lane_at = i;
    const std::byte* const from = at(w, spaces[i], addresses[i], n * count, access::read);
    if (count == 1) return w.set(to, i, read_number(from, in.types[0]));
    for (unsigned e = 0; e < count; ++e) w.set(in.elements[to.slot + e], i, read_number(from + e * n, in.types[0]));
  });
}
void store(warp& w, const instruction& in, lane_mask lanes) {
  const operand& from = in.operands[1];
  const unsigned n = bytes_of(in.types[0]), count = from.kind == operand::vector ? from.count : 1;
  std::array<std::uint64_t, warp_size> addresses;
  std::array<space, warp_size> spaces;
  find_addresses(w, in, in.operands[0], lanes, n * count, true, addresses, spaces);
  for_lanes(lanes, [&](unsigned i) {
    w.lane_at = i;
    std::byte* const to = at(w, spaces[i], addresses[i], n * count, access::write);
    for (unsigned e = 0; e < count; ++e) {
      const std::uint64_t raw = w.value(count == 1 ? from : in.elements[from.slot + e], i);
      std::memcpy(to + e * n, &raw, n);
    }
  });
}
handler pick_load(const instruction&) { return load; }
handler pick_store(const instruction&) { return store; }

template <class T> T updated(const instruction& in, T old, T by, T other) {
  if (in.has(modifier("exch"))) return by;
  if (in.has(modifier("cas"))) return old == by ? other : old;
  if (in.has(modifier("min"))) return std::min(old, by);
  if (in.has(modifier("max"))) return std::max(old, by);
  if constexpr (std::is_integral_v<T>) {
    using U = std::make_unsigned_t<T>;
    if (in.has(modifier("add"))) return static_cast<T>(static_cast<U>(old) + static_cast<U>(by));
    if (in.has(modifier("inc"))) return old >= by ? T{0} : static_cast<T>(old + 1);
    if (in.has(modifier("dec"))) return old == 0 || old > by ? by : static_cast<T>(old - 1);
    if (in.has(modifier("and"))) return old & by;
    if (in.has(modifier("or"))) return old | by;
    return old ^ by;
  } else {
    return old + by;
  }
}
/// Lanes one after another, in their order.
template <bool Returns, class T> void atomic(warp& w, const instruction& in, lane_mask lanes) {
  constexpr std::size_t first = Returns ? 1 : 0;
  std::array<std::uint64_t, warp_size> addresses;
  std::array<space, warp_size> spaces;
  find_addresses(w, in, in.operands[first], lanes, sizeof(T), true, addresses, spaces);
  for_lanes(lanes, [&](unsigned i) {
    w.lane_at = i;
    std::byte* const to = at(w, spaces[i], addresses[i], sizeof(T), access::update);
    T old;
    std::memcpy(&old, to, sizeof old);
    const T by = bits<T>(w.value(in.operands[first + 1], i));
    const T other = in.operands.size() > first + 2 ? bits<T>(w.value(in.operands[first + 2], i)) : T{};
    const T result = updated(in, old, by, other);
    std::memcpy(to, &result, sizeof result);
    if (Returns) w.set(in.operands[0], i, bits<slot_of<T>>(old));
  });
}
template <bool Returns> handler pick_atomic(const instruction& in) {
  if (in.has(modifier("cas")) != (in.operands.size() == (Returns ? 4 : 3))) return nullptr;
  return with_type(in.types[0], []<class T>() -> handler {
    if constexpr (sizeof(T) >= 4) return atomic<Returns, T>;
    else return nullptr;
  });
}

void begin_async(warp& w, const instruction& in, lane_mask lanes) {
  const auto bytes = static_cast<std::uint32_t>(w.value(in.operands[2], 0));
  if (bytes != 16 && (in.has(modifier("cg")) || (bytes != 4 && bytes != 8)))
    throw fault("cp.async of a size that it has not");
  std::array<std::uint64_t, warp_size> to{}, from{};
  std::array<async_copy, warp_size> copies;
  lane_mask reading = 0;
  for_lanes(lanes, [&](unsigned i) {
    to[i] = resolve(space::shared, w.address(in.operands[0], i)).address;
    from[i] = w.address(in.operands[1], i);
    const auto read = in.operands.size() > 3 ? static_cast<std::uint32_t>(w.value(in.operands[3], i)) : bytes;
    copies[i] = {from[i], static_cast<std::uint32_t>(to[i]), bytes, read};
    reading |= lane_mask{read > 0} << i;
  });
  if (reading != 0) count_global(w.home->of, reading, from.data(), bytes, false);
  count_shared(w.home->of, in, lanes, to.data(), bytes);
  for_lanes(lanes, [&](unsigned i) {
    w.lane_at = i;
    w.home->begin_copy(w, copies[i]);
    w.open_copies[i].push_back(copies[i]);
  });
}
handler pick_async(const instruction&) { return begin_async; }
void commit_async(warp& w, const instruction&, lane_mask lanes) {
  for_lanes(lanes, [&](unsigned i) {
    w.copy_groups[i].push_back(std::move(w.open_copies[i]));
    w.open_copies[i].clear();
  });
}
handler pick_commit(const instruction&) { return commit_async; }
void wait_async(warp& w, const instruction& in, lane_mask lanes) {
  const bool all = in.has(modifier("wait_all"));
  const std::uint64_t keep = all ? 0 : w.value(in.operands[0], 0);
  if (all) commit_async(w, in, lanes);
  for_lanes(lanes, [&](unsigned i) { w.finish_copies(i, keep); });
}
handler pick_wait(const instruction&) { return wait_async; }

void nothing(warp&, const instruction&, lane_mask) {}
handler pick_nothing(const instruction&) { return nothing; } // one thread at a time: memory is always in order

constexpr form table[] = {
    {"ld ?weak ?const|global|local|param|shared|shared::cta ?ca|cg|cs|lu|cv "
     "?L1::no_allocate|L1::evict_last|L1::evict_first ?L2::64B|L2::128B|L2::256B ?v2|v4 "
     ":b8|b16|b32|b64|u8|u16|u32|u64|s8|s16|s32|s64|f32|f64",
     "dx0 a", pick_load},
    {"ld volatile ?global|local|shared|shared::cta ?v2|v4 :b8|b16|b32|b64|u8|u16|u32|u64|s8|s16|s32|s64|f32|f64",
     "dx0 a", pick_load},
    {"ld relaxed|acquire cta|cluster|gpu|sys ?global|shared|shared::cta ?v2|v4 "
     ":b8|b16|b32|b64|u8|u16|u32|u64|s8|s16|s32|s64|f32|f64",
     "dx0 a", pick_load},
    {"ld global ?ca|cg|cs nc ?L1::no_allocate|L1::evict_last|L1::evict_first ?L2::64B|L2::128B|L2::256B ?v2|v4 "
     ":b8|b16|b32|b64|u8|u16|u32|u64|s8|s16|s32|s64|f32|f64",
     "dx0 a", pick_load},
    {"st ?weak ?global|local|param|shared|shared::cta ?wb|cg|cs|wt ?v2|v4 "
     ":b8|b16|b32|b64|u8|u16|u32|u64|s8|s16|s32|s64|f32|f64",
     "a sx0", pick_store},
    {"st volatile ?global|local|shared|shared::cta ?v2|v4 :b8|b16|b32|b64|u8|u16|u32|u64|s8|s16|s32|s64|f32|f64",
     "a sx0", pick_store},
    {"st relaxed|release cta|cluster|gpu|sys ?global|shared|shared::cta ?v2|v4 "
     ":b8|b16|b32|b64|u8|u16|u32|u64|s8|s16|s32|s64|f32|f64",
     "a sx0", pick_store},
    {"atom ?relaxed|acquire|release|acq_rel ?cta|cluster|gpu|sys ?global|shared|shared::cta add :u32|u64|s32|f32|f64",
     "d0 a s0", pick_atomic<true>},
    {"atom ?relaxed|acquire|release|acq_rel ?cta|cluster|gpu|sys ?global|shared|shared::cta min|max :u32|u64|s32|s64",
     "d0 a s0", pick_atomic<true>},
    {"atom ?relaxed|acquire|release|acq_rel ?cta|cluster|gpu|sys ?global|shared|shared::cta inc|dec :u32", "d0 a s0",
     pick_atomic<true>},
    {"atom ?relaxed|acquire|release|acq_rel ?cta|cluster|gpu|sys ?global|shared|shared::cta and|or|xor|exch :b32|b64",
     "d0 a s0", pick_atomic<true>},
    {"atom ?relaxed|acquire|release|acq_rel ?cta|cluster|gpu|sys ?global|shared|shared::cta cas :b32|b64", "d0 a s0 s0",
     pick_atomic<true>},
    {"red ?relaxed|release ?cta|cluster|gpu|sys ?global|shared|shared::cta add :u32|u64|s32|f32|f64", "a s0",
     pick_atomic<false>},
    {"red ?relaxed|release ?cta|cluster|gpu|sys ?global|shared|shared::cta min|max :u32|u64|s32|s64", "a s0",
     pick_atomic<false>},
    {"red ?relaxed|release ?cta|cluster|gpu|sys ?global|shared|shared::cta inc|dec :u32", "a s0", pick_atomic<false>},
    {"red ?relaxed|release ?cta|cluster|gpu|sys ?global|shared|shared::cta and|or|xor :b32|b64", "a s0",
     pick_atomic<false>},
    {"cp async ca|cg shared|shared::cta global ?L2::64B|L2::128B|L2::256B", "a a sw sw?", pick_async},
    {"cp async commit_group", "", pick_commit},
    {"cp async wait_group", "sw", pick_wait},
    {"cp async wait_all", "", pick_wait},
    {"nanosleep :u32", "s0", pick_nothing},
    {"membar cta|gl|sys", "", pick_nothing},
    {"fence ?sc|acq_rel|acquire|release cta|cluster|gpu|sys", "", pick_nothing},
};

} // namespace

std::span<const form> memory_forms() { return table; }

} // namespace ptx
