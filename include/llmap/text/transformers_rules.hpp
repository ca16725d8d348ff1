// What the tokenizer classes of transformers 4.57 do on top of tokenizer.json: which class reads a folder, which
// special tokens it has by default, and whether it replaces the file's template with its own BOS/EOS.
#pragma once
#include "llmap/text/component.hpp"
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace llmap {

/// What a tokenizer class of transformers adds to the files.
struct tokenizer_class {
  std::string_view name; ///< of the class, without Tokenizer and Fast
  /// The template of the file is replaced by [BOS] text [EOS] from add_bos_token / add_eos_token.
  bool own_template = false, add_bos = false, add_eos = false;
  std::string_view bos, eos, unk, pad;   // defaults; empty: none
  std::string_view cls{}, sep{}, mask{}; ///< defaults too
};

/// All that are known; the last adds nothing.
inline constexpr tokenizer_class tokenizer_classes[] = {
    {"Llama", true, true, false, "<s>", "</s>", "<unk>", ""},
    {"Gemma", true, true, false, "<bos>", "<eos>", "<unk>", "<pad>"},
    {"Cohere", true, true, false, "<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>", "<UNK>", ""},
    {"GPTNeoX", true, false, false, "<|endoftext|>", "<|endoftext|>", "<|endoftext|>", ""},
    {"GPT2", false, false, false, "<|endoftext|>", "<|endoftext|>", "<|endoftext|>", ""},
    {"Qwen2", false, false, false, "", "<|endoftext|>", "<|endoftext|>", "<|endoftext|>"},
    {"CodeGen", false, false, false, "<|endoftext|>", "<|endoftext|>", "<|endoftext|>", ""},
    {"Bloom", false, false, false, "<s>", "</s>", "<unk>", "<pad>"},
    {"XGLM", false, false, false, "<s>", "</s>", "<unk>", "<pad>", "<s>", "</s>", ""},
    {"Bert", false, false, false, "", "", "[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]"},
    {"Roberta", false, false, false, "<s>", "</s>", "<unk>", "<pad>", "<s>", "</s>", "<mask>"},
    {"PreTrained", false, false, false, "", "", "", ""},
};

/// Class by model_type, for folders whose tokenizer_config.json names none.
inline constexpr std::pair<std::string_view, std::string_view> class_of_model_type[] = {
    {"llama", "Llama"},        {"mistral", "Llama"},        {"mixtral", "Llama"},       {"phi3", "Llama"},
    {"phimoe", "Llama"},       {"deepseek_v2", "Llama"},    {"deepseek_v3", "Llama"},   {"persimmon", "Llama"},
    {"gpt_neox", "GPTNeoX"},   {"olmo", "GPTNeoX"},         {"olmo2", "GPTNeoX"},       {"olmoe", "GPTNeoX"},
    {"stablelm", "GPTNeoX"},   {"mpt", "GPTNeoX"},          {"rwkv", "GPTNeoX"},        {"mamba", "GPTNeoX"},
    {"mamba2", "GPTNeoX"},     {"falcon_mamba", "GPTNeoX"}, {"gpt2", "GPT2"},           {"gptj", "GPT2"},
    {"gpt_neo", "GPT2"},       {"gpt_bigcode", "GPT2"},     {"starcoder2", "GPT2"},     {"opt", "GPT2"},
    {"olmo3", "GPT2"},         {"granite", "GPT2"},         {"cohere", "Cohere"},       {"cohere2", "Cohere"},
    {"gemma", "Gemma"},        {"gemma2", "Gemma"},         {"gemma3_text", "Gemma"},   {"qwen2", "Qwen2"},
    {"qwen3", "Qwen2"},        {"codegen", "CodeGen"},      {"phi", "CodeGen"},         {"bloom", "Bloom"},
    {"xglm", "XGLM"},          {"falcon", "PreTrained"},    {"glm", "PreTrained"},      {"glm4", "PreTrained"},
    {"gpt_oss", "PreTrained"}, {"smollm3", "PreTrained"},   {"nemotron", "PreTrained"}, {"helium", "PreTrained"},
    {"bitnet", "PreTrained"}};

/// The class that adds nothing to what the files say.
inline const tokenizer_class& plain_tokenizer_class() { return tokenizer_classes[std::size(tokenizer_classes) - 1]; }

/// The class that reads a folder with these files (either may be null JSON).
inline const tokenizer_class& class_of(const component& tokenizer_config, const component& model_config) {
  const auto find = [](std::string_view name) -> const tokenizer_class* {
    for (const tokenizer_class& c : tokenizer_classes)
      if (c.name == name) return &c;
    return nullptr;
  };
  if (!tokenizer_config.absent("tokenizer_class")) {
    const component field = tokenizer_config.at("tokenizer_class");
    std::string name = field.text();
    if (name == "PreTrainedTokenizerFast" || name == "PreTrainedTokenizer" || name == "TokenizersBackend")
      return plain_tokenizer_class();
    if (name.ends_with("Fast")) name.resize(name.size() - 4);
    if (name.ends_with("Tokenizer")) name.resize(name.size() - 9);
    if (const tokenizer_class* found = find(name)) return *found;
    field.refuse(
        "a known tokenizer class (Llama, Gemma, Cohere, GPTNeoX, GPT2, Qwen2, CodeGen, Bloom, XGLM, Bert, Roberta, "
        "PreTrainedTokenizerFast)");
  }
  if (!model_config.absent("model_type")) {
    const std::string type = model_config.at("model_type").text();
    for (const auto& [known, name] : class_of_model_type)
      if (known == type) return *find(name);
    fail(model_config.where(), ".model_type: no tokenizer class known for ", type,
         ", and tokenizer_config.json names none");
  }
  return plain_tokenizer_class();
}

} // namespace llmap
