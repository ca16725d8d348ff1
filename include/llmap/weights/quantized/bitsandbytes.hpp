// bitsandbytes. 4 bits: the flat matrix in blocks that run across rows, the high half of a byte first, w = table[q] *
// absmax of the block; absmax may be packed itself (double quantization). The tables, and what describes the matrix
// (JSON in a tensor of bytes), are the file's own. 8 bits: w = q * SCB / 127 of the row. Source: bitsandbytes,
// functional.py.
#pragma once
#include "llmap/weights/quantized/scheme.hpp"

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
    return encoded_matrix{rows, cols, [=]() -> row_decoder {
                            const tensor_data data = source.read(x + "weight");
                            const auto scales = read_scales(source, x + "SCB");
                            return [=](std::int64_t first, std::int64_t count, double* w) {
                              for (std::int64_t r = first; r < first + count; ++r)
                                for (std::int64_t c = 0; c < cols; ++c)
                                  *w++ = static_cast<double>(llmap::detail::load_element<std::int8_t>(
                                             data.bytes.data(), static_cast<std::size_t>(r * cols + c))) *
                                         scales[static_cast<std::size_t>(r)] / 127;
                            };
                          }};
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
    return encoded_matrix{rows, cols, [=]() -> row_decoder {
                            const tensor_data codes = source.read(x);
                            const auto table = read_scales(source, x + ".quant_map");
                            std::vector<double> most;
                            if (nested) {
                              const auto outer = read_scales(source, x + ".nested_absmax"),
                                         map = read_scales(source, x + ".nested_quant_map");
                              for (const std::int64_t code : read_integers(source, x + ".absmax"))
                                most.push_back(map[static_cast<std::size_t>(code)] *
                                                   outer[most.size() / static_cast<std::size_t>(nested_block)] +
                                               offset);
                            } else {
                              most = read_scales(source, x + ".absmax");
                            }
                            return [=](std::int64_t first, std::int64_t count, double* w) {
                              for (std::int64_t i = first * cols; i < (first + count) * cols; ++i) {
                                const auto byte = static_cast<unsigned>(codes.bytes[static_cast<std::size_t>(i / 2)]);
                                *w++ = table[i % 2 ? byte & 15 : byte >> 4] * most[static_cast<std::size_t>(i / block)];
                              }
                            };
                          }};
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
