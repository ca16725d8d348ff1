// MXFP4 weights as plain matrices: a tensor source that wraps another. A tensor X stored as X_blocks (U8 [..., n, 16])
// and X_scales (U8 [..., n]) appears as X (BF16 [..., 32 n]), exactly: each byte holds two values, the low half first,
// and every 32 values share one power of two. Other tensors pass through. Source: OCP Microscaling Formats 1.0; the
// files of gpt-oss.
#pragma once
#include "llmap/weights/any_tensors.hpp"
#include <algorithm>
#include <array>
#include <cmath>

namespace llmap {

/// The wrapped source with its packed tensors decoded, each when it is read. A pair whose shapes or types do not fit is
/// an llmap::error.
class mxfp4_tensors {
  any_tensors source_;
  static constexpr std::int64_t block = 32;
  static constexpr std::array<float, 16> values{0, .5f, 1, 1.5f, 2, 3, 4, 6, -0.f, -.5f, -1, -1.5f, -2, -3, -4, -6};

  std::optional<std::pair<tensor_info, tensor_info>> packed(const std::string& name) const {
    const auto blocks = source_.find(name + "_blocks"), scales = source_.find(name + "_scales");
    if (!blocks || !scales) return std::nullopt;
    std::vector<std::int64_t> expected = scales->shape;
    expected.push_back(block / 2);
    if (blocks->type != dtype::u8 || scales->type != dtype::u8 || blocks->shape != expected || scales->shape.empty())
      fail("tensor ", name, "_blocks: expected U8 ", shape_text(expected), " beside U8 scales, got ",
           name_of(blocks->type), " ", shape_text(blocks->shape));
    return std::pair(*blocks, *scales);
  }

  /// Decodes the blocks [first, first + count) of a tensor.
  tensor_data decode(const std::string& name, std::vector<std::int64_t> shape, std::size_t first,
                     std::size_t count) const {
    const tensor_data blocks = source_.read(name + "_blocks"), scales = source_.read(name + "_scales");
    auto wide = std::make_shared<std::vector<bf16>>(count * block);
    for (std::size_t b = 0; b < count; ++b) {
      const float scale = std::ldexp(1.f, static_cast<int>(scales.bytes[first + b]) - 127);
      const std::byte* from = blocks.bytes.data() + (first + b) * (block / 2);
      bf16* to = wide->data() + b * block;
      for (std::size_t i = 0; i < block / 2; ++i) {
        const auto byte = static_cast<unsigned>(from[i]);
        to[2 * i] = bf16(values[byte & 15] * scale);
        to[2 * i + 1] = bf16(values[byte >> 4] * scale);
      }
    }
    return {{dtype::bf16, std::move(shape)}, std::as_bytes(std::span(*wide)), wide};
  }

public:
  /// Decodes what `source` has as blocks and scales.
  explicit mxfp4_tensors(any_tensors source) : source_(std::move(source)) {}

  std::vector<std::string> names() const {
    constexpr std::string_view blocks = "_blocks", scales = "_scales";
    const auto is_there = [&](const std::string& name) { return source_.find(name).has_value(); };
    std::vector<std::string> all;
    for (const std::string& name : source_.names()) {
      const std::string base = name.substr(0, name.size() - std::min(name.size(), blocks.size()));
      if (name.ends_with(blocks) && is_there(base + std::string(scales))) all.push_back(base);
      else if (!name.ends_with(scales) || !is_there(base + std::string(blocks))) all.push_back(name);
    }
    return all;
  }
  std::optional<tensor_info> find(const std::string& name) const {
    if (auto plain = source_.find(name)) return plain;
    const auto p = packed(name);
    if (!p) return std::nullopt;
    tensor_info info{dtype::bf16, p->second.shape};
    info.shape.back() *= block;
    return info;
  }
  tensor_data read(const std::string& name) const {
    const auto p = source_.find(name) ? std::nullopt : packed(name);
    if (!p) return source_.read(name);
    return decode(name, find(name)->shape, 0, static_cast<std::size_t>(p->second.elements()));
  }
  /// Matrix `slice` of a stack.
  tensor_data read_slice(const std::string& name, std::int64_t slice) const {
    tensor_info info = *find(name);
    const std::vector<std::int64_t> shape(info.shape.begin() + 1, info.shape.end());
    const auto elements = static_cast<std::size_t>(info.elements() / info.shape.front()),
               first = static_cast<std::size_t>(slice) * elements;
    if (source_.find(name)) return source_.read_slice(name, slice);
    return decode(name, shape, first / block, elements / block);
  }
  std::optional<coding> coding_of(const std::string& name) const {
    if (source_.find(name)) return source_.coding_of(name);
    if (!packed(name)) return std::nullopt;
    coding how{.bits = 4, .group = block, .scale = dtype::bf16};
    how.table.assign(values.begin(), values.end());
    return how;
  }
  std::optional<input_rounding> rounding_of(const std::string& name) const {
    return source_.find(name) ? source_.rounding_of(name) : std::nullopt;
  }
  coded_rows read_coded(const std::string& name) const {
    if (source_.find(name)) return source_.read_coded(name);
    const std::int64_t cols = find(name)->shape.back();
    return {*coding_of(name), cols,
            [=, blocks = source_.read(name + "_blocks")](std::int64_t first, std::int64_t count, std::uint8_t* codes) {
              const std::byte* from = blocks.bytes.data() + first * cols / 2;
              for (std::int64_t i = 0; i < count * cols; ++i)
                codes[i] = static_cast<std::uint8_t>(i % 2 ? from[i / 2] >> 4 : from[i / 2] & std::byte{15});
            },
            [=, scales = source_.read(name + "_scales")](std::int64_t row, std::int64_t group) {
              const auto code = scales.bytes[static_cast<std::size_t>(row * cols / block + group)];
              return group_numbers{.scale = std::ldexp(1.f, static_cast<int>(code) - 127)};
            }};
  }
};

} // namespace llmap
