// Branches, calls, barriers, and what the lanes of a warp do together.
#include "cuda/ptx/operands.hpp"
#include <algorithm>

namespace ptx {

namespace {

void enter(warp& w, const instruction& in, lane_mask lanes) { // arguments into the parameters of the callee
  const function& f = w.code().functions[in.operands[0].slot];
  const auto first = static_cast<unsigned>(std::countr_zero(lanes));
  w.lane_at = first;
  if (f.name == "__assertfail") throw fault("a device assertion failed");
  if (!f.defined) throw fault("call of a function without a body: " + f.name);
  if (in.operands.size() - 1 != f.results.size() + f.params.size())
    throw fault("call with another number of arguments than " + f.name + " has");
  for (std::size_t i = 0; i < f.params.size(); ++i) {
    const variable& to = f.params[i].second;
    const operand& from = in.operands[1 + in.results + i];
    for_lanes(lanes, [&](unsigned lane) {
      std::byte* const own = w.params.data() + lane * w.param_stride;
      if (from.kind == operand::constant) { // a .param variable: its offset
        std::memmove(own + to.offset, own + w.value(from, lane), to.size);
      } else {
        const std::uint64_t raw = w.value(from, lane);
        std::memcpy(own + to.offset, &raw, to.size);
      }
    });
  }
}
handler pick_call(const instruction&) { return enter; }

void sync_lanes(warp& w, const instruction&, lane_mask lanes) { w.sync(lanes); }
handler pick_sync(const instruction&) { return sync_lanes; }

void shuffle(warp& w, const instruction& in, lane_mask lanes) {
  const bool up = in.has(modifier("up")), down = in.has(modifier("down")), bfly = in.has(modifier("bfly"));
  std::array<std::uint32_t, warp_size> from{}, result{};
  lane_mask found = 0;
  for_lanes(lanes, [&](unsigned i) { from[i] = static_cast<std::uint32_t>(w.value(in.operands[1], i)); });
  for_lanes(lanes, [&](unsigned i) {
    const auto b = static_cast<std::uint32_t>(w.value(in.operands[2], i)) & 31;
    const auto c = static_cast<std::uint32_t>(w.value(in.operands[3], i));
    const std::uint32_t segment = c >> 8 & 31, clamp = c & 31;
    const std::uint32_t last = (i & segment) | (clamp & ~segment), first = i & segment;
    std::int64_t source = up ? std::int64_t{i} - b : down ? std::int64_t{i} + b : bfly ? i ^ b : first | (b & ~segment);
    const bool inside = up ? source >= last : source <= last;
    if (!inside) source = i;
    w.lane_at = i;
    if (!(lanes >> source & 1))
      throw fault("shfl reads lane " + std::to_string(source) + ", which its member mask does not name");
    result[i] = from[static_cast<std::size_t>(source)];
    found |= lane_mask{inside} << i;
  });
  for_lanes(lanes, [&](unsigned i) { w.set(in.operands[0], i, result[i]); });
  if (in.operands[0].second >= 0) w.set_predicate(static_cast<std::uint32_t>(in.operands[0].second), lanes, found);
}
handler pick_shuffle(const instruction&) { return shuffle; }

void vote(warp& w, const instruction& in, lane_mask lanes) {
  const lane_mask yes = w.test(in.operands[1]) & lanes;
  if (in.has(modifier("ballot"))) for_lanes(lanes, [&](unsigned i) { w.set(in.operands[0], i, yes); });
  else {
    const bool result = in.has(modifier("any"))   ? yes != 0
                        : in.has(modifier("all")) ? yes == lanes
                                                  : yes == lanes || yes == 0;
    w.set_predicate(in.operands[0].slot, lanes, result ? all_lanes : 0);
  }
}
handler pick_vote(const instruction&) { return vote; }

void match_lanes(warp& w, const instruction& in, lane_mask lanes) {
  std::array<std::uint64_t, warp_size> from{};
  for_lanes(lanes, [&](unsigned i) { from[i] = w.value(in.operands[1], i); });
  std::array<lane_mask, warp_size> same{};
  for_lanes(lanes,
            [&](unsigned i) { for_lanes(lanes, [&](unsigned j) { same[i] |= lane_mask{from[i] == from[j]} << j; }); });
  const bool all = in.has(modifier("all")), equal = same[static_cast<unsigned>(std::countr_zero(lanes))] == lanes;
  for_lanes(lanes, [&](unsigned i) { w.set(in.operands[0], i, all ? (equal ? lanes : 0) : same[i]); });
  if (all && in.operands[0].second >= 0)
    w.set_predicate(static_cast<std::uint32_t>(in.operands[0].second), lanes, equal ? all_lanes : 0);
}
handler pick_match(const instruction&) { return match_lanes; }

template <class T> void reduce(warp& w, const instruction& in, lane_mask lanes) {
  const auto* const from = source<T>(w, in.operands[1]);
  T sum = unpack<T>(from[std::countr_zero(lanes)]);
  for_lanes(lanes & (lanes - 1), [&](unsigned i) {
    const T x = unpack<T>(from[i]);
    sum = in.has(modifier("add"))   ? static_cast<T>(static_cast<std::uint32_t>(sum) + static_cast<std::uint32_t>(x))
          : in.has(modifier("min")) ? std::min(sum, x)
          : in.has(modifier("max")) ? std::max(sum, x)
          : in.has(modifier("and")) ? sum & x
          : in.has(modifier("or"))  ? sum | x
                                    : sum ^ x;
  });
  for_lanes(lanes, [&](unsigned i) { w.set(in.operands[0], i, static_cast<std::uint32_t>(sum)); });
}
handler pick_reduce(const instruction& in) {
  return in.types[0] == type::s32 ? reduce<std::int32_t> : reduce<std::uint32_t>;
}

void active(warp& w, const instruction& in, lane_mask lanes) {
  for_lanes(lanes, [&](unsigned i) { w.set(in.operands[0], i, lanes); });
}
handler pick_active(const instruction&) { return active; }

constexpr form table[] = {
    {"bra ?uni", "t", nullptr, flow::branch},
    {"brx idx", "*", nullptr, flow::indexed_branch},
    {"call ?uni", "*", pick_call, flow::call},
    {"ret ?uni", "", nullptr, flow::leave},
    {"exit", "", nullptr, flow::leave},
    {"trap", "", nullptr, flow::trap},
    {"bar ?cta sync", "sw sw?", nullptr, flow::barrier},
    {"barrier ?cta sync ?aligned", "sw sw?", nullptr, flow::barrier},
    {"bar ?cta red popc :u32", "d0 sw sp", nullptr, flow::barrier},
    {"bar ?cta red and|or :pred", "dp sw sp", nullptr, flow::barrier},
    {"barrier ?cta red popc ?aligned :u32", "d0 sw sp", nullptr, flow::barrier},
    {"barrier ?cta red and|or ?aligned :pred", "dp sw sp", nullptr, flow::barrier},
    {"bar warp sync", "m", pick_sync, flow::collective},
    {"shfl sync up|down|bfly|idx :b32", "d0| s0 sw sw m", pick_shuffle, flow::collective},
    {"vote sync ballot :b32", "d0 sp m", pick_vote, flow::collective},
    {"vote ballot sync :b32", "d0 sp m", pick_vote, flow::collective}, // as CUB writes it
    {"vote sync all|any|uni :pred", "dp sp m", pick_vote, flow::collective},
    {"match any sync :b32|b64", "dw s0 m", pick_match, flow::collective},
    {"match all sync :b32|b64", "dw| s0 m", pick_match, flow::collective},
    {"redux sync add|min|max :u32|s32", "d0 s0 m", pick_reduce, flow::collective},
    {"redux sync and|or|xor :b32", "d0 s0 m", pick_reduce, flow::collective},
    {"activemask :b32", "d0", pick_active},
};

} // namespace

std::span<const form> control_forms() { return table; }

} // namespace ptx
