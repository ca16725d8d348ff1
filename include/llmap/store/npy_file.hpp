// A matrix as NumPy saves it (.npy, formats 1.0 to 3.0): a header in the words of a Python literal, then the numbers.
#pragma once
#include "llmap/core/mapped_file.hpp"
#include "llmap/core/matrix.hpp"
#include <charconv>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace llmap {

/// Whether the file begins like an .npy file.
inline bool is_npy(std::span<const std::byte> file) {
  return file.size() >= 6 && std::memcmp(file.data(), "\x93NUMPY", 6) == 0;
}

namespace detail {

/// The header's text and where the numbers begin.
struct npy_header {
  std::string text;
  std::size_t end = 0;
};
inline npy_header read_npy_header(const mapped_file& file) {
  const auto bytes = file.bytes();
  const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(bytes[i]); };
  constexpr std::size_t before = 8; // magic and version
  const std::size_t counted = bytes.size() > before && byte(6) > 1 ? 4 : 2;
  if (bytes.size() < before + counted)
    fail(file.path().string(), ": expected the header of NumPy, got the end of the file");
  std::size_t length = 0;
  for (std::size_t i = 0; i < counted; ++i) length |= byte(before + i) << 8 * i;
  const std::size_t begin = before + counted;
  if (length > bytes.size() - begin)
    fail(file.path().string(), ": expected a header of ", length, " bytes, got the end of the file");
  std::string text(reinterpret_cast<const char*>(bytes.data()) + begin, length);
  text.resize(text.find_last_not_of(" \n") + 1);
  return {text, begin + length};
}

/// What follows `key` in the header.
inline std::string_view npy_field(std::string_view header, const std::string& key) {
  const std::size_t at = header.find('\'' + key + "':");
  if (at == header.npos) return {};
  const std::size_t value = header.find_first_not_of(' ', at + key.size() + 3);
  return value == header.npos ? std::string_view() : header.substr(value);
}

/// "(K, N)" or nullopt.
inline std::optional<std::pair<std::size_t, std::size_t>> npy_shape(std::string_view text) {
  const char *at = text.data(), *const end = at + text.size();
  const auto skip = [&](char c) { return at != end && *at == c && (++at, true); };
  const auto number = [&](std::size_t& n) {
    const auto [rest, error] = std::from_chars(at, end, n);
    at = rest;
    return error == std::errc();
  };
  std::size_t K = 0, N = 0;
  if (!skip('(') || !number(K) || !skip(',')) return std::nullopt;
  while (skip(' ')) {
  }
  if (!number(N)) return std::nullopt;
  skip(',');
  return skip(')') ? std::optional(std::pair(K, N)) : std::nullopt;
}

} // namespace detail

/// A matrix of float32 or float64, little-endian, in the order of C. Another array is an llmap::error.
inline matrix<double> read_npy(const mapped_file& file) {
  const std::string where = file.path().string();
  const detail::npy_header header = detail::read_npy_header(file);
  const auto field = [&](const char* key) { return detail::npy_field(header.text, key); };
  const auto expect = [&](bool holds, const char* what) {
    if (!holds) fail(where, ": expected ", what, ", got ", header.text.substr(0, 200));
  };
  const std::string_view type = field("descr");
  const auto shape = detail::npy_shape(field("shape"));
  expect(type.starts_with("'<f8'") || type.starts_with("'<f4'"), "little-endian float32 or float64 ('<f4' or '<f8')");
  expect(field("fortran_order").starts_with("False"), "the order of C (fortran_order False)");
  expect(shape.has_value(), "two dimensions, models by texts");
  const auto [K, N] = *shape;
  const std::size_t size = type[3] == '4' ? sizeof(float) : sizeof(double);
  const std::size_t there = file.bytes().size() - header.end;
  if ((N != 0 && K > there / size / N) || K * N * size != there)
    fail(where, ": expected ", K, " x ", N, " numbers of ", size, " bytes, got ", there, " bytes");
  matrix<double> out(K, N);
  const std::byte* from = file.bytes().data() + header.end;
  if (size == 8) std::memcpy(out.data(), from, there);
  else
    for (std::size_t i = 0; i < K * N; ++i, from += sizeof(float)) {
      float v;
      std::memcpy(&v, from, sizeof v);
      out.data()[i] = v;
    }
  return out;
}

} // namespace llmap
