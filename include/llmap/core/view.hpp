// Views of matrices, and the aligned buffers that own their memory. Row-major: a row is contiguous, and rows may be
// `stride` elements apart.
#pragma once
#include "llmap/core/error.hpp"
#include "llmap/core/host_device.hpp"
#include "llmap/core/large_pages.hpp"
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>
#include <type_traits>

namespace llmap {

/// A matrix (rows, cols) that lies elsewhere. Copying a view copies no numbers, and indices are not checked.
template <class T> struct matrix_view {       // (rows, cols)
  T* data = nullptr;                          ///< element (0, 0)
  std::size_t rows = 0, cols = 0, stride = 0; ///< stride: elements from a row to the next

  matrix_view() = default;
  /// Rows that follow one another without a gap.
  matrix_view(T* data, std::size_t rows, std::size_t cols) : matrix_view(data, rows, cols, cols) {}
  /// Rows `stride` elements apart.
  matrix_view(T* data, std::size_t rows, std::size_t cols, std::size_t stride)
      : data(data), rows(rows), cols(cols), stride(stride) {}
  /// A view for reading, of one for writing.
  template <class U>
  requires std::is_same_v<const U, T> matrix_view(const matrix_view<U>& other)
      : matrix_view(other.data, other.rows, other.cols, other.stride) {}

  /// The cols elements of row r.
  LLMAP_HD T* row(std::size_t r) const { return data + r * stride; }
  LLMAP_HD T& operator()(std::size_t r, std::size_t c) const { return data[r * stride + c]; } ///< row r, column c
  /// Rows [first, first + count), (count, cols).
  matrix_view row_range(std::size_t first, std::size_t count) const {
    return {data + first * stride, count, cols, stride};
  }
  /// Columns [first, first + count), (rows, count).
  matrix_view column_range(std::size_t first, std::size_t count) const { return {data + first, rows, count, stride}; }
};

/// Owning array of trivially copyable elements, aligned to 64 bytes; grows, never shrinks. Contents after `resize` are
/// unspecified. Running out of memory is an llmap::error that names the size. Large arrays ask for large pages, which
/// take fewer page faults when first written.
template <class T> class aligned_buffer {
  static_assert(std::is_trivially_copyable_v<T>);
  struct release {
    void operator()(T* p) const { std::free(p); }
  };
  std::unique_ptr<T[], release> data_;
  std::size_t size_ = 0, capacity_ = 0;

public:
  aligned_buffer() = default;
  explicit aligned_buffer(std::size_t size) { resize(size); } ///< as after resize(size)

  /// Makes it `size` elements.
  void resize(std::size_t size) {
    if (size > capacity_) {
      data_.reset();
      capacity_ = size_ = 0;
      if (size > (static_cast<std::size_t>(-1) / 2 - 64) / sizeof(T)) fail("out of memory: ", size, " elements");
      // Not aligned to large pages: glibc would then map each such buffer anew and fault its pages again.
      constexpr std::size_t alignment = 64;
      const std::size_t needed = size * sizeof(T), bytes = (needed + alignment - 1) / alignment * alignment;
      data_.reset(static_cast<T*>(std::aligned_alloc(alignment, bytes)));
      if (!data_) fail("out of memory: ", needed, " bytes");
      advise_large_pages(data_.get(), needed);
      capacity_ = size;
    }
    size_ = size;
  }
  std::size_t size() const { return size_; }
  T* data() const { return data_.get(); }
  T& operator[](std::size_t i) const { return data_[i]; }    ///< element i, not checked
  std::span<T> span() const { return {data_.get(), size_}; } ///< all elements
};

/// A buffer viewed as a matrix (rows, cols) of the shape last asked for. Asking for the same shape keeps the numbers.
template <class T> class matrix_buffer {
  aligned_buffer<T> storage_;
  std::size_t rows_ = 0, cols_ = 0;

public:
  /// More elements than memory can hold are an llmap::error. Another shape leaves the numbers unspecified.
  matrix_view<T> reshape(std::size_t rows, std::size_t cols) {
    if (cols != 0 && rows > static_cast<std::size_t>(-1) / cols)
      fail("out of memory: ", rows, " x ", cols, " elements");
    storage_.resize(rows * cols);
    rows_ = rows, cols_ = cols;
    return view();
  }
  /// The shape last asked for; (0, 0) at first.
  matrix_view<T> view() const { return {storage_.data(), rows_, cols_}; }
};

} // namespace llmap
