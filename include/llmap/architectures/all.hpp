// Every architecture, by model_type. A program that loads one family includes that family's header instead.
#pragma once
#include "llmap/architectures/bloom.hpp"
#include "llmap/architectures/cohere2.hpp"
#include "llmap/architectures/deepseek_v2.hpp"
#include "llmap/architectures/gemma.hpp"
#include "llmap/architectures/gemma2.hpp"
#include "llmap/architectures/gemma3.hpp"
#include "llmap/architectures/gpt2.hpp"
#include "llmap/architectures/gpt_neox.hpp"
#include "llmap/architectures/gpt_oss.hpp"
#include "llmap/architectures/llama.hpp"
#include "llmap/architectures/mamba.hpp"
#include "llmap/architectures/mamba2.hpp"
#include "llmap/architectures/mistral.hpp"
#include "llmap/architectures/mixtral.hpp"
#include "llmap/architectures/olmo2.hpp"
#include "llmap/architectures/opt.hpp"
#include "llmap/architectures/phi3.hpp"
#include "llmap/architectures/qwen2.hpp"
#include "llmap/architectures/qwen3.hpp"
#include "llmap/architectures/recurrent_gemma.hpp"
#include "llmap/architectures/rwkv.hpp"

namespace llmap {

struct architecture {
  std::string_view model_type;
  decoder_plan (*plan)(const config&);
};

inline constexpr architecture architectures[] = {{"bloom", bloom_plan},
                                                 {"cohere2", cohere2_plan},
                                                 {"deepseek_v2", deepseek_v2_plan},
                                                 {"gemma", gemma_plan},
                                                 {"gemma2", gemma2_plan},
                                                 {"gemma3_text", gemma3_text_plan},
                                                 {"gpt2", gpt2_plan},
                                                 {"gpt_neox", gpt_neox_plan},
                                                 {"gpt_oss", gpt_oss_plan},
                                                 {"llama", llama_plan},
                                                 {"mamba", mamba_plan_of},
                                                 {"mamba2", mamba2_plan_of},
                                                 {"mistral", mistral_plan},
                                                 {"mixtral", mixtral_plan},
                                                 {"olmo2", olmo2_plan},
                                                 {"opt", opt_plan},
                                                 {"phi3", phi3_plan},
                                                 {"qwen2", qwen2_plan},
                                                 {"qwen3", qwen3_plan},
                                                 {"recurrent_gemma", recurrent_gemma_plan},
                                                 {"rwkv", rwkv_plan}};

/// The plan of a config. Unknown model types and custom code are refused by name. How matrices are stored is not the
/// plan's to say (weights/quantized_tensors.hpp).
inline decoder_plan plan_of(const config& c) {
  if (!c.has("model_type")) fail(c.where(), ": model_type: missing");
  const std::string type = c.text("model_type", "");
  if (const auto custom = c.object("auto_map"); custom && custom->has("AutoModelForCausalLM"))
    fail(c.where(), ": auto_map: the publisher's own code decides what this ", type,
         " computes; it cannot be run here");
  std::string known;
  for (const architecture& a : architectures) {
    known.append(known.empty() ? "" : ", ").append(a.model_type);
    if (a.model_type == type) return a.plan(c);
  }
  fail(c.where(), ": model_type: expected one of ", known, "; got ", type);
}

} // namespace llmap
