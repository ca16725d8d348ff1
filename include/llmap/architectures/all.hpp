// Every architecture, by model_type. A program that loads one family includes that family's header instead.
#pragma once
#include "llmap/architectures/apertus.hpp"
#include "llmap/architectures/arcee.hpp"
#include "llmap/architectures/biogpt.hpp"
#include "llmap/architectures/bitnet.hpp"
#include "llmap/architectures/bloom.hpp"
#include "llmap/architectures/codegen.hpp"
#include "llmap/architectures/cohere.hpp"
#include "llmap/architectures/cohere2.hpp"
#include "llmap/architectures/deepseek_v2.hpp"
#include "llmap/architectures/deepseek_v3.hpp"
#include "llmap/architectures/deepseek_v32.hpp"
#include "llmap/architectures/ernie4_5.hpp"
#include "llmap/architectures/ernie4_5_moe.hpp"
#include "llmap/architectures/exaone4.hpp"
#include "llmap/architectures/falcon.hpp"
#include "llmap/architectures/falcon_h1.hpp"
#include "llmap/architectures/gemma.hpp"
#include "llmap/architectures/gemma2.hpp"
#include "llmap/architectures/gemma3.hpp"
#include "llmap/architectures/gemma3n.hpp"
#include "llmap/architectures/gemma4.hpp"
#include "llmap/architectures/glm.hpp"
#include "llmap/architectures/glm4.hpp"
#include "llmap/architectures/glm4_moe.hpp"
#include "llmap/architectures/gpt2.hpp"
#include "llmap/architectures/gpt_bigcode.hpp"
#include "llmap/architectures/gpt_neo.hpp"
#include "llmap/architectures/gpt_neox.hpp"
#include "llmap/architectures/gpt_oss.hpp"
#include "llmap/architectures/gptj.hpp"
#include "llmap/architectures/granite.hpp"
#include "llmap/architectures/granitemoe.hpp"
#include "llmap/architectures/granitemoehybrid.hpp"
#include "llmap/architectures/helium.hpp"
#include "llmap/architectures/hunyuan_v1_dense.hpp"
#include "llmap/architectures/jamba.hpp"
#include "llmap/architectures/lfm2.hpp"
#include "llmap/architectures/llama.hpp"
#include "llmap/architectures/llama4.hpp"
#include "llmap/architectures/mamba.hpp"
#include "llmap/architectures/mamba2.hpp"
#include "llmap/architectures/minimax_m2.hpp"
#include "llmap/architectures/ministral3.hpp"
#include "llmap/architectures/mistral.hpp"
#include "llmap/architectures/mixtral.hpp"
#include "llmap/architectures/mpt.hpp"
#include "llmap/architectures/nemotron.hpp"
#include "llmap/architectures/nemotron_h.hpp"
#include "llmap/architectures/olmo.hpp"
#include "llmap/architectures/olmo2.hpp"
#include "llmap/architectures/olmo3.hpp"
#include "llmap/architectures/olmo_hybrid.hpp"
#include "llmap/architectures/olmoe.hpp"
#include "llmap/architectures/opt.hpp"
#include "llmap/architectures/persimmon.hpp"
#include "llmap/architectures/phi.hpp"
#include "llmap/architectures/phi3.hpp"
#include "llmap/architectures/phimoe.hpp"
#include "llmap/architectures/qwen2.hpp"
#include "llmap/architectures/qwen2_moe.hpp"
#include "llmap/architectures/qwen3.hpp"
#include "llmap/architectures/qwen3_5.hpp"
#include "llmap/architectures/qwen3_moe.hpp"
#include "llmap/architectures/qwen3_next.hpp"
#include "llmap/architectures/recurrent_gemma.hpp"
#include "llmap/architectures/rwkv.hpp"
#include "llmap/architectures/seed_oss.hpp"
#include "llmap/architectures/smollm3.hpp"
#include "llmap/architectures/stablelm.hpp"
#include "llmap/architectures/starcoder2.hpp"
#include "llmap/architectures/vaultgemma.hpp"
#include "llmap/architectures/xglm.hpp"
#include <concepts>

