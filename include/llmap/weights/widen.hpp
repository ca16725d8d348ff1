// Stored tensors widened to float or double: exact, except that F64 is rounded to float. Values must be finite.
#pragma once
#include "llmap/weights/tensor_source.hpp"
#include <cmath>
#include <type_traits>
#include <vector>

namespace llmap {

namespace detail {

template <class Stored> Stored load_element(const std::byte* bytes, std::size_t index) {
  Stored x;
  std::memcpy(&x, bytes + index * sizeof(Stored), sizeof(Stored));
  return x;
}
/// In another stored type, by way of float: exact where To holds From.
template <class To, class From> To convert_element(From value) {
  if constexpr (std::is_same_v<To, From>) return value;
  else if constexpr (std::is_same_v<From, double>) return To(static_cast<float>(value));
  else return static_cast<To>(static_cast<float>(value));
}
[[noreturn]] inline void not_finite(const std::string& name, std::size_t index) {
  fail("tensor ", name, ": expected finite weights, got NaN or infinity at element ", index);
}

} // namespace detail

/// Appends a whole tensor to `to`, widened to T. Fails with its name if a value is NaN or infinite.
template <class T> void append_widened(const tensor_data& data, const std::string& name, std::vector<T>& to) {
  const auto n = static_cast<std::size_t>(data.info.elements());
  to.reserve(to.size() + n);
  visit_weight_dtype(data.info.type, [&]<class Stored>() {
    for (std::size_t i = 0; i < n; ++i) {
      T x;
      if constexpr (std::is_same_v<Stored, double>)
        x = static_cast<T>(detail::load_element<double>(data.bytes.data(), i));
      else x = static_cast<T>(static_cast<float>(detail::load_element<Stored>(data.bytes.data(), i)));
      if (!std::isfinite(x)) detail::not_finite(name, i);
      to.push_back(x);
    }
  });
}

/// A whole tensor of a source, widened to T.
template <class T, tensor_source Source> std::vector<T> read_widened(const Source& source, const std::string& name) {
  std::vector<T> all;
  append_widened(source.read(name), name, all);
  return all;
}

} // namespace llmap
