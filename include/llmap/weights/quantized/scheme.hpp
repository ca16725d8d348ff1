// What the quantization schemes share: how a scheme is asked, number formats of 4 and 8 bits, fields of packed words,
// and the checks of a scheme's tensors. A decoded weight is the exact number of the format, evaluated in double.
#pragma once
#include "llmap/weights/any_tensors.hpp"
#include "llmap/weights/config.hpp"
#include "llmap/weights/widen.hpp"
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <initializer_list>
#include <limits>

namespace llmap::quantized {

/// Decodes rows [first, first + count) of a matrix into `values` (count, cols).
using row_decoder = std::function<void(std::int64_t first, std::int64_t count, double* values)>;

/// A matrix (rows, cols) = (out, in) that is stored in fewer bits. `open` reads its tensors and checks their values.
struct encoded_matrix {
  std::int64_t rows = 0, cols = 0;
  std::function<row_decoder()> open;
};

/// A way to store matrices in fewer bits. scheme_of makes the one that a config names.
class scheme {
public:
  virtual ~scheme() = default;
  /// Method and bits, as a reader of `llmap info` wants them: "gptq, 4 bits, groups of 128".
  virtual std::string description() const = 0;
  /// What follows "X." in the names of the tensors that make up a packed matrix X.
  virtual std::vector<std::string_view> parts() const = 0;
  /// The matrix of module X, or nullopt where X is not packed. Types and shapes of its tensors are checked.
  virtual std::optional<encoded_matrix> find(const any_tensors& source, const std::string& module) const = 0;
};

// --- Number formats ------------------------------------------------------------------------------------------------

/// The values of all codes of a format with a sign, exponent and fraction bits, without infinities.
template <int ExponentBits, int FractionBits, int Bias> constexpr auto small_floats() {
  std::array<double, std::size_t{1} << (1 + ExponentBits + FractionBits)> values{};
  for (unsigned code = 0; code < values.size(); ++code) {
    const unsigned e = (code >> FractionBits) & ((1u << ExponentBits) - 1), f = code & ((1u << FractionBits) - 1);
    double x = e ? f + double(1u << FractionBits) : f; // in steps of 2^(max(e, 1) - Bias - FractionBits)
    for (int p = int(e ? e : 1) - Bias - FractionBits; p != 0; p += p < 0 ? 1 : -1) x = p < 0 ? x / 2 : x * 2;
    values[code] = code >> (ExponentBits + FractionBits) ? -x : x;
  }
  return values;
}
/// OCP 8-bit floating point; the codes with all bits set are NaN.
inline constexpr std::array<double, 256> e4m3 = [] {
  auto values = small_floats<4, 3, 7>();
  values[0x7f] = values[0xff] = std::numeric_limits<double>::quiet_NaN();
  return values;
}();
/// OCP 4-bit floating point.
inline constexpr std::array<double, 16> e2m1 = small_floats<2, 1, 1>();
/// OCP scales: 2^(code - 127), 255 is NaN.
inline double e8m0(std::byte code) {
  return code == std::byte{255} ? std::numeric_limits<double>::quiet_NaN()
                                : std::ldexp(1.0, static_cast<int>(code) - 127);
}

/// Field i of `bits` bits: word(0), word(1), ... are 32-bit words read as one bit string, the lowest bit first.
template <class Word> std::int64_t field(const Word& word, std::int64_t i, int bits) {
  const std::int64_t at = i * bits, k = at / 32;
  std::uint64_t both = word(k);
  if (at % 32 + bits > 32) both |= std::uint64_t{word(k + 1)} << 32;
  return static_cast<std::int64_t>(both >> (at % 32) & ((std::uint64_t{1} << bits) - 1));
}
/// Word k of packed words of 32 bits, of any alignment.
inline std::uint32_t word_at(const std::byte* bytes, std::int64_t k) {
  std::uint32_t word;
  std::memcpy(&word, bytes + 4 * k, 4);
  return word;
}

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// --- Tensors of a scheme -------------------------------------------------------------------------------------------

/// A tensor that must be there, with one of these types and this shape; -1 in the shape means any number.
inline tensor_info expect(const any_tensors& source, const std::string& name, std::initializer_list<dtype> types,
                          const std::vector<std::int64_t>& shape) {
  std::string wanted;
  for (const dtype t : types) wanted.append(wanted.empty() ? "" : " or ").append(name_of(t));
  const auto found = source.find(name);
  if (!found) fail("tensor ", name, ": missing, expected ", wanted, " ", shape_text(shape));
  bool fits = found->shape.size() == shape.size() && std::find(types.begin(), types.end(), found->type) != types.end();
  for (std::size_t i = 0; fits && i < shape.size(); ++i) fits = shape[i] < 0 || shape[i] == found->shape[i];
  if (!fits)
    fail("tensor ", name, ": expected ", wanted, " ", shape_text(shape), ", got ", name_of(found->type), " ",
         shape_text(found->shape));
  return *found;
}
/// The types in which scales are found.
inline constexpr std::initializer_list<dtype> scale_types{dtype::f32, dtype::bf16,    dtype::f16,
                                                          dtype::f64, dtype::f8_e4m3, dtype::f8_e8m0};

/// The numbers of a tensor of scales; a scale that is not finite is refused. U8 are E8M0 codes.
inline std::vector<double> read_scales(const any_tensors& source, const std::string& name) {
  const tensor_data data = source.read(name);
  std::vector<double> values;
  if (is_weight_dtype(data.info.type)) {
    append_widened(data, name, values);
    return values;
  }
  for (const std::byte code : data.bytes)
    values.push_back(data.info.type == dtype::f8_e4m3 ? e4m3[static_cast<std::size_t>(code)] : e8m0(code));
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i])) llmap::detail::not_finite(name, i);
  return values;
}
/// A scale of a whole matrix: the one number of a tensor [] or [1] or [1, 1].
inline double read_scale(const any_tensors& source, const std::string& name) { return read_scales(source, name).at(0); }
/// Fails unless the tensor is there and holds one number.
inline void expect_one(const any_tensors& source, const std::string& name) {
  const auto found = source.find(name);
  if (!found) fail("tensor ", name, ": missing, expected one number");
  if (found->elements() != 1) fail("tensor ", name, ": expected one number, got ", shape_text(found->shape));
}

