// Bytes of a file, a pipe or a device, unpacked where they are gzip or Zstandard: told by how they begin, not by name.
#pragma once
#include "llmap/core/error.hpp"
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <istream>
#include <iterator>
#include <memory>
#include <streambuf>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>
#include <zlib.h>
#include <zstd.h>

namespace llmap {

/// The most bytes that a text set or a document may have, unpacked: it is held in memory.
inline constexpr std::uint64_t most_text_bytes = std::uint64_t{4} << 30;

/// A stream buffer over such bytes. Faults of the file are thrown as llmap::error from the reading functions, which an
/// istream passes on if its exceptions() ask for badbit.
class text_source : public std::streambuf {
public:
  /// `what` says in messages what was expected at `path`.
  text_source(const std::filesystem::path& path, const std::string& what) : name_(path.string()) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) fail(name_, ": expected ", what, ", got no such file");
    if (fd < 0) fail(name_, ": cannot be opened: ", std::strerror(errno));
    descriptor_.reset(new int(fd));
    struct stat status {};
    if (::fstat(fd, &status) != 0) fail(name_, ": cannot be read: ", std::strerror(errno));
    if (S_ISDIR(status.st_mode)) fail(name_, ": expected ", what, ", got a directory");
    if (S_ISREG(status.st_mode) && static_cast<std::uint64_t>(status.st_size) > most_text_bytes)
      too_long(status.st_size);
    while (raw_.size() < 4 && fill()) {
    }
    const std::string_view head(raw_.data(), raw_.size());
    if (head.starts_with("\x1f\x8b")) start_gzip();
    else if (head.starts_with("\x28\xb5\x2f\xfd")) zstd_.reset(ZSTD_createDCtx());
    // Archives made with --long have windows of up to 2 GiB.
    if (zstd_) ZSTD_DCtx_setParameter(zstd_.get(), ZSTD_d_windowLogMax, 31);
  }

protected:
  /// Decompresses or reads the next bytes; the end of the file is eof.
  int_type underflow() override {
    const std::size_t got = gzip_ ? read_gzip() : zstd_ ? read_zstd() : read_plain();
    if (got == 0) return traits_type::eof();
    if ((total_ += got) > most_text_bytes) too_long(total_);
    setg(out_.data(), out_.data(), out_.data() + got);
    return traits_type::to_int_type(*gptr());
  }

private:
  struct close_descriptor {
    void operator()(int* fd) const {
      ::close(*fd);
      delete fd;
    }
  };
  struct end_gzip {
    void operator()(z_stream* s) const {
      inflateEnd(s);
      delete s;
    }
  };
  struct end_zstd {
    void operator()(ZSTD_DCtx* c) const { ZSTD_freeDCtx(c); }
  };
  std::string name_, raw_; // raw_: bytes of the file that are not used yet
  std::unique_ptr<int, close_descriptor> descriptor_;
  std::unique_ptr<z_stream, end_gzip> gzip_;
  std::unique_ptr<ZSTD_DCtx, end_zstd> zstd_;
  std::vector<char> out_ = std::vector<char>(std::size_t{1} << 16);
  std::uint64_t total_ = 0;
  bool inside_ = false; // a compressed stream has begun and not ended

  template <class Size> [[noreturn]] void too_long(Size size) const {
    fail(name_, ": expected at most ", most_text_bytes, " bytes, got ", size);
  }
  /// Reads more of the file; false at its end.
  bool fill() {
    std::array<char, 1 << 16> more;
    ssize_t n;
    do n = ::read(*descriptor_, more.data(), more.size());
    while (n < 0 && errno == EINTR);
    if (n < 0) fail(name_, ": cannot be read: ", std::strerror(errno));
    raw_.append(more.data(), static_cast<std::size_t>(n));
    return n > 0;
  }
  std::size_t read_plain() {
    if (raw_.empty() && !fill()) return 0;
    const std::size_t n = std::min(raw_.size(), out_.size());
    std::memcpy(out_.data(), raw_.data(), n);
    raw_.erase(0, n);
    return n;
  }
  void start_gzip() {
    gzip_.reset(new z_stream{});
    if (inflateInit2(gzip_.get(), 15 + 16) != Z_OK) fail(name_, ": gzip: out of memory");
  }
  [[noreturn]] void ends_early(const char* form) const {
    fail(name_, ": expected a whole ", form, " file, got one that ends early");
  }
  /// A file may hold several members, one behind the other.
  std::size_t read_gzip() {
    for (;;) {
      if (raw_.empty() && !fill()) {
        if (inside_) ends_early("gzip");
        return 0;
      }
      if (!inside_ && inflateReset(gzip_.get()) != Z_OK) fail(name_, ": gzip: could not be restarted");
      inside_ = true;
      gzip_->next_in = reinterpret_cast<Bytef*>(raw_.data());
      gzip_->avail_in = static_cast<uInt>(raw_.size());
      gzip_->next_out = reinterpret_cast<Bytef*>(out_.data());
      gzip_->avail_out = static_cast<uInt>(out_.size());
      const int result = inflate(gzip_.get(), Z_NO_FLUSH);
      if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
        fail(name_, ": gzip: ", gzip_->msg ? gzip_->msg : "cannot be unpacked");
      raw_.erase(0, raw_.size() - gzip_->avail_in);
      if (result == Z_STREAM_END) inside_ = false;
      if (const std::size_t got = out_.size() - gzip_->avail_out) return got;
    }
  }
  std::size_t read_zstd() {
    for (;;) {
      if (raw_.empty() && !fill()) {
        if (inside_) ends_early("Zstandard");
        return 0;
      }
      ZSTD_inBuffer in{raw_.data(), raw_.size(), 0};
      ZSTD_outBuffer out{out_.data(), out_.size(), 0};
      const std::size_t result = ZSTD_decompressStream(zstd_.get(), &out, &in);
      if (ZSTD_isError(result)) fail(name_, ": Zstandard: ", ZSTD_getErrorName(result));
      raw_.erase(0, in.pos);
      inside_ = result != 0;
      if (out.pos) return out.pos;
    }
  }
};

/// All of a document, unpacked.
inline std::string read_document(const std::filesystem::path& path, const std::string& what = "a text") {
  text_source source(path, what);
  std::istream in(&source);
  in.exceptions(std::ios::badbit);
  return {std::istreambuf_iterator<char>(in), {}};
}

} // namespace llmap
