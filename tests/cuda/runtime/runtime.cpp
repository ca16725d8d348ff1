#include "cuda/runtime/stand_in.hpp"
#include <algorithm>
#include <cstdlib>
#include <cuda_runtime_api.h>
#include <functional>
#include <mutex>
#include <utility>

namespace {

struct image { // the PTX of one translation unit, decoded when a kernel of it is first needed
  std::vector<std::string> texts;
  std::unique_ptr<ptx::module> code;
};
struct kernel_symbol {
  image* of;
  std::string name;
  int dynamic_shared = 48 * 1024; // the most a launch may ask for
};
struct variable_symbol {
  image* of;
  std::string name;
};

constexpr int most_shared = 163 * 1024;            // of a block of sm_80, opted in
constexpr std::uint64_t pool_memory = 80ull << 30; // what the device says it has

struct state {
  std::recursive_mutex lock;
  ptx::device_memory memory;
  std::vector<std::unique_ptr<image>> images;
  std::map<const void*, kernel_symbol> kernels;
  std::map<const void*, variable_symbol> variables;
  std::map<std::uint64_t, std::uint64_t> allocations; // by address: bytes
  std::uint64_t allocated = 0, limit = pool_memory;
  std::map<const char*, std::size_t> pinned;
  std::deque<std::function<void()>> queue;
  ptx::launch_options options;
  ptx::counters counted;
  cudaError_t last = cudaSuccess;
  std::string message;
  int devices = 1;
};
state& here() {
  static state s;
  return s;
}

struct launch_shape {
  dim3 grid, block;
  std::size_t shared;
  cudaStream_t stream;
};
std::vector<launch_shape>& shapes() {
  static thread_local std::vector<launch_shape> stack;
  return stack;
}

cudaError_t answer(cudaError_t e) {
  if (e != cudaSuccess) here().last = e;
  return e;
}
cudaError_t failed(cudaError_t e, const std::string& message) {
  here().message = message;
  return answer(e);
}

const ptx::module& decoded(image& of) {
  if (of.code) return *of.code;
  // LLMAP_PTX_TARGET=90: the PTX for compute capability 9.0; the lowest that is embedded otherwise.
  const char* const wanted = std::getenv("LLMAP_PTX_TARGET");
  const std::string* best = nullptr;
  int least = 0;
  for (const std::string& text : of.texts) {
    const std::size_t at = text.find(".target sm_");
    const int target = at == std::string::npos ? 0 : std::atoi(text.c_str() + at + 11);
    if (wanted ? target == std::atoi(wanted) : !best || target < least) best = &text, least = target;
  }
  if (!best) throw ptx::error("no PTX of the wanted target is embedded");
  of.code = ptx::decode(*best, here().memory);
  return *of.code;
}

cudaError_t finish() { // all that is queued
  state& s = here();
  cudaError_t result = cudaSuccess;
  while (!s.queue.empty()) {
    const std::function<void()> work = std::move(s.queue.front());
    s.queue.pop_front();
    try {
      work();
    } catch (const std::exception& problem) {
      result = failed(cudaErrorLaunchFailure, problem.what());
    }
  }
  return result;
}

cudaError_t launch(const void* function, dim3 grid, dim3 block, void** arguments, std::size_t shared) {
  state& s = here();
  const std::lock_guard hold(s.lock);
  const auto found = s.kernels.find(function);
  if (found == s.kernels.end()) return answer(cudaErrorInvalidDeviceFunction);
  try {
    const ptx::module& code = decoded(*found->second.of);
    const ptx::function& kernel = code.entry(found->second.name);
    if (static_cast<int>(shared) > found->second.dynamic_shared || kernel.shared_bytes + shared > most_shared)
      return failed(cudaErrorInvalidValue, ptx::readable(kernel.name) +
                                               ": more shared memory than the kernel may have: " +
                                               std::to_string(kernel.shared_bytes + shared) + " bytes");
    auto run = std::make_shared<ptx::launch>(code, kernel, s.memory, ptx::extent{grid.x, grid.y, grid.z},
                                             ptx::extent{block.x, block.y, block.z}, shared, arguments, s.options);
    s.queue.emplace_back([run, &s] {
      run->run();
      s.counted.add(run->counted);
    });
    return cudaSuccess;
  } catch (const std::exception& problem) {
    return failed(cudaErrorInvalidConfiguration, problem.what());
  }
}

std::uint64_t address(const void* p) { return reinterpret_cast<std::uint64_t>(p); }
bool on_device(const void* p) { return (address(p) & ptx::device_bit) != 0; }

/// Either pointer may be the host's or the device's.
void copy_now(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  ptx::device_memory& memory = here().memory;
  if (on_device(to) && on_device(from)) memory.copy(address(to), address(from), bytes);
  else
    std::memmove(on_device(to) ? memory.for_host(address(to), bytes, true) : to,
                 on_device(from) ? memory.for_host(address(from), bytes, false) : from, bytes);
}
bool is_pinned(const void* p) {
  const auto& pinned = here().pinned;
  const auto next = pinned.upper_bound(static_cast<const char*>(p));
  return next != pinned.begin() && p < std::prev(next)->first + std::prev(next)->second;
}
template <class Work> cudaError_t guarded(const Work& work) {
  try {
    work();
    return cudaSuccess;
  } catch (const std::exception& problem) {
    return failed(cudaErrorInvalidValue, problem.what());
  }
}
std::uint64_t symbol_address(const void* symbol) {
  const variable_symbol& v = here().variables.at(symbol);
  return decoded(*v.of).variables.at(v.name).offset;
}

} // namespace

