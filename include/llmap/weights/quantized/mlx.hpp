// MLX, mode affine: w = q * scale + bias of the group of inputs, fields of a row's words as one bit string. Embedding
// and head may be packed too. The config may give a module bits and a group size of its own. Source: mlx, quantize.
#pragma once
#include "llmap/weights/quantized/scheme.hpp"

namespace llmap::quantized {

/// A config with bits and group_size but no quant_method, as MLX writes it.
class mlx final : public scheme {
  config config_;

  static std::pair<int, std::int64_t> bits_and_group(const config& c) {
    if (c.text("mode", "affine") != "affine") c.refuse("mode", *c.find("mode"), "affine");
    for (const char* key : {"bits", "group_size"})
      if (!c.has(key)) fail(c.where(), ": ", key, ": missing");
    return {static_cast<int>(c.integer("bits", 4, 2, 8)), c.integer("group_size", 64)};
  }

public:
  /// Of quantization; what is not read is refused.
  explicit mlx(config c) : config_(std::move(c)) { bits_and_group(config_); }

  std::string description() const override {
    const auto [bits, group] = bits_and_group(config_);
    return "mlx, " + std::to_string(bits) + " bits, groups of " + std::to_string(group);
  }
  std::vector<std::string_view> parts() const override { return {"weight", "scales", "biases"}; }
  std::optional<encoded_matrix> find(const any_tensors& source, const std::string& module) const override {
    const std::string x = module + ".";
    if (!source.find(x + "scales")) return std::nullopt;
    if (!source.find(x + "weight"))
      fail("quantization_config: quant_method: missing, and ", module, " is not stored as MLX stores it");
    const json* own = config_.find(module);
    const auto [bits, size] =
        bits_and_group(own && own->members() ? config(*own, config_.where() + ": " + module) : config_);
    const tensor_info info = expect(source, x + "weight", {dtype::u32}, {-1, -1});
    const std::int64_t rows = info.shape[0], words = info.shape[1], cols = words * 32 / bits;
    if (cols % size != 0) fail("tensor ", x, "weight: expected inputs in whole groups of ", size, ", got ", cols);
    const std::int64_t groups = cols / size;
    expect(source, x + "scales", scale_types, {rows, groups});
    expect(source, x + "biases", scale_types, {rows, groups});
    const coding how{.bits = coded_bits(bits),
                     .group = size,
                     .scale = number_type(source, x + "scales"),
                     .offset = number_type(source, x + "biases")};
    return coded(rows, how, cols, [=, bits = bits]() -> coded_rows {
      return {how, cols,
              [=, stored = source.read(x + "weight")](std::int64_t first, std::int64_t count, std::uint8_t* codes) {
                for (std::int64_t r = first; r < first + count; ++r) {
                  const auto of_row = [&](std::int64_t k) { return word_at(stored.bytes.data(), r * words + k); };
                  for (std::int64_t i = 0; i < cols; ++i) *codes++ = static_cast<std::uint8_t>(field(of_row, i, bits));
                }
              },
              [=, scales = read_scales(source, x + "scales"),
               biases = read_scales(source, x + "biases")](std::int64_t r, std::int64_t group) {
                const auto g = static_cast<std::size_t>(r * groups + group);
                return group_numbers{.scale = scales[g], .offset = biases[g]};
              }};
    });
  }
};

} // namespace llmap::quantized
