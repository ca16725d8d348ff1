// Splitting expressions of well-known tokenizers, by the names that model files without a tokenizer.json use for
// them (GGUF: tokenizer.ggml.pre), as the pre_tokenizer of a tokenizer.json.
#pragma once
#include "llmap/core/error.hpp"
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace llmap {

inline constexpr std::string_view qwen2_pattern =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
inline constexpr std::string_view llama3_pattern =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
// The two above as tiktoken writes them.
inline constexpr std::string_view qwen2_possessive_pattern =
    "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+";
inline constexpr std::string_view llama3_possessive_pattern =
    "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+";
inline constexpr std::string_view qwen3_5_pattern =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|"
    "\\s+(?!\\S)|\\s+";
inline constexpr std::string_view bloom_pattern = " ?[^(\\s|.,!?…。，、।۔،)]+";
inline constexpr std::string_view gpt4o_pattern =
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
inline constexpr std::string_view tekken_pattern =
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|"
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|"
    "\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/// Cut at the expression, then write the bytes as characters.
inline nlohmann::json regex_and_byte_level(std::string_view pattern) {
  const nlohmann::json split{{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}};
  const nlohmann::json bytes{{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  return {{"type", "Sequence"}, {"pretokenizers", nlohmann::json::array({split, bytes})}};
}

/// The pre_tokenizer of that name; an unknown name is an llmap::error that starts with `where`.
inline nlohmann::json named_pre_tokenizer(std::string_view name, const std::string& where) {
  const auto one_of = [&](auto... names) { return ((name == names) || ...); };
  const nlohmann::json gpt2{{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}};
  if (one_of("gpt-2", "phi-2", "mpt", "olmo", "jais")) return gpt2;
  if (one_of("starcoder", "smollm", "refact", "command-r", "codeshell")) {
    const nlohmann::json digits{{"type", "Digits"}, {"individual_digits", true}};
    return {{"type", "Sequence"}, {"pretokenizers", nlohmann::json::array({digits, gpt2})}};
  }
  if (one_of("llama-bpe", "llama3", "llama-v3", "dbrx", "smaug-bpe")) return regex_and_byte_level(llama3_pattern);
  if (one_of("qwen2", "stablelm2", "deepseek-r1-qwen")) return regex_and_byte_level(qwen2_pattern);
  if (one_of("bloom", "poro-chat", "gpt3-finnish")) return regex_and_byte_level(bloom_pattern);
  if (one_of("gpt-4o")) return regex_and_byte_level(gpt4o_pattern);
  if (one_of("tekken")) return regex_and_byte_level(tekken_pattern);
  fail(where, ": expected a pre-tokenizer among gpt-2, starcoder, smollm, llama-bpe, qwen2, bloom, gpt-4o, tekken "
              "(and names of the same expressions), got ", name);
}

} // namespace llmap