namespace stand_in {
void use(ptx::launch_options options) { here().options = options; }
ptx::counters counted() { return here().counted; }
void reset_counters() { here().counted = {}; }
std::size_t live_allocations() { return here().allocations.size(); }
std::uint64_t local_bytes(const void* kernel) {
  const kernel_symbol& k = here().kernels.at(kernel);
  return decoded(*k.of).entry(k.name).local_bytes;
}
std::vector<std::string> in_loops(const void* kernel, std::string_view part) {
  const kernel_symbol& k = here().kernels.at(kernel);
  const ptx::module& code = decoded(*k.of);
  const ptx::function& f = code.entry(k.name);
  std::vector<std::string> found;
  for (const std::uint32_t i : ptx::instructions_in_loops(code, f))
    if (code.code[i].name.find(part) != std::string::npos)
      found.push_back(code.code[i].name + " " + ptx::source_of(code, code.code[i]));
  return found;
}
void set_devices(int count) { here().devices = count; }
void set_memory(std::uint64_t bytes) { here().limit = bytes; }
} // namespace stand_in

extern "C" {

// ---- what nvcc's host code calls

void** __cudaRegisterFatBinary(void* wrapped) {
  struct wrapper {
    std::uint32_t magic, version;
    const char* data;
    void* rest;
  };
  const char* const data = static_cast<const wrapper*>(wrapped)->data;
  std::uint16_t header;
  std::uint64_t size;
  std::memcpy(&header, data + 6, 2);
  std::memcpy(&size, data + 8, 8);
  auto made = std::make_unique<image>();
  for (const char *entry = data + header, *end = data + header + size; entry < end;) {
    std::uint16_t kind;
    std::uint32_t entry_header;
    std::uint64_t bytes;
    std::memcpy(&kind, entry, 2);
    std::memcpy(&entry_header, entry + 4, 4);
    std::memcpy(&bytes, entry + 8, 8);
    if (kind == 1) made->texts.emplace_back(entry + entry_header, strnlen(entry + entry_header, bytes));
    entry += entry_header + bytes;
  }
  here().images.push_back(std::move(made));
  return reinterpret_cast<void**>(here().images.back().get());
}
void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}
char __cudaInitModule(void**) { return 1; }
void __cudaRegisterFunction(void** of, const char* host, char*, const char* name, int, uint3*, uint3*, dim3*, dim3*,
                            int*) {
  here().kernels[host] = {reinterpret_cast<image*>(of), name};
}
void __cudaRegisterVar(void** of, char* host, char*, const char* name, int, std::size_t, int, int) {
  here().variables[host] = {reinterpret_cast<image*>(of), name};
}
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, std::size_t shared, cudaStream_t stream) {
  shapes().push_back({grid, block, shared, stream});
  return 0;
}
cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, std::size_t* shared, void* stream) {
  const launch_shape top = shapes().back();
  shapes().pop_back();
  *grid = top.grid, *block = top.block, *shared = top.shared, *static_cast<cudaStream_t*>(stream) = top.stream;
  return cudaSuccess;
}
cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* function) {
  *kernel = reinterpret_cast<cudaKernel_t>(const_cast<void*>(function));
  return cudaSuccess;
}
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments, std::size_t shared,
                               cudaStream_t) {
  return launch(reinterpret_cast<const void*>(kernel), grid, block, arguments, shared);
}

// ---- the runtime

