// gemma2: RMS norms with weight 1 + w before and after each branch, embedding times sqrt(C), soft-capped scores and
// logits, sliding window on every other layer. Source: transformers 4.57 modeling_gemma2.py, with the attention
// softcap that its eager path honours.
#pragma once
#include "llmap/architectures/fields.hpp"

namespace llmap {

inline decoder_plan gemma2_plan(const config& c) {
  decoder_plan plan;
  plan.model_type = "gemma2";
  plan.prefix = "model.";
  plan.vocab = c.integer("vocab_size", 256000);
  plan.width = c.integer("hidden_size", 2304);
  plan.trained_tokens = c.integer("max_position_embeddings", 8192, 1, std::int64_t{1} << 32);
  const std::int64_t C = plan.width, inner = c.integer("intermediate_size", 9216);
  const std::int64_t layers = c.integer("num_hidden_layers", 26, 0, 4096);
  const double epsilon = c.positive("rms_norm_eps", 1e-6);
  const bool bias = c.boolean("attention_bias", false);
  const activation act = fields::activation_of(c, "hidden_activation", "gelu_pytorch_tanh");
  const auto window = c.is_null("sliding_window") ? 0 : c.integer("sliding_window", 4096, 1, std::int64_t{1} << 32);
  const auto cap = [&](const char* name, double otherwise) { return c.is_null(name) ? 0.0 : c.positive(name, otherwise); };
  const double score_cap = cap("attn_logit_softcapping", 50);

  plan.embedding.weight = "model.embed_tokens.weight";
  plan.embedding.width = C;
  plan.embedding.scale = std::sqrt(static_cast<double>(C));
  for (std::int64_t i = 0; i < layers; ++i) {
    const std::string name = "model.layers." + std::to_string(i) + ".";
    layer_plan layer;
    layer.attention_norm = fields::rms_norm(name + "input_layernorm", epsilon, 1);
    layer.attention_out_norm = fields::rms_norm(name + "post_attention_layernorm", epsilon, 1);
    layer.mlp_norm = fields::rms_norm(name + "pre_feedforward_layernorm", epsilon, 1);
    layer.mlp_out_norm = fields::rms_norm(name + "post_feedforward_layernorm", epsilon, 1);

    attention_plan& a = layer.attention;
    fields::read_heads(c, a, C, 8, 4, 256);
    a.scale = 1 / std::sqrt(c.positive("query_pre_attn_scalar", 256));
    a.softcap = score_cap;
    a.rope = fields::rope_of(c, a.head_dim, plan.trained_tokens);
    if (fields::is_sliding(c, layers, i, [](std::int64_t j) { return j % 2 == 0; })) a.window = window;
    a.qkv = {C, {fields::whole(name + "self_attn.q_proj", a.heads * a.head_dim, bias),
                 fields::whole(name + "self_attn.k_proj", a.kv_heads * a.head_dim, bias),
                 fields::whole(name + "self_attn.v_proj", a.kv_heads * a.head_dim, bias)}};
    a.out = fields::linear(name + "self_attn.o_proj", C, a.heads * a.head_dim, bias);

    layer.mlp = {act, true, inner,
                 {C, {fields::whole(name + "mlp.gate_proj", inner, false), fields::whole(name + "mlp.up_proj", inner, false)}},
                 fields::linear(name + "mlp.down_proj", C, inner, false)};
    plan.layers.push_back(std::move(layer));
  }
  plan.head.norm = fields::rms_norm("model.norm", epsilon, 1);
  plan.head.softcap = cap("final_logit_softcapping", 30);
  plan.head.tied = c.boolean("tie_word_embeddings", true);
  plan.head.weight = plan.head.tied ? plan.embedding.weight : "lm_head.weight";
  return plan;
}

} // namespace llmap
