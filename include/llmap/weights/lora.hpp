// LoRA adapters as PEFT writes them, added to the weights of a base: W' = W + f B A, f = alpha / r (or alpha /
// sqrt(r)). Tensors, not target_modules, say what is changed; whole tensors (modules_to_save) replace those of the
// base. What is more than such a sum (DoRA, biases, replicated layers, ...) is refused by name. Source: peft 0.21.
#pragma once
#include "llmap/weights/any_tensors.hpp"
#include "llmap/weights/config.hpp"
#include "llmap/weights/module_pattern.hpp"
#include "llmap/weights/widen.hpp"
#include <algorithm>
#include <cmath>
#include <map>

namespace llmap {

/// What an adapter has to know of the model below it.
struct lora_base {
  std::string model_type; ///< says how its modules are named
  bool tied_head = false; ///< its head is its embedding
};

/// A base with an adapter added: a tensor source over two sources.
class lora_tensors {
  struct update {
    std::string a, b;        // names in the adapter
    double factor = 1;       // f
    bool transposed = false; // the base stores (in, out)
  };
  struct change {
    std::string replaced_by; // a name in the adapter, or ""
    std::vector<update> updates;
  };
  any_tensors base_, adapter_;
  config config_;
  lora_base below_;
  dtype decoded_;
  std::map<std::string, change> changes_; // by the base's name

  static constexpr std::string_view prefix_ = "base_model.model.";

  void refuse_what_is_no_sum() const {
    if (config_.text("peft_type", "") != "LORA")
      config_.refuse("peft_type", config_.find("peft_type") ? *config_.find("peft_type") : json("none"), "LORA");
    constexpr const char* options[] = {"use_dora",          "use_qalora",
                                       "lora_bias",         "megatron_config",
                                       "layer_replication", "trainable_token_indices",
                                       "target_parameters", "alora_invocation_tokens",
                                       "eva_config",        "corda_config",
                                       "arrow_config",      "use_bdlora"};
    for (const char* option : options) {
      if (config_.absent(option)) continue;
      const json& value = *config_.find(option);
      if (value.boolean() == false || (value.members() && value.members()->empty()) ||
          (value.items() && value.items()->empty()))
        continue;
      config_.refuse(option, value, "nothing: such an adapter is not a sum of the base and products of two matrices");
    }
    if (!config_.absent("bias") && config_.text("bias", "none") != "none")
      config_.refuse("bias", *config_.find("bias"), "none");
  }

  /// The number of the first pattern that matches the end of a module's name, or `otherwise`.
  double of_module(const char* patterns, const char* otherwise, const std::string& module) const {
    if (const auto table = config_.object(patterns))
      for (const auto& [pattern, value] : *config_.find(patterns)->members()) {
        if (!detail::begins_with_match(module, "(.*\\.)?(" + pattern + ")$", table->where())) continue;
        if (!value.number() || !(*value.number() > 0)) table->refuse(pattern, value, "a positive number");
        return *value.number();
      }
    if (!config_.has(otherwise)) fail(config_.where(), ": ", otherwise, ": missing");
    return config_.positive(otherwise, 1);
  }

  /// The base's name of a tensor, which may lack the outer prefix.
  std::string name_in_base(const std::string& name) const {
    if (base_.find(name)) return name;
    for (const std::string_view outer : {"model.", "transformer."})
      if (name.starts_with(outer) && base_.find(name.substr(outer.size()))) return name.substr(outer.size());
    fail("the adapter changes ", name, ", which the base does not have");
  }

