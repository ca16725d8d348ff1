// Models of real shapes with random weights, made when they are read.
#pragma once
#include "llmap/architectures/visit_tensors.hpp"
#include "llmap/core/random.hpp"
#include "llmap/weights/tensor_source.hpp"
#include <cmath>
#include <map>

namespace bench {

inline constexpr const char* smollm2 =
    R"({"model_type": "llama", "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
  "num_attention_heads": 9, "num_key_value_heads": 3, "vocab_size": 49152, "tie_word_embeddings": true, "rms_norm_eps": 1e-5,
  "rope_theta": 100000, "max_position_embeddings": 8192})";
inline constexpr const char* gpt2 =
    R"({"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257,
  "n_positions": 1024, "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new"})";

/// Random weights of the shapes that a plan asks for, made when they are read.
struct random_weights {
  std::map<std::string, llmap::tensor_info> table;
  explicit random_weights(const llmap::decoder_plan& plan) {
    for (const auto& spec : tensor_table(plan)) table[spec.name] = {llmap::dtype::bf16, spec.shape};
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [name, info] : table) all.push_back(name);
    return all;
  }
  std::optional<llmap::tensor_info> find(const std::string& name) const {
    const auto it = table.find(name);
    return it == table.end() ? std::nullopt : std::optional(it->second);
  }
  llmap::tensor_data read(const std::string& name) const {
    const auto info = table.at(name);
    auto values = std::make_shared<std::vector<llmap::bf16>>(static_cast<std::size_t>(info.elements()));
    const float scale = info.shape.size() >= 2 ? 3.f / std::sqrt(static_cast<float>(info.shape.back())) : 0.f;
    for (std::size_t i = 0; i < values->size(); ++i)
      (*values)[i] = llmap::bf16(
          scale == 0.f ? 1.f : scale * static_cast<float>(llmap::counter_random{name.size()}.uniform(1, i) - 0.5));
    return {info, std::as_bytes(std::span(*values)), values};
  }
};

} // namespace bench
