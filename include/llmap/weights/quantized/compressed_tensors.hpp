// compressed-tensors (llm-compressor): groups of modules, each with a format and a way to scale. A module belongs to
// the group that names it, else to the first whose expression matches, else to the one of its class, "Linear". Source:
// compressed-tensors 0.20; `ignore` says nothing about how weights are stored.
#pragma once
#include "llmap/weights/module_pattern.hpp"
#include "llmap/weights/quantized/scheme.hpp"
#include <algorithm>
#include <cstdio>

namespace llmap::quantized {

/// quant_method "compressed-tensors". Sparse and transformed weights are refused.
class compressed_tensors final : public scheme {
  struct group {
    std::string where, format, strategy;
    std::vector<std::string> targets;
    int bits = 8;
    bool is_float = false, symmetric = true;
    std::int64_t size = 0, block_rows = 0, block_cols = 0;
    std::optional<input_rounding> inputs{}; // absent: not rounded; format none: as no rule here says
    std::string stored_inputs{};            // the tensor with inputs.scale: "input_scale", "input_global_scale" or ""
  };
  std::vector<group> groups_;

public:
  /// Of quantization_config; what is not read is refused.
  explicit compressed_tensors(const config& c) {
    for (const char* key : {"sparsity_config", "transform_config"})
      if (const auto object = c.object(key); object && !c.find(key)->members()->empty())
        c.refuse(key, *c.find(key), "nothing: weights changed in this way are not read");
    const auto groups = c.object("config_groups");
    if (!groups) fail(c.where(), ": config_groups: missing");
    for (const auto& [name, value] : *c.find("config_groups")->members())
      if (value.members()) groups_.push_back(read_group(c, config(value, groups->where() + ": " + name)));
  }

  std::string description() const override {
    std::string all;
    for (const group& g : groups_)
      if (all.find(g.format) == std::string::npos)
        all.append(all.empty() ? "compressed-tensors " : " and ").append(g.format);
    return all;
  }
  std::vector<std::string_view> parts() const override {
    return {"weight",       "weight_scale", "weight_zero_point",  "weight_packed",
            "weight_shape", "weight_g_idx", "weight_global_scale"};
  }
  std::optional<encoded_matrix> find(const any_tensors& source, const std::string& module) const override {
    const std::string x = module + ".";
    const auto plain = source.find(x + "weight");
    if (!source.find(x + "weight_packed") && (!plain || is_weight_dtype(plain->type))) return std::nullopt;
    const group* g = group_of(module);
    if (!g) fail("tensor ", x, plain ? "weight" : "weight_packed", ": no group of config_groups covers ", module);
    return matrix_of(source, x, *g).with_inputs(inputs_of(source, x, *g));
  }

private:
  static constexpr std::int64_t whole = std::int64_t{1} << 40;

  static encoded_matrix matrix_of(const any_tensors& source, const std::string& x, const group& g) {
    if (g.format == "pack-quantized") return packed_integers(source, x, g);
    if (g.format == "nvfp4-pack-quantized" || g.format == "mxfp4-pack-quantized") return packed_floats(source, x, g);
    expect(source, x + "weight", {g.is_float ? dtype::f8_e4m3 : dtype::i8}, {-1, -1});
    const std::string zero = g.symmetric && !source.find(x + "weight_zero_point") ? "" : x + "weight_zero_point";
    const auto [rows, cols] = tile(g);
    return tiled(source, x + "weight", x + "weight_scale", rows, cols, g.is_float ? "" : zero);
  }

  /// The rule of the config, with the module's own scale.
  static std::function<input_rounding()> inputs_of(const any_tensors& source, const std::string& x, const group& g) {
    if (!g.inputs) return {};
    if (g.inputs->format == input_format::none)
      return unknown_inputs(g.where + ": input_activations: no rule of this kind is followed");
    if (g.stored_inputs.empty()) return [rule = *g.inputs] { return rule; };
    return [source, name = x + g.stored_inputs, rule = *g.inputs]() mutable {
      expect_one(source, name);
      rule.scale = read_scale(source, name);
      if (!(rule.scale > 0)) fail("tensor ", name, ": expected a positive number, got ", rule.scale);
      return rule;
    };
  }
  static void read_inputs(const config& c, group& g) {
    const auto text = [&](const char* key) { return c.absent(key) ? std::string() : c.text(key, ""); };
    const std::string type = text("type"), strategy = text("strategy");
    const bool local = c.find("dynamic") && c.find("dynamic")->is("local"),
               dynamic = !local && !c.absent("dynamic") && c.boolean("dynamic", false);
    const std::int64_t bits = c.absent("num_bits") ? 0 : c.integer("num_bits", 0, 0),
                       size = c.absent("group_size") ? 0 : c.integer("group_size", 0, -1);
    input_rounding& rule = g.inputs.emplace();
    const bool fp8 = type == "float" && bits == 8;
    if (!c.absent("symmetric") && !c.boolean("symmetric", true)) return;
    if (type == "int" && bits == 8 && strategy == "token" && dynamic) rule.format = input_format::int8;
    if (fp8 && strategy == "token" && dynamic) rule.format = input_format::e4m3;
    if (fp8 && strategy == "group" && size > 0 && dynamic) rule.format = input_format::e4m3, rule.group = size;
    if (fp8 && strategy == "tensor" && !dynamic && !local)
      rule.format = input_format::e4m3, g.stored_inputs = "input_scale";
    if (type == "float" && bits == 4 && strategy == "tensor_group" && size > 0 && local)
      rule.format = input_format::e2m1, rule.group = size, g.stored_inputs = "input_global_scale";
  }

