#include "device.hpp"
#include <charconv>
#include <dlfcn.h>
#include <filesystem>

namespace {

/// The module's file: beside the tool, or where it is installed.
std::filesystem::path module_path() {
  std::error_code none;
  const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", none).parent_path();
  for (const auto& path : {folder / "llmap_cuda.so", folder.parent_path() / "lib" / "llmap_cuda.so"})
    if (std::filesystem::exists(path, none)) return path;
  return {};
}

/// Of a name of devices; none: all.
std::vector<int> numbers_in(const std::string& name) {
  const std::size_t colon = name.find(':');
  if (colon == name.npos) return {0};
  std::vector<int> numbers;
  for (const char *at = name.data() + colon + 1, *const end = name.data() + name.size(); at < end; ++at) {
    int number = 0;
    const auto [rest, problem] = std::from_chars(at, end, number);
    if (problem != std::errc{}) break; // all
    numbers.push_back(number);
    at = rest;
  }
  return numbers;
}

} // namespace

std::unique_ptr<const scoring_device> open_device(const std::string& name) {
  const std::filesystem::path path = module_path();
  if (path.empty())
    llmap::fail("--device ", name, ": this build of llmap has no CUDA (nvcc was not found when it was built)");
  void* const module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL); // for the rest of the program
  if (!module) llmap::fail("--device ", name, ": ", ::dlerror());
  const auto open = reinterpret_cast<open_device_function*>(::dlsym(module, "llmap_open_device"));
  if (!open) llmap::fail("--device ", name, ": ", ::dlerror());
  return std::unique_ptr<const scoring_device>(open(name, numbers_in(name)));
}
