#include "cuda/runtime/stand_in.hpp"
#include <algorithm>
#include <cstdlib>
#include <cuda_runtime_api.h>
#include <functional>
#include <mutex>
#include <utility>

namespace {

struct image { // the PTX of one translation unit, decoded when a kernel of it is first needed on a device
  std::vector<std::string> texts;
  std::map<int, std::unique_ptr<ptx::module>> code;
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

struct device {
  int major = 8;
  ptx::device_memory memory;
  std::map<std::uint64_t, std::uint64_t> allocations; // by address: bytes
  std::uint64_t allocated = 0, most = 0, made = 0, waits = 0;
  std::deque<std::function<void()>> queue;
};

struct state {
  std::recursive_mutex lock; // one call at a time, whichever thread makes it
  std::deque<device> all;    // kept where a test makes some look absent
  std::vector<std::unique_ptr<image>> images;
  std::map<const void*, kernel_symbol> kernels;
  std::map<const void*, variable_symbol> variables;
  std::uint64_t limit = pool_memory; // of each device
  std::map<const char*, std::size_t> pinned;
  ptx::launch_options options;
  ptx::counters counted;
  int devices = 0;

  state() { // LLMAP_DEVICES=8,9: two, of these major compute capabilities
    const char* const named = std::getenv("LLMAP_DEVICES");
    for (const char* at = named && *named ? named : "8"; *at; at += *at == ',') {
      set_devices(devices + 1);
      all.back().major = static_cast<int>(std::strtol(at, const_cast<char**>(&at), 10));
    }
  }
  void set_devices(int count) {
    for (devices = count; static_cast<int>(all.size()) < count;) {
      const device& own = all.emplace_back();
      all.back().memory.elsewhere = [this, &own](std::uint64_t address) {
        return std::any_of(all.begin(), all.end(),
                           [&](const device& d) { return &d != &own && d.memory.contains(address); });
      };
      all.back().memory.pinned = [this](std::uint64_t first, std::uint64_t bytes) {
        const auto next = pinned.upper_bound(reinterpret_cast<const char*>(first));
        return next != pinned.begin() &&
               first + bytes <= reinterpret_cast<std::uint64_t>(std::prev(next)->first) + std::prev(next)->second;
      };
    }
  }
};
state& here() {
  static state s;
  return s;
}

thread_local int in_use = 0; // the device of this thread's calls
thread_local cudaError_t last = cudaSuccess;
thread_local std::string message;

device& current() { return here().all.at(static_cast<std::size_t>(in_use)); }
/// The device whose memory this is, or the one in use.
device& owner(std::uint64_t address) {
  for (device& d : here().all)
    if (d.memory.contains(address)) return d;
  return current();
}
std::unique_lock<std::recursive_mutex> alone() { return std::unique_lock(here().lock); }

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
  if (e != cudaSuccess) last = e;
  return e;
}
cudaError_t failed(cudaError_t e, const std::string& why) {
  message = why;
  return answer(e);
}

const ptx::module& decoded(image& of) {
  std::unique_ptr<ptx::module>& code = of.code[in_use];
  if (code) return *code;
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
  code = ptx::decode(*best, current().memory);
  return *code;
}

cudaError_t finish() { // all that is queued on the device in use
  device& d = current();
  cudaError_t result = cudaSuccess;
  d.waits += !d.queue.empty();
  while (!d.queue.empty()) {
    const std::function<void()> work = std::move(d.queue.front());
    d.queue.pop_front();
    try {
      work();
    } catch (const std::exception& problem) {
      result = failed(cudaErrorLaunchFailure, problem.what());
    }
  }
  return result;
}

cudaError_t launch(const void* function, dim3 grid, dim3 block, void** arguments, std::size_t shared) {
  const auto hold = alone();
  state& s = here();
  const auto found = s.kernels.find(function);
  if (found == s.kernels.end()) return answer(cudaErrorInvalidDeviceFunction);
  try {
    const ptx::module& code = decoded(*found->second.of);
    const ptx::function& kernel = code.entry(found->second.name);
    if (static_cast<int>(shared) > found->second.dynamic_shared || kernel.shared_bytes + shared > most_shared)
      return failed(cudaErrorInvalidValue, ptx::readable(kernel.name) +
                                               ": more shared memory than the kernel may have: " +
                                               std::to_string(kernel.shared_bytes + shared) + " bytes");
    auto run = std::make_shared<ptx::launch>(code, kernel, current().memory, ptx::extent{grid.x, grid.y, grid.z},
                                             ptx::extent{block.x, block.y, block.z}, shared, arguments, s.options);
    current().queue.emplace_back([run, &s] {
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
  if (on_device(to) && on_device(from)) current().memory.copy(address(to), address(from), bytes);
  else
    std::memmove(on_device(to) ? owner(address(to)).memory.for_host(address(to), bytes, true) : to,
                 on_device(from) ? owner(address(from)).memory.for_host(address(from), bytes, false) : from, bytes);
}
bool is_pinned(const void* p) { return current().memory.pinned(address(p), 1); }
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
std::size_t live_allocations() { return current().allocations.size(); }
memory_use memory() { return {current().made, current().allocated, current().most}; }
void reset_memory() { current().most = current().allocated, current().made = 0; }
std::uint64_t waits() { return current().waits; }
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
void set_devices(int count) { here().set_devices(count); }
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
  const auto hold = alone();
  device& d = current();
  *to = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (d.allocated + bytes > here().limit) return answer(cudaErrorMemoryAllocation);
  const std::uint64_t at = d.memory.allocate(bytes, "an allocation of " + std::to_string(bytes) + " bytes");
  if (at == 0) return answer(cudaErrorMemoryAllocation);
  d.allocations[at] = bytes;
  d.allocated += bytes;
  d.most = std::max(d.most, d.allocated), ++d.made;
  *to = reinterpret_cast<void*>(at);
  return cudaSuccess;
}
cudaError_t cudaFree(void* p) {
  const auto hold = alone();
  if (!p) return cudaSuccess;
  const cudaError_t before = finish();
  device& d = owner(address(p));
  const auto found = d.allocations.find(address(p));
  if (found == d.allocations.end()) return failed(cudaErrorInvalidValue, "cudaFree of what was not allocated");
  d.allocated -= found->second;
  d.allocations.erase(found);
  d.memory.release(address(p));
  return before;
}
cudaError_t cudaMallocAsync(void** to, std::size_t bytes, cudaStream_t) { return cudaMalloc(to, bytes); }
cudaError_t cudaFreeAsync(void* p, cudaStream_t) {
  const auto hold = alone();
  if (!p) return cudaSuccess;
  device& d = current();
  if (!d.allocations.count(address(p)))
    return failed(cudaErrorInvalidValue, "cudaFreeAsync of what was not allocated on the device in use");
  d.queue.emplace_back([p, &d] {
    d.allocated -= d.allocations.at(address(p));
    d.allocations.erase(address(p));
    d.memory.release(address(p));
  });
  return cudaSuccess;
}
cudaError_t cudaMallocHost(void** to, std::size_t bytes) {
  const auto hold = alone();
  *to = std::malloc(bytes);
  std::memset(*to, 0xff, bytes); // NaN: who reads before it is written, is told
  here().pinned[static_cast<char*>(*to)] = bytes;
  return cudaSuccess;
}
cudaError_t cudaHostAlloc(void** to, std::size_t bytes, unsigned) { return cudaMallocHost(to, bytes); }
cudaError_t cudaFreeHost(void* p) {
  const auto hold = alone();
  finish();
  here().pinned.erase(static_cast<char*>(p));
  std::free(p);
  return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* of, const void* p) {
  const auto hold = alone();
  *of = {};
  of->type = on_device(p) ? cudaMemoryTypeDevice : is_pinned(p) ? cudaMemoryTypeHost : cudaMemoryTypeUnregistered;
  return cudaSuccess;
}

cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind) {
  const auto hold = alone();
  const cudaError_t before = finish();
  const cudaError_t copied = guarded([&] { copy_now(to, from, bytes); });
  return before != cudaSuccess ? before : copied;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t) {
  const auto hold = alone();
  const bool to_host = !on_device(to), from_host = !on_device(from);
  if (to_host && !is_pinned(to)) return cudaMemcpy(to, from, bytes, kind); // the call waits, as CUDA's does
  if (from_host && !is_pinned(from)) {                                     // staged before the call returns
    const char* const first = static_cast<const char*>(from);
    current().queue.emplace_back(
        [to, bytes, staged = std::vector<char>(first, first + bytes)] { copy_now(to, staged.data(), bytes); });
    return cudaSuccess;
  }
  current().queue.emplace_back([=] { copy_now(to, from, bytes); });
  return cudaSuccess;
}
cudaError_t cudaMemcpy2D(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch, std::size_t width,
                         std::size_t height, cudaMemcpyKind) {
  const auto hold = alone();
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
  const auto hold = alone();
  current().queue.emplace_back([=] { std::memset(current().memory.for_host(address(to), bytes, true), value, bytes); });
  return cudaSuccess;
}
cudaError_t cudaMemset(void* to, int value, std::size_t bytes) {
  const auto hold = alone();
  cudaMemsetAsync(to, value, bytes, nullptr);
  return finish();
}
cudaError_t cudaMemcpyToSymbol(const void* symbol, const void* from, std::size_t bytes, std::size_t offset,
                               cudaMemcpyKind) {
  const auto hold = alone();
  finish();
  return guarded([&] { copy_now(reinterpret_cast<void*>(symbol_address(symbol) + offset), from, bytes); });
}
cudaError_t cudaMemcpyFromSymbol(void* to, const void* symbol, std::size_t bytes, std::size_t offset, cudaMemcpyKind) {
  const auto hold = alone();
  finish();
  return guarded([&] { copy_now(to, reinterpret_cast<void*>(symbol_address(symbol) + offset), bytes); });
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = here().devices;
  return *count > 0 ? cudaSuccess : answer(cudaErrorNoDevice);
}
cudaError_t cudaGetDevice(int* device) {
  *device = in_use;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= here().devices) return answer(cudaErrorInvalidDevice);
  in_use = device;
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
  const auto hold = alone();
  return finish();
}
cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaDeviceSynchronize(); }
cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  *stream = reinterpret_cast<cudaStream_t>(new char);
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) { return cudaStreamCreate(stream); }
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const auto hold = alone();
  finish();
  delete reinterpret_cast<char*>(stream);
  return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = reinterpret_cast<cudaEvent_t>(new char);
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaDeviceSynchronize(); }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete reinterpret_cast<char*>(event);
  return cudaSuccess;
}
cudaError_t cudaGetLastError() { return std::exchange(last, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return last; }
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
    return message.c_str();
  }
}
const char* cudaGetErrorName(cudaError_t e) { return e == cudaSuccess ? "cudaSuccess" : "cudaError"; }

cudaError_t cudaMemGetInfo(std::size_t* available, std::size_t* total) {
  const auto hold = alone();
  *total = here().limit;
  *available = *total - current().allocated;
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
  p->major = here().all[static_cast<std::size_t>(device)].major, p->minor = 0, p->multiProcessorCount = 4;
  p->totalGlobalMem = here().limit, p->sharedMemPerBlock = 48 * 1024, p->sharedMemPerBlockOptin = most_shared;
  p->warpSize = 32, p->maxThreadsPerBlock = 1024;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr what, int device) {
  switch (what) {
  case cudaDevAttrComputeCapabilityMajor:
    *value = here().all.at(static_cast<std::size_t>(device)).major;
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
  const auto hold = alone();
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
  const auto hold = alone();
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