  static group read_group(const config& all, const config& c) {
    group g;
    g.where = c.where();
    const json* targets = c.find("targets");
    if (!targets || !targets->items()) fail(c.where(), ": targets: expected a list of names");
    for (const json& t : *targets->items()) {
      if (!t.string()) c.refuse("targets", t, "names of modules");
      g.targets.push_back(*t.string());
    }
    const std::string format = all.text("format", "");
    g.format = c.absent("format") ? format : c.text("format", "");
    constexpr std::string_view known[] = {"float-quantized", "naive-quantized",      "int-quantized",
                                          "pack-quantized",  "nvfp4-pack-quantized", "mxfp4-pack-quantized"};
    if (std::find(std::begin(known), std::end(known), g.format) == std::end(known))
      c.refuse("format", json(g.format),
               "float-, int-, naive-, pack-, nvfp4-pack- or mxfp4-pack-quantized, of the group or of all");
    const auto weights = c.object("weights");
    if (!weights) fail(c.where(), ": weights: missing");
    const config& w = *weights;
    g.bits = static_cast<int>(w.integer("num_bits", 8, 2, 8));
    const std::string type = w.text("type", "int");
    if (type != "int" && type != "float") w.refuse("type", json(type), "int or float");
    g.is_float = type == "float";
    g.symmetric = w.boolean("symmetric", true);
    g.size = w.absent("group_size") ? 0 : w.integer("group_size", 0, -1);
    g.strategy = w.absent("strategy") ? (g.size > 0   ? "group"
                                         : g.size < 0 ? "channel"
                                                      : "tensor")
                                      : w.text("strategy", "");
    if (g.strategy == "tensor_group") g.strategy = "group";
    if (g.strategy == "block") read_block(w, g);
    else if (g.strategy == "group" && g.size < 1) fail(w.where(), ": group_size: expected a positive number");
    else if (g.strategy != "tensor" && g.strategy != "channel" && g.strategy != "group")
      w.refuse("strategy", json(g.strategy), "tensor, channel, group, tensor_group or block");
    if (const auto inputs = c.object("input_activations")) read_inputs(*inputs, g);
    return g;
  }
  /// [128, 128], or "128x128" in old files.
  static void read_block(const config& w, group& g) {
    const json* block = w.find("block_structure");
    if (block && block->items() && block->items()->size() == 2) {
      g.block_rows = (*block->items())[0].integer().value_or(0);
      g.block_cols = (*block->items())[1].integer().value_or(0);
    } else if (block && block->string()) {
      int rows = 0, cols = 0, read = 0;
      const std::string& sides = *block->string();
      if (std::sscanf(sides.c_str(), "%6dx%6d%n", &rows, &cols, &read) == 2 &&
          static_cast<std::size_t>(read) == sides.size() && sides.find_first_of(" +-") == std::string::npos)
        g.block_rows = rows, g.block_cols = cols;
    }
    if (g.block_rows < 1 || g.block_cols < 1) fail(w.where(), ": block_structure: expected two positive numbers");
  }

  const group* group_of(const std::string& module) const {
    for (const group& g : groups_)
      if (std::find(g.targets.begin(), g.targets.end(), module) != g.targets.end()) return &g;
    std::pair<std::string, const group*> first{"", nullptr}; // among expressions the first of the alphabet
    for (const group& g : groups_)
      for (const std::string& t : g.targets)
        if (t.starts_with("re:") && (!first.second || t < first.first) &&
            llmap::detail::begins_with_match(module, t.substr(3), g.where + ": targets"))
          first = {t, &g};
    if (first.second) return first.second;
    for (const group& g : groups_)
      if (std::find(g.targets.begin(), g.targets.end(), "Linear") != g.targets.end()) return &g;
    return nullptr;
  }
  static std::pair<std::int64_t, std::int64_t> tile(const group& g) {
    if (g.strategy == "tensor") return {whole, whole};
    if (g.strategy == "channel") return {1, whole};
    if (g.strategy == "group") return {1, g.size};
    return {g.block_rows, g.block_cols};
  }

