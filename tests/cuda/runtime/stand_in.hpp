// What tests ask the stand-in CUDA runtime, beside the calls that CUDA has. The runtime queues what a stream is given
// and does it at the next synchronization, in order; a kernel that does what it must not makes that call fail, with
// what the interpreter says as its error string.
#pragma once
#include "cuda/ptx/warp.hpp"

namespace stand_in {

void use(ptx::launch_options options);
/// Of all launches since the last call of reset_counters().
ptx::counters counted();
void reset_counters();
std::size_t live_allocations();
/// Bytes of local memory that a kernel's PTX declares.
std::uint64_t local_bytes(const void* kernel);
/// Instructions that a kernel may execute again and again, whose name has this part, each with its place in the source.
std::vector<std::string> in_loops(const void* kernel, std::string_view part);
/// Makes the machine look as if it had no device, or memory of this size.
void set_devices(int count);
void set_memory(std::uint64_t bytes);

} // namespace stand_in
