// HQQ: w = (q - zero) * scale of a group. The flat matrix is cut into groups: rows of a [groups, size] array (axis 1)
// or columns of a [size, groups] array (axis 0). Its rows are stored in 8 / bits equal parts, the first in the highest
// bits. Source: hqq, core/quantize.py.
#pragma once
#include "llmap/weights/quantized/scheme.hpp"
#include <numeric>

namespace llmap::quantized {

/// quant_method "hqq". What describes a matrix lies beside it, not in the config.
class hqq final : public scheme {
  static std::int64_t number(const any_tensors& source, const std::string& name) {
    expect_one(source, name);
    return read_integers(source, name).at(0);
  }

public:
  std::string description() const override { return "hqq"; }
  std::vector<std::string_view> parts() const override {
    return {"W_q",
            "scale",
            "zero",
            "shape",
            "nbits",
            "group_size",
            "axis",
            "packing",
            "quant_scale",
            "quant_zero",
            "offload_meta",
            "view_as_float",
            "unpack_view_dtype",
            "compute_dtype",
            "channel_wise",
            "optimize",
            "round_zero",
            "stores_quant_config",
            "encoded_state_dict"};
  }
  std::optional<encoded_matrix> find(const any_tensors& source, const std::string& module) const override {
    const std::string x = module + ".";
    if (!source.find(x + "W_q")) return std::nullopt;
    for (const char* flag : {"quant_scale", "quant_zero", "view_as_float"})
      if (source.find(x + flag) && number(source, x + flag) != 0) fail("tensor ", x, flag, ": expected 0, got 1");
    const std::int64_t bits = number(source, x + "nbits"), size = number(source, x + "group_size"),
                       axis = number(source, x + "axis");
    if (bits != 2 && bits != 4 && bits != 8) fail("tensor ", x, "nbits: expected 2, 4 or 8, got ", bits);
    if (axis != 0 && axis != 1) fail("tensor ", x, "axis: expected 0 or 1, got ", axis);
    expect(source, x + "shape", {dtype::i64, dtype::i32}, {2});
    const auto shape = read_integers(source, x + "shape");
    const std::int64_t rows = shape[0], cols = shape[1];
    if (rows < 1 || cols < 1 || size < 1 || rows > 1 << 24 || cols > 1 << 24 || rows * cols % size != 0)
      fail("tensor ", x, "shape: expected a matrix in whole groups of ", size, ", got ", shape_text(shape));
    const std::int64_t groups = rows * cols / size, lines = axis ? groups : size, width = axis ? size : groups;
    if (lines * bits % 8 != 0) fail("tensor ", x, "W_q: expected rows in ", 8 / bits, " equal parts, got ", lines);
    expect(source, x + "W_q", {dtype::u8}, {lines * bits / 8, width});
    for (const char* name : {"scale", "zero"})
      expect(source, x + name, scale_types,
             axis ? std::vector{groups, std::int64_t{1}} : std::vector{std::int64_t{1}, groups});
    const coding how{.bits = coded_bits(static_cast<int>(bits)),
                     .group = axis ? std::gcd(cols, size) : 1, // of a row's inputs
                     .scale = number_type(source, x + "scale"),
                     .zero = number_type(source, x + "zero")};
    return coded(rows, how, cols, [=]() -> coded_rows {
      return {how, cols,
              [=, stored = source.read(x + "W_q")](std::int64_t first, std::int64_t count, std::uint8_t* codes) {
                const std::int64_t part = lines * bits / 8;
                for (std::int64_t i = first * cols; i < (first + count) * cols; ++i) {
                  const std::int64_t line = i / width, column = i % width;
                  const auto byte =
                      static_cast<unsigned>(stored.bytes[static_cast<std::size_t>(line % part * width + column)]);
                  *codes++ = static_cast<std::uint8_t>(byte >> (8 - bits * (line / part + 1)) & ((1u << bits) - 1));
                }
              },
              [=, scales = read_scales(source, x + "scale"),
               zeros = read_scales(source, x + "zero")](std::int64_t row, std::int64_t run) {
                const std::int64_t i = row * cols + run * how.group;
                const auto g = static_cast<std::size_t>(axis ? i / width : i % width);
                return group_numbers{.scale = scales[g], .zero = zeros[g]};
              }};
    });
  }
};

} // namespace llmap::quantized
