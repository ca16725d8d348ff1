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
/// What this thread's device was asked for since reset_memory(), bytes as they are and at most.
struct memory_use {
  std::uint64_t allocations, bytes, most_bytes;
};
memory_use memory();
void reset_memory();
/// How often the host has waited for the device with something queued.
std::uint64_t waits();
/// Bytes of local memory that a kernel's PTX declares.
std::uint64_t local_bytes(const void* kernel);
/// Instructions that a kernel may execute again and again, whose name has this part, each with its place in the source.
std::vector<std::string> in_loops(const void* kernel, std::string_view part);
/// Makes the machine look as if it had so many devices, each with memory of this size. Each has its own memory, streams
/// and copies of global variables.
void set_devices(int count);
void set_memory(std::uint64_t bytes);

} // namespace stand_in