/// The elements of an integer tensor.
inline std::vector<std::int64_t> read_integers(const any_tensors& source, const std::string& name) {
  const tensor_data data = source.read(name);
  const auto n = static_cast<std::size_t>(data.info.elements());
  std::vector<std::int64_t> values(n);
  for (std::size_t i = 0; i < n; ++i) switch (data.info.type) {
    case dtype::i64:
      values[i] = llmap::detail::load_element<std::int64_t>(data.bytes.data(), i);
      break;
    case dtype::i32:
      values[i] = llmap::detail::load_element<std::int32_t>(data.bytes.data(), i);
      break;
    case dtype::i8:
      values[i] = llmap::detail::load_element<std::int8_t>(data.bytes.data(), i);
      break;
    case dtype::u8:
      values[i] = llmap::detail::load_element<std::uint8_t>(data.bytes.data(), i);
      break;
    default:
      fail("tensor ", name, ": expected integers, got ", name_of(data.info.type));
    }
  return values;
}

/// The group of each input: what `name` says, or consecutive groups of `size`. Numbers outside [0, groups) are refused.
inline std::vector<std::int64_t> groups_of(const any_tensors& source, const std::string& name, std::int64_t inputs,
                                           std::int64_t size, std::int64_t groups) {
  std::vector<std::int64_t> group;
  if (!source.find(name)) {
    for (std::int64_t i = 0; i < inputs; ++i) group.push_back(i / size);
    return group;
  }
  group = read_integers(source, name);
  for (std::size_t i = 0; i < group.size(); ++i)
    if (group[i] < 0 || group[i] >= groups)
      fail("tensor ", name, ": expected groups from 0 to ", groups - 1, ", got ", group[i], " at element ", i);
  return group;
}

/// w = (code - zero) * scale, each of a tile of tile_rows x tile_cols, the last ones cut. Codes are F8_E4M3 or I8;
/// `zero` is the name of the tensor of zero points, or empty.
inline encoded_matrix tiled(const any_tensors& source, const std::string& weight, const std::string& scale,
                            std::int64_t tile_rows, std::int64_t tile_cols, const std::string& zero = "") {
  const tensor_info info = expect(source, weight, {dtype::f8_e4m3, dtype::i8}, {-1, -1});
  const std::int64_t rows = info.shape[0], cols = info.shape[1], down = ceil_div(rows, tile_rows),
                     across = ceil_div(cols, tile_cols);
  const auto check = [&](const std::string& name, std::initializer_list<dtype> types) {
    const auto found = source.find(name);
    if (found && found->elements() == 1 && down * across == 1) return;                   // [] or [1]
    if (found && across == 1 && found->shape == std::vector<std::int64_t>{down}) return; // [out]
    expect(source, name, types, {down, across});
  };
  check(scale, scale_types);
  if (!zero.empty()) check(zero, {dtype::i8});
  return {rows, cols, [=]() -> row_decoder {
            const tensor_data codes = source.read(weight);
            const std::vector<double> scales = read_scales(source, scale);
            std::vector<std::int64_t> zeros(scales.size(), 0);
            if (!zero.empty()) zeros = read_integers(source, zero);
            return [=](std::int64_t first, std::int64_t count, double* values) {
              for (std::int64_t r = first; r < first + count; ++r)
                for (std::int64_t c = 0; c < cols; ++c, ++values) {
                  const std::byte code = codes.bytes[static_cast<std::size_t>(r * cols + c)];
                  const auto tile = static_cast<std::size_t>(r / tile_rows * across + c / tile_cols);
                  const double x = info.type == dtype::i8 ? static_cast<double>(static_cast<std::int8_t>(code))
                                                          : e4m3[static_cast<std::size_t>(code)];
                  *values = (x - static_cast<double>(zeros[tile])) * scales[tile];
                }
            };
          }};
}

/// w = E2M1 code * the scale of its group of inputs; two codes a byte, the low half first. `scales` gives one number
/// for each of ceil(cols / group) groups of a row when the matrix is opened.
inline encoded_matrix four_bit_floats(const any_tensors& source, const std::string& weight, std::int64_t group,
                                      const std::function<std::vector<double>()>& scales) {
  const tensor_info info = expect(source, weight, {dtype::u8}, {-1, -1});
  const std::int64_t rows = info.shape[0], cols = 2 * info.shape[1], groups = ceil_div(cols, group);
  return {rows, cols, [=]() -> row_decoder {
            const tensor_data codes = source.read(weight);
            return [=, factors = scales()](std::int64_t first, std::int64_t count, double* values) {
              for (std::int64_t r = first; r < first + count; ++r)
                for (std::int64_t c = 0; c < cols; ++c) {
                  const auto byte = static_cast<unsigned>(codes.bytes[static_cast<std::size_t>((r * cols + c) / 2)]);
                  *values++ =
                      e2m1[c % 2 ? byte >> 4 : byte & 15] * factors[static_cast<std::size_t>(r * groups + c / group)];
                }
            };
          }};
}

} // namespace llmap::quantized
