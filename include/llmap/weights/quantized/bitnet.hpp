// bitnet: matrices of -1, 0 and 1 with one scale, four codes a byte: bits 2 i and 2 i + 1 of row r are row r + i rows
// / 4. linear_class "bitlinear" divides by the scale, "autobitlinear" multiplies; its quantization_mode "online" stores
// plain matrices, which are rounded to three values of their mean magnitude. The architecture rounds the inputs.
#pragma once
#include "llmap/weights/quantized/scheme.hpp"
#include <algorithm>

namespace llmap::quantized {

/// quant_method "bitnet".
class bitnet final : public scheme {
  bool divides_ = true, online_ = false;

public:
  /// Of quantization_config; what is not read is refused.
  explicit bitnet(const config& q) {
    const std::string kind = q.text("linear_class", "bitlinear"), mode = q.text("quantization_mode", "offline");
    if (kind != "bitlinear" && kind != "autobitlinear")
      q.refuse("linear_class", json(kind), "bitlinear or autobitlinear");
    if (mode != "offline" && mode != "online") q.refuse("quantization_mode", json(mode), "offline or online");
    divides_ = kind == "bitlinear";
    online_ = !divides_ && mode == "online";
    if (const json* skipped = q.find("modules_to_not_convert"); skipped && !skipped->is_null()) {
      const bool head = skipped->items() && std::any_of(skipped->items()->begin(), skipped->items()->end(),
                                                        [](const json& m) { return m.is("lm_head"); });
      if (!head || skipped->items()->size() > 1) q.refuse("modules_to_not_convert", *skipped, "null or lm_head alone");
    }
  }

  std::string description() const override { return online_ ? "bitnet, rounded when loaded" : "bitnet"; }
  std::vector<std::string_view> parts() const override { return {"weight", "weight_scale"}; }
  std::optional<encoded_matrix> find(const any_tensors& source, const std::string& module) const override {
    const std::string weight = module + ".weight", scale = module + ".weight_scale";
    const auto info = source.find(weight);
    if (!info || info->shape.size() != 2 || module.ends_with("lm_head") || module.ends_with("embed_tokens"))
      return std::nullopt;
    if (online_) return rounded(source, weight, *info);
    if (!source.find(scale)) fail("tensor ", scale, ": missing, expected one number");
    expect_one(source, scale);
    const bool packed = info->type == dtype::u8;
    const std::int64_t stored = info->shape[0], cols = info->shape[1];
    const auto read_number = [=] {
      const double number = read_scale(source, scale);
      if (!(number > 0)) fail("tensor ", scale, ": expected a positive number, got ", number);
      return number;
    };
    if (packed) {
      const coding how{.bits = 4, .group = cols, .scale = dtype::f64, .same = {.zero = 1}};
      return coded(4 * stored, how, cols, [=, divides = divides_]() -> coded_rows {
        const double number = read_number();
        const group_numbers all{divides ? 1 / number : number, 1}; // of -1, 0, 1 and 2 a quotient is this product
        return {how, cols,
                [=, data = source.read(weight)](std::int64_t first, std::int64_t count, std::uint8_t* codes) {
                  for (std::int64_t r = first; r < first + count; ++r)
                    for (std::int64_t c = 0; c < cols; ++c)
                      *codes++ =
                          static_cast<std::uint8_t>(data.bytes[static_cast<std::size_t>(r % stored * cols + c)] >>
                                                    (2 * (r / stored))) &
                          3;
                },
                [=](std::int64_t, std::int64_t) { return all; }};
      });
    }
    return encoded_matrix{stored, cols, [=, divides = divides_]() -> row_decoder {
                            const double number = read_number();
                            std::vector<double> plain;
                            append_widened(source.read(weight), weight, plain);
                            return [=](std::int64_t first, std::int64_t count, double* values) {
                              for (std::int64_t i = first * cols; i < (first + count) * cols; ++i)
                                *values++ = divides ? plain[static_cast<std::size_t>(i)] / number
                                                    : plain[static_cast<std::size_t>(i)] * number;
                            };
                          }};
  }

private:
  static encoded_matrix rounded(const any_tensors& source, const std::string& weight, const tensor_info& info) {
    return {info.shape[0], info.shape[1], [=, cols = info.shape[1]]() -> row_decoder {
              std::vector<double> plain;
              append_widened(source.read(weight), weight, plain);
              double sum = 0;
              for (const double x : plain) sum += std::abs(x);
              const double unit = std::max(sum / static_cast<double>(plain.size()), 1e-5);
              return [=](std::int64_t first, std::int64_t count, double* values) {
                for (std::int64_t i = first * cols; i < (first + count) * cols; ++i)
                  *values++ = std::clamp(std::nearbyint(plain[static_cast<std::size_t>(i)] / unit), -1.0, 1.0) * unit;
              };
            }};
  }
};

} // namespace llmap::quantized