  void add_update(const std::string& module, const std::string& a, const std::string& b, bool transposed) {
    if (!adapter_.find(a)) fail("tensor ", a, ": missing, expected it beside ", b);
    if (!adapter_.find(b)) fail("tensor ", b, ": missing, expected it beside ", a);
    const double r = of_module("rank_pattern", "r", module), alpha = of_module("alpha_pattern", "lora_alpha", module);
    const std::string name = name_in_base(module + ".weight");
    std::vector<std::int64_t> shape = base_.find(name)->shape;
    if (shape.size() != 2) fail("tensor ", name, ": expected a matrix to add an update to, got ", shape_text(shape));
    if (transposed) std::swap(shape[0], shape[1]);
    const auto rank = static_cast<std::int64_t>(r);
    expect_shape(a, {rank, shape[1]});
    expect_shape(b, {shape[0], rank});
    const double factor = config_.boolean("use_rslora", false) ? alpha / std::sqrt(r) : alpha / r;
    changes_[name].updates.push_back({a, b, factor, transposed});
  }
  void expect_shape(const std::string& name, const std::vector<std::int64_t>& shape) const {
    if (const auto info = adapter_.find(name); info->shape != shape)
      fail("tensor ", name, ": expected shape ", shape_text(shape), ", got ", shape_text(info->shape));
  }
  void replace(const std::string& name, const std::string& by) {
    expect_shape(by, base_.find(name)->shape);
    changes_[name].replaced_by = by;
  }

  void read_names() {
    const bool stores_in_out = below_.model_type == "gpt2";
    for (const std::string& name : adapter_.names()) {
      if (!name.starts_with(prefix_)) fail("tensor ", name, ": expected a name that begins with ", prefix_);
      const std::string_view body = std::string_view(name).substr(prefix_.size());
      const auto module_before = [&](std::string_view ending) {
        return std::string(body.substr(0, body.size() - ending.size()));
      };
      const auto other = [&](std::string_view from, std::string_view to) {
        std::string changed = name;
        return changed.replace(changed.rfind(from), from.size(), to);
      };
      if (body.ends_with(".lora_A.weight")) {
        const std::string module = module_before(".lora_A.weight");
        add_update(module, name, other(".lora_A.", ".lora_B."), stores_in_out && !module.ends_with("lm_head"));
      } else if (body.ends_with(".lora_B.weight")) {
        if (const std::string a = other(".lora_B.", ".lora_A."); !adapter_.find(a))
          fail("tensor ", a, ": missing, expected it beside ", name);
      } else if (body.ends_with(".lora_embedding_A")) { // the table is (in, out): rows are looked up
        if (below_.tied_head)
          fail("tensor ", name,
               ": the base's head is its embedding; an update of the embedding that is added at run time ",
               "does not change the head, merged into the weights it does");
        const std::string module = module_before(".lora_embedding_A");
        add_update(module, name, other("_A", "_B"), true);
      } else if (body.ends_with(".lora_embedding_B")) {
        if (const std::string a = other("_B", "_A"); !adapter_.find(a))
          fail("tensor ", a, ": missing, expected it beside ", name);
      } else if (body.ends_with(".base_layer.weight")) {
        replace(name_in_base(module_before(".base_layer.weight") + ".weight"), name);
      } else {
        add_whole(name, std::string(body));
      }
    }
  }
  /// A whole tensor, of a module that the config names in modules_to_save, or of a resized embedding.
  void add_whole(const std::string& name, std::string body) {
    if (body.find(".lora_") != std::string::npos) fail("tensor ", name, ": no part of an adapter that is read here");
    for (const std::string_view wrapper : {".modules_to_save.default.", ".modules_to_save."})
      if (const auto at = body.find(wrapper); at != std::string::npos) body.replace(at, wrapper.size(), ".");
    const std::string owner = body.substr(0, body.rfind('.'));
    std::vector<std::string> saved{"embed_tokens", "wte", "lm_head"};
    if (const json* list = config_.find("modules_to_save"); list && list->items())
      for (const json& m : *list->items())
        if (m.string()) saved.push_back(*m.string());
    const auto is_saved = [&](std::string_view module) { // PEFT: it ends like a name of the list
      return std::any_of(saved.begin(), saved.end(), [&](const std::string& m) { return module.ends_with(m); });
    };
    bool named = is_saved(owner);
    for (auto dot = owner.find('.'); !named && dot != std::string::npos; dot = owner.find('.', dot + 1))
      named = is_saved(std::string_view(owner).substr(0, dot)); // or it lies inside such a module
    if (!named) fail("tensor ", name, ": expected ", owner, " in modules_to_save of ", config_.where());
    if (below_.tied_head && owner.ends_with("lm_head"))
      fail("tensor ", name, ": the base's head is its embedding, which a saved head would leave behind");
    replace(name_in_base(body), name);
  }

