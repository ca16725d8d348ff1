// A regular file mapped read-only into memory. Links are followed; anything that is not a regular file is refused.
#pragma once
#include "llmap/core/error.hpp"
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <span>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace llmap {

/// The bytes of an open file, valid as long as the object lives. Where another process cuts the file short, touching a
/// mapped page beyond its new end ends the program; `read` reports it instead.
class mapped_file {
public:
  /// A missing file, or one that cannot be mapped, is an llmap::error that names it.
  explicit mapped_file(const std::filesystem::path& path) : path_(path) {
    // O_NONBLOCK: opening a pipe that nobody writes to must not hang before it can be refused.
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) fail(path.string(), ": cannot open: ", std::strerror(errno));
    struct stat status {};
    const bool known = ::fstat(fd, &status) == 0;
    if (!known || !S_ISREG(status.st_mode)) {
      ::close(fd);
      fail(path.string(), ": expected a regular file");
    }
    size_ = static_cast<std::size_t>(status.st_size);
    modified_ = status.st_mtim;
    if (size_ > 0) {
      void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
      if (address == MAP_FAILED) {
        const int reason = errno;
        ::close(fd);
        fail(path.string(), ": cannot map ", size_, " bytes: ", std::strerror(reason));
      }
      data_ = static_cast<const std::byte*>(address);
    }
    descriptor_ = fd;
  }
  mapped_file(const mapped_file&) = delete;
  mapped_file& operator=(const mapped_file&) = delete;
  ~mapped_file() {
    if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
    ::close(descriptor_);
  }

  /// All of the file, empty if it is.
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; } ///< as it was opened

  /// Reads `to.size()` bytes starting at `first`; for data that is read once, this is cheaper than mapped pages.
  void read(std::size_t first, std::span<std::byte> to) const {
    while (!to.empty()) {
      const ssize_t n = ::pread(descriptor_, to.data(), to.size(), static_cast<off_t>(first));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail(path_.string(), ": cannot read at byte ", first, ": ", std::strerror(errno));
      if (n == 0)
        fail(path_.string(), ": the file changed while it was in use: expected ", size_, " bytes, got ", first);
      first += static_cast<std::size_t>(n);
      to = to.subspan(static_cast<std::size_t>(n));
    }
  }

  /// Returns the pages that lie wholly inside the range to the system; they are read again when touched.
  void release(std::span<const std::byte> range) const {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const auto first = (static_cast<std::size_t>(range.data() - data_) + page - 1) / page * page;
    const auto last = static_cast<std::size_t>(range.data() + range.size() - data_) / page * page;
    if (first < last) ::madvise(const_cast<std::byte*>(data_) + first, last - first, MADV_DONTNEED);
  }

  /// Fails if the file at this path has changed since it was opened. Called before results are acknowledged.
  void check_unchanged() const {
    struct stat status {};
    if (::stat(path_.c_str(), &status) != 0) fail(path_.string(), ": the file was removed while it was in use");
    if (static_cast<std::size_t>(status.st_size) != size_)
      fail(path_.string(), ": the file changed while it was in use: expected ", size_, " bytes, got ", status.st_size);
    if (status.st_mtim.tv_sec != modified_.tv_sec || status.st_mtim.tv_nsec != modified_.tv_nsec)
      fail(path_.string(), ": the file was written to while it was in use");
  }

private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  int descriptor_ = -1;
  timespec modified_{};
};

} // namespace llmap
