// Every architecture, by model_type. A program that loads one family includes that family's header instead.
#pragma once
#include "llmap/architectures/bloom.hpp"
#include "llmap/architectures/gemma2.hpp"
#include "llmap/architectures/gpt2.hpp"
#include "llmap/architectures/gpt_neox.hpp"
#include "llmap/architectures/llama.hpp"
#include "llmap/architectures/mistral.hpp"
#include "llmap/architectures/opt.hpp"
#include "llmap/architectures/qwen2.hpp"

namespace llmap {

struct architecture {
  std::string_view model_type;
  decoder_plan (*plan)(const config&);
};

inline constexpr architecture architectures[] = {
    {"bloom", bloom_plan}, {"gemma2", gemma2_plan}, {"gpt2", gpt2_plan}, {"gpt_neox", gpt_neox_plan},
    {"llama", llama_plan}, {"mistral", mistral_plan}, {"opt", opt_plan}, {"qwen2", qwen2_plan}};

/// The plan of a config. Unknown model types, custom code, quantised weights and a depth of 0 are refused
/// by name.
inline decoder_plan plan_of(const config& c) {
  if (!c.has("model_type")) fail(c.where(), ": model_type: missing");
  const std::string type = c.text("model_type", "");
  if (!c.absent("quantization_config")) c.wrong("quantization_config", *c.find("quantization_config"), "none (plain weights)");
  if (const auto custom = c.object("auto_map"); custom && custom->has("AutoModelForCausalLM"))
    fail(c.where(), ": auto_map: the publisher's own code decides what this ", type, " computes; it cannot be run here");
  std::string known;
  for (const architecture& a : architectures) {
    if (a.model_type == type) {
      decoder_plan plan = a.plan(c);
      // Without layers every score is a function of the token before, which is no model that anyone trained.
      constexpr std::string_view depth = "n_layer|num_hidden_layers";
      if (plan.layers.empty()) c.wrong(depth, *c.find(depth), "at least one layer");
      return plan;
    }
    known.append(known.empty() ? "" : ", ").append(a.model_type);
  }
  fail(c.where(), ": model_type: expected one of ", known, "; got ", type);
}

} // namespace llmap
