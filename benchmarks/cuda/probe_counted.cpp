#include "cuda/runtime/stand_in.hpp"
#include "llmap/forward/cuda/cublas_lt.cuh"
#include "probe.hpp"

namespace llmap::bench {

bool counted() { return true; }

void measure(benchmark::State& state, const least_work& least, const std::function<void()>& op) {
  for (auto _ : state) {
    synchronize({});
    stand_in::reset_counters();
    op();
    synchronize({});
    state.SetIterationTime(1);
  }
  const ptx::counters did = stand_in::counted();
  if (did.loads.requests == 0) return state.SkipWithError("no kernel read anything");
  const auto ratio = [](auto a, auto b) { return b ? static_cast<double>(a) / static_cast<double>(b) : 0; };
  state.counters["bytes/least"] = ratio(32 * (did.loads.sectors + did.stores.sectors), least.bytes);
  state.counters["load_sectors"] = ratio(did.loads.sectors, did.loads.needed_sectors);
  state.counters["store_sectors"] = ratio(did.stores.sectors, did.stores.needed_sectors);
  state.counters["sectors/load"] = ratio(did.loads.sectors, did.loads.requests);
  state.counters["conflicts"] = ratio(did.bank_conflicts, did.shared_requests);
  state.counters["mma/op"] = ratio(2 * did.mma_operations, least.operations);
  state.counters["lanes/op"] = ratio(did.lane_instructions, least.operations);
}

std::shared_ptr<cublas_lt> library() { return nullptr; }

} // namespace llmap::bench