  /// Integers as fields of the row's words; zero points as fields of a column's words. Files of older versions put
  /// whole fields in a word, which shows in the number of words.
  static encoded_matrix packed_integers(const any_tensors& source, const std::string& x, const group& g) {
    const int bits = g.bits;
    expect(source, x + "weight_shape", {dtype::i64, dtype::i32}, {2});
    const auto shape = read_integers(source, x + "weight_shape");
    const std::int64_t rows = shape[0], cols = shape[1], in_word = 32 / bits;
    if (rows < 1 || cols < 1 || rows > 1 << 24 || cols > 1 << 24)
      fail("tensor ", x, "weight_shape: expected two positive numbers, got ", shape_text(shape));
    const tensor_info info = expect(source, x + "weight_packed", {dtype::i32}, {rows, -1});
    const std::int64_t words = info.shape[1];
    const bool whole_fields = words != ceil_div(cols * bits, 32) && words == ceil_div(cols, in_word);
    if (!whole_fields) expect(source, x + "weight_packed", {dtype::i32}, {rows, ceil_div(cols * bits, 32)});
    if (g.strategy != "channel" && g.strategy != "group") fail(g.where, ": strategy: expected channel or group");
    const std::int64_t size = g.strategy == "channel" ? cols : g.size, groups = ceil_div(cols, size);
    expect(source, x + "weight_scale", scale_types, {rows, groups});
    if (!g.symmetric)
      expect(source, x + "weight_zero_point", {dtype::i32},
             {whole_fields ? ceil_div(rows, in_word) : ceil_div(rows * bits, 32), groups});
    if (source.find(x + "weight_g_idx")) expect(source, x + "weight_g_idx", {dtype::i32}, {cols});
    const auto group = groups_of(source, x + "weight_g_idx", cols, size, groups);
    coding how{
        .bits = coded_bits(bits), .group = run_of(group, size), .scale = number_type(source, x + "weight_scale")};
    how.same.zero = static_cast<double>(std::int64_t{1} << (bits - 1));
    if (!g.symmetric) how.zero = dtype::u8;
    return coded(rows, how, cols, [=, symmetric = g.symmetric]() -> coded_rows {
      const tensor_data stored = source.read(x + "weight_packed");
      const tensor_data zeros = symmetric ? tensor_data{} : source.read(x + "weight_zero_point");
      const auto number = [=](const auto& word, std::int64_t i) { // less 2^(bits - 1), which cancels out
        return whole_fields ? field([&](std::int64_t) { return word(i / in_word); }, i % in_word, bits)
                            : field(word, i, bits);
      };
      return {how, cols,
              [=](std::int64_t first, std::int64_t count, std::uint8_t* codes) {
                for (std::int64_t r = first; r < first + count; ++r) {
                  const auto of_row = [&](std::int64_t k) { return word_at(stored.bytes.data(), r * words + k); };
                  for (std::int64_t i = 0; i < cols; ++i) *codes++ = static_cast<std::uint8_t>(number(of_row, i));
                }
              },
              [=, scales = read_scales(source, x + "weight_scale")](std::int64_t r, std::int64_t run) {
                const std::int64_t g = group[static_cast<std::size_t>(run * how.group)];
                const auto of_column = [&](std::int64_t k) { return word_at(zeros.bytes.data(), k * groups + g); };
                return group_numbers{.scale = scales[static_cast<std::size_t>(r * groups + g)],
                                     .zero = symmetric ? how.same.zero : static_cast<double>(number(of_column, r))};
              }};
    });
  }

  /// E2M1 codes with a scale a group: E8M0 (mxfp4), or E4M3 over a number of the whole matrix, which divides (nvfp4).
  static encoded_matrix packed_floats(const any_tensors& source, const std::string& x, const group& g) {
    const bool nvidia = g.format.starts_with("nvfp4");
    const std::int64_t size = g.size > 0 ? g.size : nvidia ? 16 : 32;
    const tensor_info info = expect(source, x + "weight_packed", {dtype::u8}, {-1, -1});
    const std::vector<std::int64_t> shape{info.shape[0], ceil_div(2 * info.shape[1], size)};
    if (nvidia) expect(source, x + "weight_scale", {dtype::f8_e4m3}, shape);
    else expect(source, x + "weight_scale", {dtype::u8, dtype::f8_e8m0}, shape);
    if (nvidia) expect_one(source, x + "weight_global_scale");
    if (!nvidia) return four_bit_floats(source, x + "weight_packed", size, x + "weight_scale");
    const std::string divisor = x + "weight_global_scale";
    return four_bit_floats(source, x + "weight_packed", size, x + "weight_scale",
                           {.outer_divisor = number_type(source, divisor)}, [=] {
                             const double number = read_scale(source, divisor);
                             if (!(number > 0)) fail("tensor ", divisor, ": expected a positive number, got ", number);
                             return outer_numbers{.divisor = number};
                           });
  }
};

} // namespace llmap::quantized
