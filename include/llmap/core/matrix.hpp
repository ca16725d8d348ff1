// A matrix that owns its numbers: row-major (rows, cols), copied and moved as a value. Functions of the map return
// matrices and take views: `view()` for reading, `mutable_view()` for writing.
#pragma once
#include "llmap/core/view.hpp"
#include <algorithm>
#include <initializer_list>
#include <utility>

namespace llmap {

/// Contents after `matrix(rows, cols)` and `resize` are unspecified.
template <class T> class matrix {
  aligned_buffer<T> data_;
  std::size_t rows_ = 0, cols_ = 0;

public:
  matrix() = default;
  /// The numbers are unspecified.
  matrix(std::size_t rows, std::size_t cols) { resize(rows, cols); }
  /// Every number is `value`.
  matrix(std::size_t rows, std::size_t cols, T value) : matrix(rows, cols) { std::fill_n(data(), size(), value); }
  /// Row by row, as written: {{1, 2}, {3, 4}}.
  matrix(std::initializer_list<std::initializer_list<T>> rows)
      : matrix(rows.size(), rows.size() ? rows.begin()->size() : 0) {
    T* to = data();
    for (const auto& row : rows) {
      LLMAP_EXPECTS(row.size() == cols_, "matrix: rows of one length");
      to = std::copy(row.begin(), row.end(), to);
    }
  }
  /// A copy of the view, rounded if T is narrower.
  template <class U> explicit matrix(matrix_view<U> from) : matrix(from.rows, from.cols) {
    for (std::size_t i = 0; i < rows_; ++i)
      std::transform(from.row(i), from.row(i) + cols_, data() + i * cols_, [](U x) { return static_cast<T>(x); });
  }
  /// A copy of the numbers.
  matrix(const matrix& other) : matrix(other.view()) {}
  matrix(matrix&& other) noexcept { swap(other); } ///< leaves (0, 0)
  /// Of a copy or of what is moved in.
  matrix& operator=(matrix other) noexcept {
    swap(other);
    return *this;
  }
  /// Copies no number.
  void swap(matrix& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(rows_, other.rows_);
    std::swap(cols_, other.cols_);
  }

  /// The numbers are unspecified afterwards. More than memory can hold are an llmap::error.
  void resize(std::size_t rows, std::size_t cols) {
    if (cols != 0 && rows > static_cast<std::size_t>(-1) / cols)
      fail("out of memory: ", rows, " x ", cols, " elements");
    data_.resize(rows * cols);
    rows_ = rows, cols_ = cols;
  }
  std::size_t rows() const { return rows_; }
  std::size_t cols() const { return cols_; }
  std::size_t size() const { return rows_ * cols_; }
  bool empty() const { return size() == 0; } ///< no numbers

  T* data() { return data_.data(); }
  const T* data() const { return data_.data(); }
  std::span<T> span() { return {data(), size()}; }             ///< row by row
  std::span<const T> span() const { return {data(), size()}; } ///< row by row
  /// Row i, (cols).
  std::span<T> row(std::size_t i) { return {data() + i * cols_, cols_}; }
  std::span<const T> row(std::size_t i) const { return {data() + i * cols_, cols_}; }       ///< the same, to read
  T& operator()(std::size_t i, std::size_t j) { return data()[i * cols_ + j]; }             ///< row i, column j
  const T& operator()(std::size_t i, std::size_t j) const { return data()[i * cols_ + j]; } ///< row i, column j

  /// Valid until the matrix is resized or destroyed.
  matrix_view<const T> view() const { return {data(), rows_, cols_}; }
  matrix_view<T> mutable_view() { return {data(), rows_, cols_}; } ///< the same, to write

  /// Equal shapes and equal numbers. A NaN is equal to nothing.
  friend bool operator==(const matrix& a, const matrix& b) {
    return a.rows_ == b.rows_ && a.cols_ == b.cols_ && std::equal(a.data(), a.data() + a.size(), b.data());
  }
};

/// (cols, rows)
template <class T> matrix<T> transposed(matrix_view<const T> x) {
  matrix<T> out(x.cols, x.rows);
  for (std::size_t i = 0; i < x.rows; ++i)
    for (std::size_t j = 0; j < x.cols; ++j) out(j, i) = x(i, j);
  return out;
}

} // namespace llmap