cudaError_t cudaLaunchKernel(const void* function, dim3 grid, dim3 block, void** arguments, std::size_t shared,
                             cudaStream_t) {
  return launch(function, grid, block, arguments, shared);
}
cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* c, const void* function, void** arguments) {
  return launch(function, c->gridDim, c->blockDim, arguments, c->dynamicSmemBytes);
}

cudaError_t cudaMalloc(void** to, std::size_t bytes) {
  state& s = here();
  *to = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (s.allocated + bytes > s.limit) return answer(cudaErrorMemoryAllocation);
  const std::uint64_t at = s.memory.allocate(bytes, "an allocation of " + std::to_string(bytes) + " bytes");
  if (at == 0) return answer(cudaErrorMemoryAllocation);
  s.allocations[at] = bytes;
  s.allocated += bytes;
  *to = reinterpret_cast<void*>(at);
  return cudaSuccess;
}
cudaError_t cudaFree(void* p) {
  if (!p) return cudaSuccess;
  state& s = here();
  const cudaError_t before = finish();
  const auto found = s.allocations.find(address(p));
  if (found == s.allocations.end()) return failed(cudaErrorInvalidValue, "cudaFree of what was not allocated");
  s.allocated -= found->second;
  s.allocations.erase(found);
  s.memory.release(address(p));
  return before;
}
cudaError_t cudaMallocAsync(void** to, std::size_t bytes, cudaStream_t) { return cudaMalloc(to, bytes); }
cudaError_t cudaFreeAsync(void* p, cudaStream_t) {
  if (!p) return cudaSuccess;
  if (!here().allocations.count(address(p)))
    return failed(cudaErrorInvalidValue, "cudaFreeAsync of what was not allocated");
  here().queue.emplace_back([p] {
    state& s = here();
    s.allocated -= s.allocations.at(address(p));
    s.allocations.erase(address(p));
    s.memory.release(address(p));
  });
  return cudaSuccess;
}
cudaError_t cudaMallocHost(void** to, std::size_t bytes) {
  *to = std::malloc(bytes);
  here().pinned[static_cast<char*>(*to)] = bytes;
  return cudaSuccess;
}
cudaError_t cudaHostAlloc(void** to, std::size_t bytes, unsigned) { return cudaMallocHost(to, bytes); }
cudaError_t cudaFreeHost(void* p) {
  finish();
  here().pinned.erase(static_cast<char*>(p));
  std::free(p);
  return cudaSuccess;
}

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind) {
  const cudaError_t before = finish();
  const cudaError_t copied = guarded([&] { copy_now(to, from, bytes); });
  return before != cudaSuccess ? before : copied;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t) {
  const bool to_host = !on_device(to), from_host = !on_device(from);
  if (to_host && !is_pinned(to)) return cudaMemcpy(to, from, bytes, kind); // the call waits, as CUDA's does
  if (from_host && !is_pinned(from)) {                                     // staged before the call returns
    const char* const first = static_cast<const char*>(from);
    here().queue.emplace_back(
        [to, bytes, staged = std::vector<char>(first, first + bytes)] { copy_now(to, staged.data(), bytes); });
    return cudaSuccess;
  }
  here().queue.emplace_back([=] { copy_now(to, from, bytes); });
  return cudaSuccess;
}
cudaError_t cudaMemcpy2D(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch, std::size_t width,
                         std::size_t height, cudaMemcpyKind) {
  const cudaError_t before = finish();
  const cudaError_t copied = guarded([&] {
    for (std::size_t r = 0; r < height; ++r)
      copy_now(static_cast<char*>(to) + r * to_pitch, static_cast<const char*>(from) + r * from_pitch, width);
  });
  return before != cudaSuccess ? before : copied;
}
cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                              std::size_t width, std::size_t height, cudaMemcpyKind kind, cudaStream_t) {
  return cudaMemcpy2D(to, to_pitch, from, from_pitch, width, height, kind);
}
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t) {
  here().queue.emplace_back([=] { std::memset(here().memory.for_host(address(to), bytes, true), value, bytes); });
  return cudaSuccess;
}
cudaError_t cudaMemset(void* to, int value, std::size_t bytes) {
  cudaMemsetAsync(to, value, bytes, nullptr);
  return finish();
}
cudaError_t cudaMemcpyToSymbol(const void* symbol, const void* from, std::size_t bytes, std::size_t offset,
                               cudaMemcpyKind) {
  finish();
  return guarded([&] { copy_now(reinterpret_cast<void*>(symbol_address(symbol) + offset), from, bytes); });
}
cudaError_t cudaMemcpyFromSymbol(void* to, const void* symbol, std::size_t bytes, std::size_t offset, cudaMemcpyKind) {
  finish();
  return guarded([&] { copy_now(to, reinterpret_cast<void*>(symbol_address(symbol) + offset), bytes); });
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = here().devices;
  return *count > 0 ? cudaSuccess : answer(cudaErrorNoDevice);
}
cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  return device >= 0 && device < here().devices ? cudaSuccess : answer(cudaErrorInvalidDevice);
}
cudaError_t cudaDeviceSynchronize() { return finish(); }
cudaError_t cudaStreamSynchronize(cudaStream_t) { return finish(); }
cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  *stream = reinterpret_cast<cudaStream_t>(new char);
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) { return cudaStreamCreate(stream); }
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  finish();
  delete reinterpret_cast<char*>(stream);
  return cudaSuccess;
}
cudaError_t cudaGetLastError() { return std::exchange(here().last, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return here().last; }
const char* cudaGetErrorString(cudaError_t e) {
  switch (e) {
  case cudaSuccess:
    return "no error";
  case cudaErrorNoDevice:
    return "no CUDA-capable device is detected";
  case cudaErrorMemoryAllocation:
    return "out of memory";
  case cudaErrorInvalidDevice:
    return "invalid device ordinal";
  case cudaErrorInvalidDeviceFunction:
    return "invalid device function";
  default:
    return here().message.c_str();
  }
}
const char* cudaGetErrorName(cudaError_t e) { return e == cudaSuccess ? "cudaSuccess" : "cudaError"; }

cudaError_t cudaMemGetInfo(std::size_t* available, std::size_t* total) {
  *total = here().limit;
  *available = *total - here().allocated;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) { return cudaRuntimeGetVersion(version); }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int device) {
  if (device < 0 || device >= here().devices) return answer(cudaErrorInvalidDevice);
  *p = {};
  std::strcpy(p->name, "PTX interpreter");
  p->major = 8, p->minor = 0, p->multiProcessorCount = 4;
  p->totalGlobalMem = here().limit, p->sharedMemPerBlock = 48 * 1024, p->sharedMemPerBlockOptin = most_shared;
  p->warpSize = 32, p->maxThreadsPerBlock = 1024;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr what, int) {
  switch (what) {
  case cudaDevAttrComputeCapabilityMajor:
    *value = 8;
    break;
  case cudaDevAttrComputeCapabilityMinor:
    *value = 0;
    break;
  case cudaDevAttrMultiProcessorCount:
    *value = 4;
    break;
  case cudaDevAttrMaxThreadsPerBlock:
    *value = 1024;
    break;
  case cudaDevAttrWarpSize:
    *value = 32;
    break;
  case cudaDevAttrMaxSharedMemoryPerBlock:
    *value = 48 * 1024;
    break;
  case cudaDevAttrMaxSharedMemoryPerBlockOptin:
    *value = most_shared;
    break;
  case cudaDevAttrMaxGridDimX:
    *value = 0x7fffffff;
    break;
  case cudaDevAttrMaxGridDimY:
    *value = 65535;
    break;
  case cudaDevAttrMemoryPoolsSupported:
    *value = 1;
    break;
  default:
    return failed(cudaErrorInvalidValue, "the stand-in runtime does not know this attribute");
  }
  return cudaSuccess;
}
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* a, const void* function) {
  const auto found = here().kernels.find(function);
  if (found == here().kernels.end()) return answer(cudaErrorInvalidDeviceFunction);
  return guarded([&] {
    const ptx::function& kernel = decoded(*found->second.of).entry(found->second.name);
    *a = {};
    a->ptxVersion = a->binaryVersion = 80;
    a->maxThreadsPerBlock = kernel.max_threads ? static_cast<int>(kernel.max_threads) : 1024;
    a->sharedSizeBytes = kernel.shared_bytes, a->localSizeBytes = kernel.local_bytes;
  });
}
cudaError_t cudaFuncSetAttribute(const void* function, cudaFuncAttribute what, int value) {
  const auto found = here().kernels.find(function);
  if (found == here().kernels.end()) return answer(cudaErrorInvalidDeviceFunction);
  if (what == cudaFuncAttributeMaxDynamicSharedMemorySize) {
    if (value > most_shared) return failed(cudaErrorInvalidValue, "more shared memory than a block can have");
    found->second.dynamic_shared = value;
  }
  return cudaSuccess;
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void*, int threads, std::size_t,
                                                                   unsigned) {
  *blocks = std::max(1, 2048 / std::max(threads, 1));
  return cudaSuccess;
}

} // extern "C"
