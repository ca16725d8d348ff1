// A checkpoint whose matrices are stored in fewer bits, read as plain matrices: a tensor source over a source. The
// scheme is told by quantization_config (or MLX's quantization); which matrices are packed is told by the tensors.
// What the deployed model rounds besides, the inputs of these matrices, is said by rounding_of.
#pragma once
#include "llmap/core/parallel.hpp"
#include "llmap/weights/mxfp4.hpp"
#include "llmap/weights/quantized/awq.hpp"
#include "llmap/weights/quantized/bitnet.hpp"
#include "llmap/weights/quantized/bitsandbytes.hpp"
#include "llmap/weights/quantized/compressed_tensors.hpp"
#include "llmap/weights/quantized/fp8.hpp"
#include "llmap/weights/quantized/gptq.hpp"
#include "llmap/weights/quantized/hqq.hpp"
#include "llmap/weights/quantized/mlx.hpp"
#include "llmap/weights/quantized/modelopt_nvfp4.hpp"
#include <concepts>
#include <unordered_map>
#include <unordered_set>

namespace llmap {

/// What a config says of quantization, as a config of its own; nullopt where it says nothing.
inline std::optional<config> quantization_of(const config& c) {
  for (const char* key : {"quantization_config", "compression_config", "quantization"})
    if (auto q = c.object(key)) return q;
  const auto text = c.object("text_config");
  return text ? text->object("quantization_config") : std::nullopt;
}

/// The scheme of a quantization_config; nullptr where the file's matrices need none (MXFP4 experts). An unknown one is
/// refused by name. A template, so that llmap::kernels can hold it compiled.
template <std::same_as<config> Config> std::unique_ptr<quantized::scheme> scheme_of(const Config& q) {
  using namespace quantized;
  if (q.absent("quant_method")) {
    if (q.has("bits") && q.has("group_size")) return std::make_unique<mlx>(q);
    fail(q.where(), ": quant_method: missing");
  }
  const std::string method = q.text("quant_method", "");
  if (method == "mxfp4") return nullptr;
  if (method == "fp8") return std::make_unique<fp8>(fp8::of_tiles(q));
  if (method == "fbgemm_fp8") return std::make_unique<fp8>(fp8::of_rows());
  if (method == "compressed-tensors") return std::make_unique<compressed_tensors>(q);
  if (method == "gptq") return std::make_unique<gptq>(q);
  if (method == "awq") return std::make_unique<awq>(q);
  if (method == "hqq") return std::make_unique<hqq>();
  if (method == "bitnet") return std::make_unique<bitnet>(q);
  if (method == "bitsandbytes") {
    if (q.boolean("load_in_8bit", false)) return std::make_unique<bitsandbytes_8bit>();
    return std::make_unique<bitsandbytes_4bit>();
  }
  if (method == "modelopt") {
    const std::string algorithm = q.text("quant_algo", "");
    if (algorithm == "FP8") return std::make_unique<fp8>(fp8::of_matrices());
    if (algorithm == "NVFP4") return std::make_unique<modelopt_nvfp4>();
    q.refuse("quant_algo", json(algorithm), "FP8 or NVFP4");
  }
  q.refuse(
      "quant_method", json(method),
      "fp8, fbgemm_fp8, compressed-tensors, gptq, awq, bitsandbytes, bitnet, hqq, modelopt or mxfp4; save such a model "
      "dequantized to score it");
}

/// A tensor source with every matrix plain. A matrix is decoded when it is read, each time.
class quantized_tensors {
  any_tensors source_;
  std::unique_ptr<quantized::scheme> scheme_;
  dtype decoded_;
  std::unordered_map<std::string, quantized::encoded_matrix> packed_; // by the name X.weight
  std::unordered_set<std::string> parts_;                             // the names of what packed matrices are made of

  static bool is_ignorable(std::string_view part) { // it describes activations or caches
    constexpr std::string_view known[] = {
        "bias",    "input_scale", "input_global_scale", "activation_scale", "k_scale",         "v_scale",
        "q_scale", "prob_scale",  "output_scale",       "input_scale_ub",   "input_zero_point"};
    return std::find(std::begin(known), std::end(known), part) != std::end(known);
  }

