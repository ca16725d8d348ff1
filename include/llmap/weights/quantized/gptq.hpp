// GPTQ: integers of 2, 3, 4 or 8 bits packed along the inputs, w = (q - zero) * scale of the input's group. Files
// without checkpoint_format, or with "gptq", store a zero point less one, in `bits` bits: the highest code means 0.
// Source: AutoGPTQ and GPTQModel, qlinear.
#pragma once
#include "llmap/weights/quantized/scheme.hpp"

namespace llmap::quantized {

/// quant_method "gptq".
class gptq final : public scheme {
  int bits_;
  std::int64_t group_; // -1: one for all inputs
  bool ordered_, stored_less_one_;

public:
  /// Of quantization_config; what is not read is refused.
  explicit gptq(const config& c)
      : bits_(static_cast<int>(c.integer("bits", 4))), group_(c.integer("group_size", 128, -1)),
        ordered_(!c.boolean("desc_act", false)) {
    if (bits_ != 2 && bits_ != 3 && bits_ != 4 && bits_ != 8) c.refuse("bits", *c.find("bits"), "2, 3, 4 or 8");
    if (group_ == 0) c.refuse("group_size", *c.find("group_size"), "-1, or a positive number");
    const std::string format = c.absent("checkpoint_format") ? "gptq" : c.text("checkpoint_format", "");
    if (format != "gptq" && format != "gptq_v2") c.refuse("checkpoint_format", json(format), "gptq or gptq_v2");
    stored_less_one_ = format == "gptq";
  }

  std::string description() const override {
    return "gptq, " + std::to_string(bits_) + " bits" +
           (group_ > 0 ? ", groups of " + std::to_string(group_) : std::string());
  }
  std::vector<std::string_view> parts() const override { return {"qweight", "qzeros", "scales", "g_idx"}; }
  std::optional<encoded_matrix> find(const any_tensors& source, const std::string& module) const override {
    const std::string x = module + ".";
    if (!source.find(x + "qweight")) return std::nullopt;
    const tensor_info info = expect(source, x + "qweight", {dtype::i32}, {-1, -1});
    const std::int64_t rows = info.shape[1], cols = info.shape[0] * 32 / bits_, size = group_ > 0 ? group_ : cols,
                       groups = ceil_div(cols, size), zero_words = rows * bits_ / 32;
    expect(source, x + "scales", scale_types, {groups, rows});
    expect(source, x + "qzeros", {dtype::i32}, {groups, zero_words});
    if (source.find(x + "g_idx")) expect(source, x + "g_idx", {dtype::i32, dtype::i64}, {cols});
    else if (!ordered_) fail("tensor ", x, "g_idx: missing, desc_act is true: the order of the inputs is lost");
    const auto group = groups_of(source, x + "g_idx", cols, size, groups);
    const coding how{.bits = coded_bits(bits_),
                     .group = run_of(group, size),
                     .scale = number_type(source, x + "scales"),
                     .zero = dtype::u8};
    return coded(rows, how, cols, [=, bits = bits_, more = stored_less_one_ ? 1 : 0]() -> coded_rows {
      return {how, cols,
              [=, stored = source.read(x + "qweight")](std::int64_t first, std::int64_t count, std::uint8_t* codes) {
                for (std::int64_t i = 0; i < cols; ++i)
                  for (std::int64_t r = first; r < first + count; ++r) {
                    const auto of_codes = [&](std::int64_t k) { return word_at(stored.bytes.data(), k * rows + r); };
                    codes[(r - first) * cols + i] = static_cast<std::uint8_t>(field(of_codes, i, bits));
                  }
              },
              [=, zeros = source.read(x + "qzeros"), scales = read_scales(source, x + "scales")](std::int64_t r,
                                                                                                 std::int64_t run) {
                const std::int64_t wrap = (std::int64_t{1} << bits) - 1,
                                   g = group[static_cast<std::size_t>(run * how.group)];
                const auto of_zeros = [&](std::int64_t k) { return word_at(zeros.bytes.data(), g * zero_words + k); };
                return group_numbers{.scale = scales[static_cast<std::size_t>(g * rows + r)],
                                     .zero = static_cast<double>((field(of_zeros, r, bits) + more) & wrap)};
              }};
    });
  }
};

} // namespace llmap::quantized
