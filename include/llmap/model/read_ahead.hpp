// The weight files of the model that comes next, brought into the file cache while the present one is scored. It
// changes how soon they are read, nothing else: whatever is wrong with them is found and said when the model is opened.
#pragma once
#include "llmap/core/memory.hpp"
#include "llmap/weights/model_weights.hpp"
#include <algorithm>
#include <atomic>
#include <fcntl.h>
#include <filesystem>
#include <thread>
#include <unistd.h>
#include <vector>

namespace llmap {

/// The files that weights of a model are read from: of its folder and of the base below an adapter, or the GGUF file
/// itself, in order of their names. None where there is no such folder.
inline std::vector<std::filesystem::path> weight_files(const std::filesystem::path& model,
                                                       const std::filesystem::path& base = {}) {
  std::vector<std::filesystem::path> files, folders{model};
  std::error_code none;
  try {
    if (std::filesystem::is_regular_file(model, none)) return {model};
    if (const auto below = base_folder(model, base); below != model) folders.push_back(below);
  } catch (const std::exception&) { // the base is missing
  }
  for (const auto& folder : folders)
    for (std::filesystem::directory_iterator at(folder, none), end; !none && at != end; at.increment(none)) {
      const auto form = at->path().extension();
      if ((form == ".safetensors" || form == ".gguf") && at->is_regular_file(none)) files.push_back(at->path());
    }
  std::sort(files.begin(), files.end());
  return files;
}

/// Asks the system to read ahead, in a thread that mostly waits. Destroyed or started anew, it asks for no more.
class read_ahead {
  static constexpr std::uint64_t step = std::uint64_t{64} << 20;
  std::thread thread_;
  std::atomic<bool> stop_ = false;
  std::atomic<std::uint64_t> asked_ = 0;

  void ask(const std::filesystem::path& file, std::uint64_t most) {
    std::error_code none;
    const std::uint64_t size = std::filesystem::file_size(file, none);
    const int opened = none ? -1 : ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (opened < 0) return;
    for (std::uint64_t first = 0; first < size && !stop_ && asked_ + std::min(step, size - first) <= most;
         first += step) {
      const std::uint64_t count = std::min(step, size - first);
      if (::posix_fadvise(opened, static_cast<off_t>(first), static_cast<off_t>(count), POSIX_FADV_WILLNEED) != 0)
        break;
      asked_ += count;
    }
    ::close(opened);
  }

public:
  read_ahead() = default;
  read_ahead(const read_ahead&) = delete;
  read_ahead& operator=(const read_ahead&) = delete;
  ~read_ahead() { wait(true); }

  /// At most half of the memory that is free, so that nothing in use has to give way.
  void start(const std::filesystem::path& model, const std::filesystem::path& base = {},
             std::uint64_t most = available_memory() / 2) {
    wait(true);
    stop_ = false, asked_ = 0;
    try {
      thread_ = std::thread([this, files = weight_files(model, base), most] {
        for (const auto& file : files) ask(file, most);
      });
    } catch (const std::exception&) { // without it, the files are read when their turn comes
    }
  }
  /// Until it has asked for all, or stops early. Returns the bytes that it asked for.
  std::uint64_t wait(bool early = false) {
    if (early) stop_ = true;
    if (thread_.joinable()) thread_.join();
    return asked_;
  }
};

} // namespace llmap
