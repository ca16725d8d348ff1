// bitnet (BitNet b1.58 2B-4T): a llama with a norm before the last matrix of attention and of the MLP. Where its
// quantization_config says so, products read rows that are rounded to 8 bits; that is part of the model. Norms of the
// inputs of single matrices (use_rms_norm) are refused. Source: transformers 5.24 modeling_bitnet.py,
// integrations/bitnet.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

inline decoder_plan bitnet_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "bitnet",
                                   .vocab = 128256,
                                   .width = 2560,
                                   .inner = 6912,
                                   .layers = 30,
                                   .heads = 20,
                                   .kv_heads = 5,
                                   .epsilon = 1e-5,
                                   .rope = rope_plan{}});
  o.rope = fields::rope_of(c, o.head_width(), o.positions, "rope_theta", 5e5);
  o.act = fields::activation_of(c, "hidden_act", "relu2");
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  const auto quantized = c.object("quantization_config");
  const bool rounded = quantized && quantized->text("quant_method", "") == "bitnet";
  if (rounded && quantized->boolean("use_rms_norm", false))
    quantized->refuse("use_rms_norm", *quantized->find("use_rms_norm"), "false");
  return llama_plan(o, [&](std::int64_t, const std::string& name, layer_plan& layer) {
    attention_plan& a = attention_of(layer);
    mlp_plan& mlp = std::get<mlp_plan>(layer.branches[1].mixer);
    a.out_norm = fields::rms_norm(name + "self_attn.attn_sub_norm", a.heads * a.head_dim, o.epsilon);
    mlp.out_norm = fields::rms_norm(name + "mlp.ffn_sub_norm", o.inner, o.epsilon);
    for (std::optional<norm_plan>* n :
         {&layer.branches[0].before, &layer.branches[1].before, &a.out_norm, &mlp.out_norm})
      (*n)->rounded = rounded;
  });
}

} // namespace llmap
