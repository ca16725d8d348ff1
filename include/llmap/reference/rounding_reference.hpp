// Plain rounding of inputs: a search through all numbers of a format.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace llmap::reference {

/// 0, 1, ... largest.
inline std::vector<double> integers_to(int largest) {
  std::vector<double> all;
  for (int i = 0; i <= largest; ++i) all.push_back(i);
  return all;
}
/// The first `codes` numbers from 0 up of a floating-point format.
inline std::vector<double> small_floats(int fraction_bits, int bias, int codes) {
  std::vector<double> all;
  for (int code = 0; code < codes; ++code) {
    const int exponent = code >> fraction_bits, fraction = code - (exponent << fraction_bits);
    const double part = fraction / std::pow(2.0, fraction_bits);
    all.push_back(exponent ? (1 + part) * std::pow(2.0, exponent - bias) : part * std::pow(2.0, 1 - bias));
  }
  return all;
}
/// The nearest of numbers that lie in the order of their codes, of two the one with an even code; else the last.
inline double nearest(const std::vector<double>& numbers, double x) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < numbers.size(); ++i) {
    const double here = std::abs(std::abs(x) - numbers[i]), there = std::abs(std::abs(x) - numbers[best]);
    if (here < there || (here == there && i % 2 == 0)) best = i;
  }
  return x < 0 ? -numbers[best] : numbers[best];
}
/// Groups of a row as scale times the nearest number; scale_of(the largest magnitude of the group).
template <class Scale>
std::vector<double> rounded(std::vector<double> x, const std::vector<double>& numbers, std::size_t group,
                            const Scale& scale_of) {
  for (std::size_t first = 0; first < x.size(); first += group) {
    const std::size_t end = std::min(x.size(), first + group);
    double most = 0;
    for (std::size_t i = first; i < end; ++i) most = std::max(most, std::abs(x[i]));
    if (most == 0) continue;
    const double s = scale_of(most);
    for (std::size_t i = first; i < end; ++i) x[i] = s * nearest(numbers, x[i] / s);
  }
  return x;
}

} // namespace llmap::reference
