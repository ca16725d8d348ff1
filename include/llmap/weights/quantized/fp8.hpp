// fp8: F8_E4M3 matrices with float scales, as DeepSeek-V3 (quant_method fp8: a scale a tile, or one), FBGEMM (one a
// row) and ModelOpt (one) write them. Tiles are those of the config, whatever the number of scales suggests.
#pragma once
#include "llmap/weights/quantized/scheme.hpp"

namespace llmap::quantized {

/// One scheme with three ways to lay out the scales, each made by a function of its own.
class fp8 final : public scheme {
  std::string name_, suffix_;
  std::int64_t tile_rows_ = 0, tile_cols_ = 0; // 0: the whole matrix
  std::function<input_rounding()> inputs_ = unknown_inputs("those of " + name_ + " are not followed");

  static constexpr std::int64_t whole = std::int64_t{1} << 40;
  fp8(std::string name, std::string suffix, std::int64_t rows, std::int64_t cols)
      : name_(std::move(name)), suffix_(std::move(suffix)), tile_rows_(rows), tile_cols_(cols) {}

public:
  /// quant_method fp8.
  static fp8 of_tiles(const config& c) {
    if (c.absent("weight_block_size")) return {"fp8", "weight_scale_inv", whole, whole};
    const json& block = *c.find("weight_block_size");
    const auto side = [&](std::size_t i) {
      const auto n = block.items() && block.items()->size() == 2 ? (*block.items())[i].integer() : std::nullopt;
      if (!n || *n < 1 || *n > 1 << 20) c.refuse("weight_block_size", block, "two positive numbers");
      return *n;
    };
    const std::int64_t rows = side(0), cols = side(1);
    fp8 tiles{"fp8, tiles of " + std::to_string(rows) + " x " + std::to_string(cols), "weight_scale_inv", rows, cols};
    const auto text = [&](const char* key, const char* otherwise) {
      return c.absent(key) ? std::string(otherwise) : c.text(key, otherwise);
    };
    const std::string activations = text("activation_scheme", "dynamic"), scales = text("scale_fmt", "float");
    if (activations != "dynamic")
      tiles.inputs_ = unknown_inputs("activation_scheme " + activations + " is not followed");
    else if (scales != "float" && scales != "ue8m0") tiles.inputs_ = unknown_inputs("scale_fmt " + scales);
    else
      tiles.inputs_ = [cols, raised = scales == "ue8m0"] {
        return input_rounding{.format = input_format::e4m3, .group = cols, .power_of_two = raised};
      };
    return tiles;
  }
  /// quant_method "fbgemm_fp8".
  static fp8 of_rows() { return {"fbgemm_fp8", "weight_scale", 1, whole}; }
  /// quant_method "modelopt" with quant_algo "FP8".
  static fp8 of_matrices() { return {"modelopt FP8", "weight_scale", whole, whole}; }

  std::string description() const override { return name_; }
  std::vector<std::string_view> parts() const override { return {"weight", suffix_}; }
  std::optional<encoded_matrix> find(const any_tensors& source, const std::string& module) const override {
    const std::string weight = module + ".weight", scale = module + "." + suffix_;
    const auto info = source.find(weight);
    if (!info || info->type != dtype::f8_e4m3) {
      if (source.find(scale)) fail("tensor ", scale, ": expected an F8_E4M3 matrix ", weight, " beside it");
      return std::nullopt;
    }
    return tiled(source, weight, scale, tile_rows_, tile_cols_).with_inputs(inputs_);
  }
};

} // namespace llmap::quantized
