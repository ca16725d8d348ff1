// llama (Llama 1-3, Yi, Vicuna, TinyLlama, SmolLM, ...) and its near relatives mistral and qwen2: pre-norm blocks,
// RMS norm, gated MLP, rotary positions, grouped key/value heads. Source: transformers 4.57 modeling_llama.py.
#pragma once
#include "llmap/architectures/fields.hpp"

namespace llmap {

/// Where the members of the llama family differ.
struct llama_family {
  std::string model_type = "llama";
  std::int64_t vocab = 32000, width = 4096, inner = 11008, layers = 32, heads = 32, kv_heads = 0, positions = 2048;
  double epsilon = 1e-6;
  bool qkv_bias = false, out_bias = false, mlp_bias = false;
};

/// The plan of a llama-like config. `window(i)`: sliding window of layer i, 0 for none.
template <class Window> decoder_plan llama_like_plan(const config& c, const llama_family& family, const Window& window) {
  decoder_plan plan;
  plan.model_type = family.model_type;
  plan.prefix = "model.";
  plan.vocab = c.integer("vocab_size", family.vocab);
  plan.width = c.integer("hidden_size", family.width);
  plan.trained_tokens = c.integer("max_position_embeddings", family.positions, 1, std::int64_t{1} << 32);
  const std::int64_t inner = c.integer("intermediate_size", family.inner), C = plan.width;
  const std::int64_t layers = c.integer("num_hidden_layers", family.layers, 0, 4096);
  const double epsilon = c.positive("rms_norm_eps", family.epsilon);
  const activation act = fields::activation_of(c, "hidden_act", "silu");

  plan.embedding.weight = "model.embed_tokens.weight";
  plan.embedding.width = C;
  for (std::int64_t i = 0; i < layers; ++i) {
    const std::string name = "model.layers." + std::to_string(i) + ".";
    layer_plan layer;
    layer.attention_norm = fields::rms_norm(name + "input_layernorm", epsilon);
    layer.mlp_norm = fields::rms_norm(name + "post_attention_layernorm", epsilon);

    attention_plan& a = layer.attention;
    fields::read_heads(c, a, C, family.heads, family.kv_heads);
    a.scale = 1 / std::sqrt(static_cast<double>(a.head_dim));
    a.rope = fields::rope_of(c, a.head_dim, plan.trained_tokens);
    a.window = window(i);
    a.qkv = {C, {fields::whole(name + "self_attn.q_proj", a.heads * a.head_dim, family.qkv_bias),
                 fields::whole(name + "self_attn.k_proj", a.kv_heads * a.head_dim, family.qkv_bias),
                 fields::whole(name + "self_attn.v_proj", a.kv_heads * a.head_dim, family.qkv_bias)}};
    a.out = fields::linear(name + "self_attn.o_proj", C, a.heads * a.head_dim, family.out_bias);

    layer.mlp = {act, true, inner,
                 {C, {fields::whole(name + "mlp.gate_proj", inner, family.mlp_bias), fields::whole(name + "mlp.up_proj", inner, family.mlp_bias)}},
                 fields::linear(name + "mlp.down_proj", C, inner, family.mlp_bias)};
    plan.layers.push_back(std::move(layer));
  }
  plan.head.norm = fields::rms_norm("model.norm", epsilon);
  plan.head.tied = c.boolean("tie_word_embeddings", false);
  plan.head.weight = plan.head.tied ? plan.embedding.weight : "lm_head.weight";
  return plan;
}

inline decoder_plan llama_plan(const config& c) {
  llama_family family;
  family.qkv_bias = family.out_bias = c.boolean("attention_bias", false);
  family.mlp_bias = c.boolean("mlp_bias", false);
  return llama_like_plan(c, family, [](std::int64_t) { return 0; });
}

} // namespace llmap
