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

/// A matrix (rows, cols) = (out, in) that is stored in fewer bits. `open` reads its tensors and checks their values; so
/// does `open_codes`, which is there where a coding is.
struct encoded_matrix {
  std::int64_t rows = 0, cols = 0;          ///< of the decoded weights
  std::function<row_decoder()> open;        ///< reads and checks
  std::optional<coding> how{};              ///< where codes can stay in memory
  std::function<coded_rows()> open_codes{}; ///< empty: there is none
  std::function<input_rounding()> inputs{}; ///< of the deployed model, none where it does not round; may be an error

  /// The same with this rule.
  encoded_matrix with_inputs(std::function<input_rounding()> rule) && {
    inputs = std::move(rule);
    return std::move(*this);
  }
};
/// The rule of a scheme whose deployed form is not one that scores can follow.
inline std::function<input_rounding()> unknown_inputs(std::string why) {
  return [why = std::move(why)]() -> input_rounding { fail("inputs as deployed: ", why); };
}
/// A matrix in codes: its decoder follows from them.
inline encoded_matrix coded(std::int64_t rows, const coding& how, std::int64_t cols,
                            std::function<coded_rows()> open_codes) {
  const auto open = [open_codes]() -> row_decoder {
    return [m = std::make_shared<const coded_rows>(open_codes())](std::int64_t first, std::int64_t count, double* w) {
      std::vector<std::uint8_t> codes(static_cast<std::size_t>(count * m->cols));
      m->codes(first, count, codes.data());
      for (std::int64_t r = 0; r < count; ++r) decode_row(*m, first + r, codes.data() + r * m->cols, w + r * m->cols);
    };
  };
  return {rows, cols, open, how, std::move(open_codes), {}};
}

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

/// a / b rounded up, for a >= 0 and b > 0.
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
/// The type that holds the numbers of a tensor of scales.
inline dtype number_type(const any_tensors& source, const std::string& name) {
  const dtype type = source.find(name)->type;
  return is_weight_dtype(type) ? type : dtype::bf16; // F8 and E8M0
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

/// Inputs that follow one another in one group: `size` where the groups do, else 1.
inline std::int64_t run_of(const std::vector<std::int64_t>& group, std::int64_t size) {
  for (std::size_t i = 0; i < group.size(); ++i)
    if (group[i] != static_cast<std::int64_t>(i) / size) return 1;
  return std::min(size, static_cast<std::int64_t>(group.size()));
}
/// The bits that hold a code of `bits` bits, see coding.
constexpr int coded_bits(int bits) { return bits <= 4 ? 4 : 8; }

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
  const bool integers = info.type == dtype::i8;
  coding how{.bits = 8, .group = std::min(tile_cols, cols), .scale = number_type(source, scale)};
  if (integers) how.same.zero = 128; // of codes that begin with -128
  else how.table.assign(e4m3.begin(), e4m3.end());
  if (!zero.empty()) how.zero = dtype::u8;
  return coded(rows, how, cols, [=]() -> coded_rows {
    const tensor_data stored = source.read(weight);
    std::vector<double> zeros;
    if (!zero.empty())
      for (const std::int64_t z : read_integers(source, zero)) zeros.push_back(static_cast<double>(z + 128));
    return {how, cols,
            [=](std::int64_t first, std::int64_t count, std::uint8_t* codes) {
              for (std::int64_t i = 0; i < count * cols; ++i)
                codes[i] = static_cast<std::uint8_t>(stored.bytes[static_cast<std::size_t>(first * cols + i)]) ^
                           static_cast<std::uint8_t>(integers ? 128 : 0);
            },
            [=, scales = read_scales(source, scale)](std::int64_t row, std::int64_t group) {
              const auto tile = static_cast<std::size_t>(row / tile_rows * across + group);
              return group_numbers{.scale = scales[tile], .zero = zeros.empty() ? how.same.zero : zeros[tile]};
            }};
  });
}

/// w = E2M1 code * the scale of its group of inputs; two codes a byte, the low half first. `scale` names one number for
/// each of ceil(cols / group) groups of a row; `outer` gives what the whole matrix scales them by when it is opened,
/// and `how` its types.
inline encoded_matrix four_bit_floats(const any_tensors& source, const std::string& weight, std::int64_t group,
                                      const std::string& scale, coding how = {},
                                      const std::function<outer_numbers()>& outer = {}) {
  const tensor_info info = expect(source, weight, {dtype::u8}, {-1, -1});
  const std::int64_t rows = info.shape[0], cols = 2 * info.shape[1], groups = ceil_div(cols, group);
  how.bits = 4, how.group = group, how.span = groups, how.scale = number_type(source, scale);
  how.table.assign(e2m1.begin(), e2m1.end());
  return coded(rows, how, cols, [=]() -> coded_rows {
    coded_rows opened{how, cols,
                      [=, stored = source.read(weight)](std::int64_t first, std::int64_t count, std::uint8_t* codes) {
                        const std::byte* from = stored.bytes.data() + first * cols / 2;
                        for (std::int64_t i = 0; i < count * cols; ++i)
                          codes[i] = static_cast<std::uint8_t>(i % 2 ? from[i / 2] >> 4 : from[i / 2] & std::byte{15});
                      },
                      [=, scales = read_scales(source, scale)](std::int64_t row, std::int64_t g) {
                        return group_numbers{.scale = scales[static_cast<std::size_t>(row * groups + g)]};
                      }};
    if (outer) opened.outer = [numbers = outer()](std::int64_t, std::int64_t) { return numbers; };
    return opened;
  });
}

} // namespace llmap::quantized
