// recurrent_gemma (RecurrentGemma, Griffin): recurrent blocks and local attention in turn, a gated MLP after each. The
// embedding is multiplied by sqrt(C) rounded to bf16, whatever the precision. Texts beyond the attention window are
// refused: transformers itself does not apply the window to them. Source: transformers 4.57
// modeling_recurrent_gemma.py; De et al. 2024.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

/// A recurrent block (RG-LRU) on C channels; heads divide its gates into blocks.
inline rg_lru_plan recurrent_block(const config& c, const std::string& name, std::int64_t C, std::int64_t heads,
                                   activation act) {
  rg_lru_plan r;
  const std::int64_t L = r.channels = c.absent("lru_width") ? C : c.integer("lru_width", C), block = L / heads;
  if (L % heads != 0) fail(c.where(), ": lru_width ", L, " is not a multiple of num_attention_heads ", heads);
  r.act = act;
  r.gate = fields::linear(name + "linear_y", L, C, true);
  r.in = fields::linear(name + "linear_x", L, C, true);
  r.convolution = fields::convolution(name + "conv_1d", L, c.integer("conv1d_width", 4, 1, 64), true);
  const auto gates = [&](const std::string& which) { // stored [in, out], a slice a block
    std::vector<linear_plan> all;
    for (std::int64_t b = 0; b < heads; ++b)
      all.push_back({block, {{which + "_weight", which + "_bias", block, block, 0, block, block, true, heads, b}}});
    return all;
  };
  r.input_gate = gates(name + "rg_lru.input_gate");
  r.recurrent_gate = gates(name + "rg_lru.recurrent_gate");
  r.decay = fields::vector(name + "rg_lru.recurrent_param", {L});
  r.out = fields::linear(name + "linear_out", C, L, true);
  return r;
}

inline decoder_plan recurrent_gemma_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "recurrent_gemma",
                                   .vocab = 256000,
                                   .width = 2560,
                                   .inner = 7680,
                                   .layers = 26,
                                   .heads = 10,
                                   .norm_offset = 1,
                                   .tied = true,
                                   .rope = rope_plan{}});
  const activation act = fields::activation_of(c, "hidden_activation", "gelu_pytorch_tanh");
  o.embedding_scale =
      static_cast<double>(static_cast<float>(bf16(static_cast<float>(std::sqrt(static_cast<double>(o.width))))));
  o.qkv_bias = c.boolean("attention_bias", false);
  o.out_bias = true;
  if (o.inner % 2 != 0) fail(c.where(), ": intermediate_size: expected an even number, got ", o.inner);
  o.rope = fields::rope_of(c, fields::rotated_dims(c, o.head_dim, 0.5), c.integer("attention_window_size", 2048));
  std::vector<bool> recurrent;
  if (const json* types = c.find("block_types|_block_types"); types && types->items() && !types->items()->empty()) {
    for (const json& t : *types->items()) {
      if (!t.is("recurrent") && !t.is("attention")) c.refuse("block_types", t, "recurrent or attention");
      recurrent.push_back(t.is("recurrent"));
    }
  } else {
    recurrent = {true, true, false};
  }
  decoder_plan plan = llama_plan(o, [&](std::int64_t i, const std::string& name, layer_plan& layer) {
    layer.branches[0].before = fields::rms_norm(name + "temporal_pre_norm", o.width, o.epsilon, 1);
    layer.branches[1].before = fields::rms_norm(name + "channel_pre_norm", o.width, o.epsilon, 1);
    if (recurrent[static_cast<std::size_t>(i) % recurrent.size()])
      layer.branches[0].mixer = recurrent_block(c, name + "temporal_block.", o.width, o.heads, act);
    else layer.branches[0].mixer = llama_attention(o, name + "temporal_block.");
    const std::string mlp = name + "mlp_block.";
    layer.branches[1].mixer =
        fields::gated_mlp(mlp + "gate_proj", mlp + "up_proj", mlp + "down_proj", act, o.inner / 2, o.width, true);
  });
  plan.position_limit = plan.context_length = c.integer("attention_window_size", 2048);
  plan.head.norm = fields::rms_norm("model.final_norm", o.width, o.epsilon, 1);
  plan.head.softcap = fields::cap_of(c, "logits_soft_cap", 30);
  return plan;
}

} // namespace llmap
