// AWQ, version gemm: 4 bits packed along the outputs in an order of its own, w = (q - zero) * scale of the input's
// group. Source: AutoAWQ, packing_utils.
#pragma once
#include "llmap/weights/quantized/scheme.hpp"

namespace llmap::quantized {

/// quant_method "awq". Other bits than 4 and other versions are refused.
class awq final : public scheme {
  std::int64_t group_; // -1: one for all inputs

public:
  /// Of quantization_config; what is not read is refused.
  explicit awq(const config& c) : group_(c.integer("group_size", 128, -1)) {
    if (c.integer("bits", 4) != 4) c.refuse("bits", *c.find("bits"), "4");
    if (group_ == 0) c.refuse("group_size", *c.find("group_size"), "-1, or a positive number");
    const std::string version = c.text("version", "gemm");
    if (version != "gemm" && version != "GEMM") c.refuse("version", json(version), "gemm");
  }

  std::string description() const override {
    return "awq, 4 bits" + (group_ > 0 ? ", groups of " + std::to_string(group_) : std::string());
  }
  std::vector<std::string_view> parts() const override { return {"qweight", "qzeros", "scales"}; }
  std::optional<encoded_matrix> find(const any_tensors& source, const std::string& module) const override {
    const std::string x = module + ".";
    if (!source.find(x + "qweight")) return std::nullopt;
    const tensor_info info = expect(source, x + "qweight", {dtype::i32}, {-1, -1});
    const std::int64_t cols = info.shape[0], words = info.shape[1], rows = 8 * words, size = group_ > 0 ? group_ : cols;
    if (cols % size != 0) fail("tensor ", x, "qweight: expected inputs in whole groups of ", size, ", got ", cols);
    expect(source, x + "scales", scale_types, {cols / size, rows});
    expect(source, x + "qzeros", {dtype::i32}, {cols / size, words});
    const coding how{.bits = 4, .group = size, .scale = number_type(source, x + "scales"), .zero = dtype::u8};
    return coded(rows, how, cols, [=]() -> coded_rows {
      const auto code = [=](const tensor_data& from, std::int64_t line, std::int64_t r) {
        constexpr int place[] = {0, 4, 1, 5, 2, 6, 3, 7}; // of output column j in its word
        return word_at(from.bytes.data(), line * words + r / 8) >> (4 * place[r % 8]) & 15;
      };
      return {how, cols,
              [=, stored = source.read(x + "qweight")](std::int64_t first, std::int64_t count, std::uint8_t* codes) {
                for (std::int64_t i = 0; i < cols; ++i)
                  for (std::int64_t r = first; r < first + count; ++r)
                    codes[(r - first) * cols + i] = static_cast<std::uint8_t>(code(stored, i, r));
              },
              [=, zeros = source.read(x + "qzeros"), scales = read_scales(source, x + "scales")](std::int64_t r,
                                                                                                 std::int64_t group) {
                return group_numbers{.scale = scales[static_cast<std::size_t>(group * rows + r)],
                                     .zero = static_cast<double>(code(zeros, group, r))};
              }};
    });
  }
};

} // namespace llmap::quantized
