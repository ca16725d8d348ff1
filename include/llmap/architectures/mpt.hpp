// mpt (MPT 7B, 30B): ALiBi, layer norms without bias, no biases, a plain MLP of four times the width. Options of the
// publisher's own code that transformers leaves out are refused. Source: transformers 4.57 modeling_mpt.py.
#pragma once
#include "llmap/architectures/alibi.hpp"
#include "llmap/architectures/fields.hpp"

namespace llmap {

inline decoder_plan mpt_plan(const config& c) {
  const std::int64_t C = c.integer("d_model|hidden_size", 2048),
                     H = c.integer("n_heads|num_attention_heads", 16, 1, 1 << 16);
  const double epsilon = c.positive("layer_norm_epsilon", 1e-5);
  const config attn = c.object("attn_config").value_or(config(json(json::object{}), c.where() + ": attn_config"));
  const auto only = [](bool holds, const config& where, const char* field, const char* expected) {
    if (!holds) where.refuse(field, *where.find(field), expected);
  };
  only(c.integer("expansion_ratio", 4) == 4, c, "expansion_ratio", "4");
  only(c.boolean("no_bias", true), c, "no_bias", "true");
  only(c.absent("logit_scale"), c, "logit_scale", "null");
  only(attn.boolean("alibi", true), attn, "alibi", "true");
  only(attn.integer("alibi_bias_max", 8) == 8, attn, "alibi_bias_max", "8");
  only(!attn.boolean("qk_ln", false), attn, "qk_ln", "false");
  only(!attn.boolean("prefix_lm", false), attn, "prefix_lm", "false");
  only(attn.text("attn_type", "multihead_attention") == "multihead_attention", attn, "attn_type",
       "multihead_attention");
  decoder_plan plan =
      fields::skeleton("mpt", "transformer.", c.integer("vocab_size", 50368), C, "transformer.wte.weight",
                       "lm_head.weight", c.boolean("tie_word_embeddings", true));
  plan.context_length = c.integer("max_seq_len", 2048, 1, std::int64_t{1} << 32);
  for (std::int64_t i = 0, n = fields::layers_of(c, "n_layers|num_hidden_layers", 24); i < n; ++i) {
    const std::string name = "transformer.blocks." + std::to_string(i) + ".";
    attention_plan a;
    a.heads = a.kv_heads = H;
    a.head_dim = fields::width_of_head(c, C, H);
    a.scale = attn.absent("softmax_scale") ? 1 / std::sqrt(static_cast<double>(a.head_dim))
                                           : attn.positive("softmax_scale", 1);
    a.clip = attn.absent("clip_qkv") ? 0 : attn.positive("clip_qkv", 1);
    a.alibi = alibi_slopes(H);
    a.qkv = fields::linear(name + "attn.Wqkv", 3 * C, C, false);
    a.out = fields::linear(name + "attn.out_proj", C, C, false);
    plan.layers.push_back(
        fields::pre_norm_layer(fields::layer_norm(name + "norm_1", C, epsilon, false), std::move(a),
                               fields::layer_norm(name + "norm_2", C, epsilon, false),
                               mlp_plan{activation::gelu, false, fields::linear(name + "ffn.up_proj", 4 * C, C, false),
                                        fields::linear(name + "ffn.down_proj", C, 4 * C, false)}));
  }
  plan.head.norm = fields::layer_norm("transformer.norm_f", C, epsilon, false);
  return plan;
}

} // namespace llmap
