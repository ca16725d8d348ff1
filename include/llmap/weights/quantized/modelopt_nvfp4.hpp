// ModelOpt NVFP4: E2M1 codes, w = code * (scale of 16 inputs * scale of the matrix). Source: TensorRT Model Optimizer.
#pragma once
#include "llmap/weights/quantized/scheme.hpp"

namespace llmap::quantized {

/// quant_method "modelopt" with quant_algo "NVFP4".
class modelopt_nvfp4 final : public scheme {
public:
  std::string description() const override { return "modelopt NVFP4"; }
  std::vector<std::string_view> parts() const override { return {"weight", "weight_scale", "weight_scale_2"}; }
  std::optional<encoded_matrix> find(const any_tensors& source, const std::string& module) const override {
    const std::string x = module + ".weight", scale = x + "_scale", second = x + "_scale_2";
    if (!source.find(scale)) return std::nullopt;
    const tensor_info info = expect(source, x, {dtype::u8}, {-1, -1});
    expect(source, scale, {dtype::f8_e4m3}, {info.shape[0], ceil_div(2 * info.shape[1], 16)});
    expect_one(source, second);
    return four_bit_floats(source, x, 16, scale, {.outer_scale = number_type(source, second)},
                           [=] { return outer_numbers{.scale = read_scale(source, second)}; })
        .with_inputs(unknown_inputs("those of modelopt NVFP4 are not followed"));
  }
};

} // namespace llmap::quantized