  /// y += factor * b a, or its transpose; a (r, in), b (out, r).
  void add(const update& u, std::vector<double>& y) const {
    const std::vector<double> a = read_widened<double>(adapter_, u.a), b = read_widened<double>(adapter_, u.b);
    const auto shape = adapter_.find(u.b)->shape;
    const auto out = static_cast<std::size_t>(shape[0]), r = static_cast<std::size_t>(shape[1]), in = a.size() / r;
    for (std::size_t o = 0; o < out; ++o)
      for (std::size_t i = 0; i < in; ++i) {
        double sum = 0;
        for (std::size_t k = 0; k < r; ++k) sum += b[o * r + k] * a[k * in + i];
        y[u.transposed ? i * out + o : o * in + i] += u.factor * sum;
      }
  }

public:
  /// `decoded` (F32 or F64) is the type of changed tensors; `where`, the adapter's folder, starts every message. A
  /// tensor of the adapter without a place in the base is an llmap::error.
  lora_tensors(any_tensors base, any_tensors adapter, config adapter_config, lora_base below, dtype decoded,
               const std::string& where)
      : base_(std::move(base)), adapter_(std::move(adapter)), config_(std::move(adapter_config)),
        below_(std::move(below)), decoded_(decoded) {
    refuse_what_is_no_sum();
    try {
      read_names();
    } catch (const error& problem) {
      fail(where, ": ", problem.what());
    }
    if (changes_.empty()) fail(where, ": the adapter changes nothing");
  }

  std::vector<std::string> names() const { return base_.names(); }
  std::optional<tensor_info> find(const std::string& name) const {
    auto info = base_.find(name);
    if (info && changes_.count(name)) info->type = decoded_;
    return info;
  }
  tensor_data read(const std::string& name) const {
    const auto it = changes_.find(name);
    if (it == changes_.end()) return base_.read(name);
    const change& c = it->second;
    std::vector<double> y =
        c.replaced_by.empty() ? read_widened<double>(base_, name) : read_widened<double>(adapter_, c.replaced_by);
    for (const update& u : c.updates) add(u, y);
    return decoded_ == dtype::f64 ? owned(name, std::move(y)) : owned(name, std::vector<float>(y.begin(), y.end()));
  }
  /// A slice of a tensor that the adapter changes is refused.
  tensor_data read_slice(const std::string& name, std::int64_t slice) const {
    if (changes_.count(name)) fail("tensor ", name, ": an adapter on a stack of matrices is not read");
    return base_.read_slice(name, slice);
  }
  /// A changed tensor has no codes.
  std::optional<coding> coding_of(const std::string& name) const {
    return changes_.count(name) ? std::nullopt : base_.coding_of(name);
  }
  coded_rows read_coded(const std::string& name) const { return base_.read_coded(name); }
  std::optional<input_rounding> rounding_of(const std::string& name) const {
    const auto rule = base_.rounding_of(name);
    if (rule && changes_.count(name))
      fail("tensor ", name, ": inputs as deployed: the base rounds them and an adapter does not, so they have no sum");
    return rule;
  }

private:
  template <class Value> tensor_data owned(const std::string& name, std::vector<Value> values) const {
    auto kept = std::make_shared<std::vector<Value>>(std::move(values));
    return {*find(name), std::as_bytes(std::span(*kept)), kept};
  }
};

} // namespace llmap
