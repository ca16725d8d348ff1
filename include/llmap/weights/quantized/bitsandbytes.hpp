// bitsandbytes. 4 bits: the flat matrix in blocks that run across rows, the high half of a byte first, w = table[q] *
// absmax of the block; absmax may be packed itself (double quantization). The tables, and what describes the matrix
// (JSON in a tensor of bytes), are the file's own. 8 bits: w = q * SCB / 127 of the row. Source: bitsandbytes,
// functional.py.
#pragma once
#include "llmap/weights/quantized/scheme.hpp"
#include <numeric>

namespace llmap::quantized {

/// quant_method "bitsandbytes" with load_in_8bit.
class bitsandbytes_8bit final : public scheme {
public:
  std::string description() const override { return "bitsandbytes, 8 bits"; }
  std::vector<std::string_view> parts() const override { return {"weight", "SCB", "weight_format"}; }
  std::optional<encoded_matrix> find(const any_tensors& source, const std::string& module) const override {
    const std::string x = module + ".";
    const auto info = source.find(x + "weight");
    if (!info || info->type != dtype::i8) {
      if (source.find(x + "SCB")) fail("tensor ", x, "SCB: expected an I8 matrix ", x, "weight beside it");
      return std::nullopt;
    }
    const tensor_info codes = expect(source, x + "weight", {dtype::i8}, {-1, -1});
    const std::int64_t rows = codes.shape[0], cols = codes.shape[1];
    expect(source, x + "SCB", scale_types, {rows});
    if (source.find(x + "weight_format")) {
      expect_one(source, x + "weight_format");
      if (const auto order = read_integers(source, x + "weight_format").at(0); order != 0)
        fail("tensor ", x, "weight_format: expected 0 (rows), got ", order);
    }
    coding how{.bits = 8, .group = cols, .scale = number_type(source, x + "SCB"), .divisor = 127};
    how.same.zero = 128; // of codes that begin with -128
    return coded(rows, how, cols,
                 [=]() -> coded_rows {
                   return {how, cols,
                           [=, stored = source.read(x + "weight")](std::int64_t first, std::int64_t count,
                                                                   std::uint8_t* codes) {
                             for (std::int64_t i = 0; i < count * cols; ++i)
                               codes[i] =
                                   static_cast<std::uint8_t>(stored.bytes[static_cast<std::size_t>(first * cols + i)]) ^
                                   128;
                           },
                           [=, scales = read_scales(source, x + "SCB")](std::int64_t row, std::int64_t) {
                             return group_numbers{.scale = scales[static_cast<std::size_t>(row)], .zero = 128};
                           }};
                 })
        .with_inputs(
            unknown_inputs("LLM.int8 chooses the columns that it does not round over all texts of a batch, so a "
                           "score would depend on its neighbors"));
  }
};

/// quant_method "bitsandbytes" without load_in_8bit.
class bitsandbytes_4bit final : public scheme {
public:
  std::string description() const override { return "bitsandbytes, 4 bits"; }
  std::vector<std::string_view> parts() const override {
    return {"weight",
            "weight.absmax",
            "weight.quant_map",
            "weight.nested_absmax",
            "weight.nested_quant_map",
            "weight.quant_state.bitsandbytes__nf4",
            "weight.quant_state.bitsandbytes__fp4"};
  }
  std::optional<encoded_matrix> find(const any_tensors& source, const std::string& module) const override {
    const std::string x = module + ".weight", packed_state = x + ".quant_state.bitsandbytes__";
    const std::string kind = source.find(packed_state + "nf4") ? "nf4" : source.find(packed_state + "fp4") ? "fp4" : "";
    if (kind.empty()) {
      if (source.find(x + ".absmax"))
        fail("tensor ", x, ".absmax: expected ", packed_state, "nf4 or fp4 beside it, without which the shape is lost");
      return std::nullopt;
    }
    const config state = state_of(source, packed_state + kind);
    if (state.text("quant_type", "") != kind) state.refuse("quant_type", json(state.text("quant_type", "")), kind);
    const json* shape = state.find("shape");
    std::vector<std::int64_t> sizes;
    for (std::size_t i = 0; shape && shape->items() && i < shape->items()->size(); ++i)
      sizes.push_back((*shape->items())[i].integer().value_or(0));
    if (sizes.size() != 2 || sizes[0] < 1 || sizes[1] < 1 || sizes[0] > 1 << 24 || sizes[1] > 1 << 24)
      fail(state.where(), ": shape: expected two positive numbers");
    const std::int64_t rows = sizes[0], cols = sizes[1], values = rows * cols, block = required(state, "blocksize"),
                       blocks = ceil_div(values, block);
    const auto stored = source.find(x);
    if (!stored) fail("tensor ", x, ": missing");
    if (const std::int64_t bytes = stored->elements() * bits_of(stored->type) / 8; bytes != ceil_div(values, 2))
      fail("tensor ", x, ": expected ", ceil_div(values, 2), " bytes for ", shape_text(sizes), ", got ", bytes);
    expect(source, x + ".quant_map", {dtype::f32}, {16});
    const bool nested = state.has("nested_blocksize");
    expect(source, x + ".absmax", {nested ? dtype::u8 : dtype::f32}, {blocks});
    const std::int64_t nested_block = nested ? required(state, "nested_blocksize") : 1;
    const double offset = nested ? state.real("nested_offset", 0) : 0;
    if (nested) {
      expect(source, x + ".nested_absmax", {dtype::f32}, {ceil_div(blocks, nested_block)});
      expect(source, x + ".nested_quant_map", {dtype::f32}, {256});
    }
    const auto table = read_scales(source, x + ".quant_map");
    coding how{.bits = 4,
               .group = std::gcd(cols, block), // blocks run across rows
               .scale = dtype::f32,
               .span = std::gcd(cols, block * nested_block) / std::gcd(cols, block),
               .table = table};
    if (nested) {
      how.outer_scale = dtype::f32;
      how.outer_shift = static_cast<double>(static_cast<float>(offset)) == offset ? dtype::f32 : dtype::f64;
    }
    return coded(rows, how, cols, [=]() -> coded_rows {
      const auto block_of = [=](std::int64_t row, std::int64_t group) {
        return (row * cols + group * how.group) / block;
      };
      coded_rows opened{how,
                        cols,
                        [=, stored = source.read(x)](std::int64_t first, std::int64_t count, std::uint8_t* codes) {
                          for (std::int64_t i = first * cols; i < (first + count) * cols; ++i) {
                            const auto byte = static_cast<unsigned>(stored.bytes[static_cast<std::size_t>(i / 2)]);
                            *codes++ = static_cast<std::uint8_t>(i % 2 ? byte & 15 : byte >> 4);
                          }
                        },
                        {}};
      if (!nested) {
        opened.numbers = [=, most = read_scales(source, x + ".absmax")](std::int64_t row, std::int64_t group) {
          return group_numbers{.scale = most[static_cast<std::size_t>(block_of(row, group))]};
        };
        return opened;
      }
      opened.numbers = [=, most = source.read(x + ".absmax"),
                        map = read_scales(source, x + ".nested_quant_map")](std::int64_t row, std::int64_t group) {
        return group_numbers{
            .scale = map[static_cast<std::size_t>(most.bytes[static_cast<std::size_t>(block_of(row, group))])]};
      };
      opened.outer = [=, scales = read_scales(source, x + ".nested_absmax")](std::int64_t row, std::int64_t span) {
        const std::int64_t b = block_of(row, span * how.span) / nested_block;
        return outer_numbers{.scale = scales[static_cast<std::size_t>(b)], .shift = offset};
      };
      return opened;
    });
  }

private:
  static config state_of(const any_tensors& source, const std::string& name) {
    const tensor_data bytes = source.read(name);
    const std::string text(reinterpret_cast<const char*>(bytes.bytes.data()), bytes.bytes.size());
    return {parse_json(text, "tensor " + name), "tensor " + name};
  }
  static std::int64_t required(const config& c, const char* key) {
    if (!c.has(key)) fail(c.where(), ": ", key, ": missing");
    return c.integer(key, 0);
  }
};

} // namespace llmap::quantized