namespace llmap {

/// A model_type and what turns its config into a plan.
struct architecture {
  std::string_view model_type;         ///< as a config.json says it
  decoder_plan (*plan)(const config&); ///< refuses what it does not read
};

/// All that are read, sorted by name.
inline constexpr architecture architectures[] = {{"apertus", apertus_plan},
                                                 {"arcee", arcee_plan},
                                                 {"biogpt", biogpt_plan},
                                                 {"bitnet", bitnet_plan},
                                                 {"bloom", bloom_plan},
                                                 {"codegen", codegen_plan},
                                                 {"cohere", cohere_plan},
                                                 {"cohere2", cohere2_plan},
                                                 {"deepseek_v2", deepseek_v2_plan},
                                                 {"deepseek_v3", deepseek_v3_plan},
                                                 {"deepseek_v32", deepseek_v32_plan},
                                                 {"ernie4_5", ernie4_5_plan},
                                                 {"ernie4_5_moe", ernie4_5_moe_plan},
                                                 {"exaone4", exaone4_plan},
                                                 {"falcon", falcon_plan},
                                                 {"falcon_h1", falcon_h1_plan},
                                                 {"gemma", gemma_plan},
                                                 {"gemma2", gemma2_plan},
                                                 {"gemma3_text", gemma3_text_plan},
                                                 {"gemma3n_text", gemma3n_text_plan},
                                                 {"gemma4_text", gemma4_text_plan},
                                                 {"glm", glm_plan},
                                                 {"glm4", glm4_plan},
                                                 {"glm4_moe", glm4_moe_plan},
                                                 {"glm4_moe_lite", glm4_moe_lite_plan},
                                                 {"glm_moe_dsa", glm_moe_dsa_plan},
                                                 {"gpt2", gpt2_plan},
                                                 {"gpt_bigcode", gpt_bigcode_plan},
                                                 {"gpt_neo", gpt_neo_plan},
                                                 {"gpt_neox", gpt_neox_plan},
                                                 {"gpt_oss", gpt_oss_plan},
                                                 {"gptj", gptj_plan},
                                                 {"granite", granite_plan},
                                                 {"granitemoe", granitemoe_plan},
                                                 {"granitemoehybrid", granitemoehybrid_plan},
                                                 {"helium", helium_plan},
                                                 {"hunyuan_v1_dense", hunyuan_v1_dense_plan},
                                                 {"jamba", jamba_plan},
                                                 {"lfm2", lfm2_plan},
                                                 {"lfm2_moe", lfm2_moe_plan},
                                                 {"llama", llama_plan},
                                                 {"llama4_text", llama4_text_plan},
                                                 {"mamba", mamba_plan_of},
                                                 {"mamba2", mamba2_plan_of},
                                                 {"minimax_m2", minimax_m2_plan},
                                                 {"ministral3", ministral3_plan},
                                                 {"mistral", mistral_plan},
                                                 {"mixtral", mixtral_plan},
                                                 {"mpt", mpt_plan},
                                                 {"nemotron", nemotron_plan},
                                                 {"nemotron_h", nemotron_h_plan},
                                                 {"olmo", olmo_plan},
                                                 {"olmo2", olmo2_plan},
                                                 {"olmo3", olmo3_plan},
                                                 {"olmo_hybrid", olmo_hybrid_plan},
                                                 {"olmoe", olmoe_plan},
                                                 {"opt", opt_plan},
                                                 {"persimmon", persimmon_plan},
                                                 {"phi", phi_plan},
                                                 {"phi3", phi3_plan},
                                                 {"phimoe", phimoe_plan},
                                                 {"qwen2", qwen2_plan},
                                                 {"qwen2_moe", qwen2_moe_plan},
                                                 {"qwen3", qwen3_plan},
                                                 {"qwen3_5_moe_text", qwen3_5_moe_text_plan},
                                                 {"qwen3_5_text", qwen3_5_text_plan},
                                                 {"qwen3_moe", qwen3_moe_plan},
                                                 {"qwen3_next", qwen3_next_plan},
                                                 {"recurrent_gemma", recurrent_gemma_plan},
                                                 {"rwkv", rwkv_plan},
                                                 {"seed_oss", seed_oss_plan},
                                                 {"smollm3", smollm3_plan},
                                                 {"stablelm", stablelm_plan},
                                                 {"starcoder2", starcoder2_plan},
                                                 {"vaultgemma", vaultgemma_plan},
                                                 {"xglm", xglm_plan}};

/// Larger models whose text part is one of these: their config has it in text_config. `inner` is its model_type where
/// it names none.
struct wrapped_architecture {
  std::string_view model_type, inner; ///< of the whole, and of the text part
};
/// All that are read.
inline constexpr wrapped_architecture wrapped_architectures[] = {
    {"gemma3", "gemma3_text"},          {"gemma3n", "gemma3n_text"}, {"gemma4", "gemma4_text"},
    {"llama4", "llama4_text"},          {"mistral3", "mistral"},     {"qwen3_5", "qwen3_5_text"},
    {"qwen3_5_moe", "qwen3_5_moe_text"}};

template <std::same_as<config> Config = config> decoder_plan plan_of(const Config& c);

/// What stands for the prefix of a text model in the files of a larger one. Its classes save a text model alone under
/// these names too (Gemma3nForCausalLM).
inline std::vector<std::string> nested_prefixes() { return {"model.language_model.", "language_model.model."}; }

/// The plan of the text part of a larger model. Its head is tied where the files hold none of its own, whatever the
/// config says: the two levels of it may differ.
inline decoder_plan text_plan_of(const config& c, const config& text, std::string_view inner) {
  json inner_fields = *c.find("text_config");
  if (!text.has("model_type")) inner_fields.members()->push_back({"model_type", json(inner)});
  decoder_plan plan = plan_of(config(std::move(inner_fields), text.where()));
  if (plan.tied()) plan.head.table = fields::table("lm_head.weight", plan.vocab, plan.embedding.table.cols);
  plan.head.tied_where_absent = true;
  return plan;
}

/// The class of the publisher's own code for this model, or empty. transformers uses its own class for a model_type
/// that it knows, unless it is told to trust that code; this does the same.
inline std::string custom_code_of(const config& c) {
  const auto map = c.object("auto_map");
  return map && !map->absent("AutoModelForCausalLM") ? map->text("AutoModelForCausalLM", "") : "";
}

/// The plan of a config. Unknown model types are refused by name. How matrices are stored is not the
/// plan's to say (weights/quantized_tensors.hpp). A template, so that llmap::kernels can hold it compiled.
template <std::same_as<config> Config> decoder_plan plan_of(const Config& c) {
  if (!c.has("model_type")) fail(c.where(), ": model_type: missing");
  const std::string type = c.text("model_type", ""), custom = custom_code_of(c);
  for (const wrapped_architecture& w : wrapped_architectures) {
    if (w.model_type != type) continue;
    const auto text = c.object("text_config");
    if (!text) fail(c.where(), ": text_config: missing");
    decoder_plan plan = text_plan_of(c, *text, w.inner);
    plan.custom_code = custom;
    return plan;
  }
  std::string known;
  for (const architecture& a : architectures) {
    known.append(known.empty() ? "" : ", ").append(a.model_type);
    if (a.model_type != type) continue;
    decoder_plan plan = a.plan(c);
    plan.nested = nested_prefixes();
    plan.custom_code = custom;
    return plan;
  }
  for (const wrapped_architecture& w : wrapped_architectures) known.append(", ").append(w.model_type);
  fail(c.where(), ": model_type: expected one of ", known, "; got ", type);
}

#if defined(LLMAP_KERNELS) // the program links llmap::kernels
extern template decoder_plan plan_of(const config&);
#endif

} // namespace llmap