  /// Fills packed_. A tensor of a packed matrix that nobody needs means that the scheme is misread.
  void find_packed() {
    const std::vector<std::string> names = source_.names();
    const auto parts = scheme_->parts();
    const auto for_parts = [&](const auto& body) { // of every tensor that may belong to a packed matrix
      for (const std::string& name : names)
        for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1))
          body(name, name.substr(0, dot), std::string_view(name).substr(dot + 1));
    };
    std::unordered_set<std::string> asked;
    for_parts([&](const std::string&, const std::string& module, std::string_view part) {
      if (std::find(parts.begin(), parts.end(), part) == parts.end() || !asked.insert(module).second) return;
      if (auto matrix = scheme_->find(source_, module)) packed_.emplace(module + ".weight", std::move(*matrix));
    });
    for_parts([&](const std::string& name, const std::string& module, std::string_view part) {
      if (!packed_.count(module + ".weight")) return;
      if (std::find(parts.begin(), parts.end(), part) == parts.end() && !is_ignorable(part))
        fail("tensor ", name, ": ", scheme_->description(), " does not explain it");
      if (part != "bias") parts_.insert(name);
    });
  }

  tensor_data decode(const std::string& name, const quantized::encoded_matrix& matrix) const {
    const auto rows = static_cast<std::size_t>(matrix.rows), cols = static_cast<std::size_t>(matrix.cols);
    const quantized::row_decoder rows_of = matrix.open();
    constexpr std::size_t block = 32;
    const auto values = [&]<class Value>() {
      auto all = std::make_shared<std::vector<Value>>(rows * cols);
      parallel_for(default_threads(), (rows + block - 1) / block, [&](std::size_t b) {
        const std::size_t first = b * block, count = std::min(block, rows - first);
        if constexpr (std::is_same_v<Value, double>) {
          rows_of(static_cast<std::int64_t>(first), static_cast<std::int64_t>(count), all->data() + first * cols);
        } else {
          std::vector<double> wide(count * cols);
          rows_of(static_cast<std::int64_t>(first), static_cast<std::int64_t>(count), wide.data());
          for (std::size_t i = 0; i < wide.size(); ++i) (*all)[first * cols + i] = static_cast<Value>(wide[i]);
        }
      });
      return tensor_data{*find(name), std::as_bytes(std::span(*all)), all};
    };
    return decoded_ == dtype::f64 ? values.template operator()<double>() : values.template operator()<float>();
  }

public:
  /// `c` is the model's config, `source` its tensors, `where` its folder. Matrices are decoded to F32, rounded once, or
  /// to F64.
  quantized_tensors(any_tensors source, const config& c, dtype decoded, const std::string& where)
      : source_(any_tensors::of(mxfp4_tensors(std::move(source)))), decoded_(decoded) {
    LLMAP_EXPECTS(decoded == dtype::f32 || decoded == dtype::f64, "quantized_tensors: decoded to F32 or F64");
    const auto q = quantization_of(c);
    if (q) scheme_ = scheme_of(*q);
    if (!scheme_) return;
    try {
      find_packed();
    } catch (const error& problem) {
      fail(where, ": ", problem.what());
    }
    if (packed_.empty())
      fail(q->where(), ": no matrix of the checkpoint is stored as ", scheme_->description(),
           "; without this field its weights are read as they are");
  }

  /// The scheme, or "" where matrices are plain.
  std::string description() const { return scheme_ ? scheme_->description() : ""; }

  std::vector<std::string> names() const {
    std::vector<std::string> all = source_.names();
    std::erase_if(all, [&](const std::string& name) { return parts_.contains(name); });
    for (const auto& [name, matrix] : packed_) all.push_back(name);
    return all;
  }
  std::optional<tensor_info> find(const std::string& name) const {
    const auto it = packed_.find(name);
    if (it == packed_.end()) return source_.find(name);
    return tensor_info{decoded_, {it->second.rows, it->second.cols}};
  }
  tensor_data read(const std::string& name) const {
    const auto it = packed_.find(name);
    return it == packed_.end() ? source_.read(name) : decode(name, it->second);
  }
  tensor_data read_slice(const std::string& name, std::int64_t slice) const { return source_.read_slice(name, slice); }
  std::optional<coding> coding_of(const std::string& name) const {
    const auto it = packed_.find(name);
    return it == packed_.end() ? source_.coding_of(name) : it->second.how;
  }
  std::optional<input_rounding> rounding_of(const std::string& name) const {
    const auto it = packed_.find(name);
    if (it == packed_.end() || !it->second.inputs) return std::nullopt;
    return it->second.inputs();
  }
  coded_rows read_coded(const std::string& name) const {
    const auto it = packed_.find(name);
    return it == packed_.end() ? source_.read_coded(name) : it->second.open_codes();
  }
};

#if defined(LLMAP_KERNELS) // the program links llmap::kernels
extern template std::unique_ptr<quantized::scheme> scheme_of(const config&);
#endif

} // namespace llmap
