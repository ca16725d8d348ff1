// ldmatrix and mma.sync. Fragment layouts as the PTX manual draws them: lane = 4 * row + column pair.
#include "cuda/ptx/operands.hpp"

namespace ptx {

namespace {

/// Matrix k of 8 rows of 16 bytes comes from the addresses of lanes 8k to 8k + 7; a lane gets two elements of a row, or
/// of a column with .trans.
void load_matrices(warp& w, const instruction& in, lane_mask) {
  const operand& to = in.operands[0];
  const unsigned count = to.kind == operand::vector ? to.count : 1;
  std::uint16_t rows[32][8];
  std::array<std::uint64_t, warp_size> addresses{};
  for (unsigned lane = 0; lane < 8 * count; ++lane) {
    w.lane_at = lane;
    const std::uint64_t address = w.address(in.operands[1], lane);
    addresses[lane] = in.where == space::generic ? address & ~shared_window : address & 0xffffffffu;
    std::memcpy(rows[lane], w.home->shared_at(w, addresses[lane], 16, 16, access::read), 16);
  }
  count_shared(w.home->of, in, count == 4 ? all_lanes : (1u << 8 * count) - 1, addresses.data(), 16);
  const bool turned = in.has(modifier("trans"));
  for (unsigned k = 0; k < count; ++k)
    for (unsigned lane = 0; lane < warp_size; ++lane) {
      const unsigned row = lane / 4, pair = lane % 4 * 2;
      const std::uint32_t low = turned ? rows[8 * k + pair][row] : rows[8 * k + row][pair];
      const std::uint32_t high = turned ? rows[8 * k + pair + 1][row] : rows[8 * k + row][pair + 1];
      w.set(count == 1 && to.kind != operand::vector ? to : in.elements[to.slot + k], lane, low | high << 16);
    }
}
handler pick_load_matrices(const instruction& in) {
  const unsigned wanted = in.has(modifier("x4")) ? 4 : in.has(modifier("x2")) ? 2 : 1;
  const operand& to = in.operands[0];
  if (in.operands.size() != 2 || in.operands[1].kind != operand::address) return nullptr;
  if (to.kind == operand::vector ? to.count != wanted : wanted != 1 || to.kind != operand::reg32) return nullptr;
  return load_matrices;
}

/// D (16, 8) = A (16, K) B (K, 8) + C, K 8 or 16. Products are exact and summed in double with C, then rounded once:
/// the device keeps fewer bits and cuts them off, so its results differ in the last places.
template <bool Brain, unsigned K> void multiply(warp& w, const instruction& in, lane_mask) {
  const auto widen = [](std::uint32_t pair, unsigned half) {
    const auto raw = static_cast<std::uint16_t>(pair >> 16 * half);
    return Brain ? from_bf16(raw) : from_f16(raw);
  };
  float a[16][K], b[8][K];
  double c[16][8];
  const auto element = [&](unsigned o, unsigned e) -> const operand& { return in.elements[in.operands[o].slot + e]; };
  for (unsigned e = 0; e < K / 4; ++e) { // registers of A: rows r and r + 8 of each 8 columns
    const std::uint32_t* from = w.read32(element(1, e));
    for (unsigned lane = 0; lane < warp_size; ++lane)
      for (unsigned h = 0; h < 2; ++h) a[lane / 4 + e % 2 * 8][lane % 4 * 2 + h + e / 2 * 8] = widen(from[lane], h);
  }
  for (unsigned e = 0; e < K / 8; ++e) {
    const std::uint32_t* from =
        w.read32(K == 8 && in.operands[2].kind != operand::vector ? in.operands[2] : element(2, e));
    for (unsigned lane = 0; lane < warp_size; ++lane)
      for (unsigned h = 0; h < 2; ++h) b[lane / 4][lane % 4 * 2 + h + e * 8] = widen(from[lane], h);
  }
  for (unsigned e = 0; e < 4; ++e) {
    const std::uint32_t* from = w.read32(element(3, e));
    for (unsigned lane = 0; lane < warp_size; ++lane)
      c[lane / 4 + e / 2 * 8][lane % 4 * 2 + e % 2] = bits<float>(from[lane]);
  }
  float turned[K][8];
  for (unsigned k = 0; k < K; ++k)
    for (unsigned j = 0; j < 8; ++j) turned[k][j] = b[j][k];
  for (unsigned i = 0; i < 16; ++i)
    for (unsigned k = 0; k < K; ++k)
      for (unsigned j = 0; j < 8; ++j) c[i][j] += static_cast<double>(a[i][k]) * static_cast<double>(turned[k][j]);
  for (unsigned e = 0; e < 4; ++e) {
    std::uint32_t* const to = w.write32(element(0, e));
    for (unsigned lane = 0; lane < warp_size; ++lane)
      to[lane] = bits<std::uint32_t>(static_cast<float>(c[lane / 4 + e / 2 * 8][lane % 4 * 2 + e % 2]));
  }
  w.home->of.counted.mma_operations += 16 * 8 * K;
}
handler pick_multiply(const instruction& in) {
  const bool deep = in.has(modifier("m16n8k16"));
  const auto vector_of = [&](std::size_t o, unsigned count) {
    const operand& v = in.operands[o];
    if (v.kind != operand::vector || v.count != count) return false;
    for (unsigned e = 0; e < count; ++e) {
      const auto kind = in.elements[v.slot + e].kind;
      if (kind != operand::reg32 && !(kind == operand::constant && o != 0)) return false;
    }
    return true;
  };
  if (in.operands.size() != 4 || in.types[1] != in.types[2] || !vector_of(0, 4) || !vector_of(3, 4) ||
      !vector_of(1, deep ? 4 : 2) || !(vector_of(2, deep ? 2 : 1) || (!deep && in.operands[2].kind == operand::reg32)))
    return nullptr;
  if (in.types[1] == type::bf16) return deep ? multiply<true, 16> : multiply<true, 8>;
  return deep ? multiply<false, 16> : multiply<false, 8>;
}

constexpr form table[] = {
    {"ldmatrix sync aligned m8n8 x1|x2|x4 ?trans ?shared|shared::cta b16", "*", pick_load_matrices, flow::together},
    {"mma sync aligned m16n8k16|m16n8k8 row col :f32 :f16|bf16 :f16|bf16 :f32", "*", pick_multiply, flow::together},
};

} // namespace

std::span<const form> matrix_forms() { return table; }

} // namespace ptx
