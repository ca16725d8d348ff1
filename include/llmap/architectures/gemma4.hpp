// gemma4_text (Gemma 4): layers with a window, and wider ones with a full view whose rotation turns some of the pairs;
// q, k and v normed, scores not scaled; the last layers use the keys of earlier ones. A layer may have an input of its
// own for each token, experts beside its MLP, and ends with a learned factor. Norm weights are w, not 1 + w.
// Source: transformers 5.24 modeling_gemma4.py.
#pragma once
#include "llmap/architectures/experts.hpp"
#include "llmap/architectures/gemma4_layers.hpp"

namespace llmap {

/// The MLP with experts beside it, each between norms of its own; the router norms the residual by itself.
inline mixture_plan gemma4_mixture(const config& c, const llama_options& o, const std::string& name) {
  const auto norm = [&](const char* which) { return fields::rms_norm(name + which, o.width, o.epsilon); };
  const std::int64_t E = c.integer("num_experts", 1, 1, 1 << 12), inner = c.integer("moe_intermediate_size", 1);
  mixture_plan m;
  m.router = {.chosen = c.integer("top_k_experts", 1, 1, E),
              .normalized = true,
              .logits = fields::linear(name + "router.proj", E, o.width, false),
              .expert_scale = fields::vector(name + "router.per_expert_scale", {E})};
  m.router_before = norm_plan{norm_kind::rms,
                              o.width,
                              o.epsilon,
                              0,
                              fields::vector(name + "router.scale", {o.width}),
                              {},
                              1 / std::sqrt(static_cast<double>(o.width))};
  m.experts = stacked_experts(o, name + "experts.gate_up_proj", name + "experts.down_proj", E, inner);
  m.experts_before = norm("pre_feedforward_layernorm_2"), m.experts_after = norm("post_feedforward_layernorm_2");
  m.shared = llama_mlp(o, name + "mlp.");
  m.shared_before = norm("pre_feedforward_layernorm"), m.shared_after = norm("post_feedforward_layernorm_1");
  return m;
}

/// The rotation of a kind of layer: its entry of rope_parameters, or what is usual.
inline rope_plan gemma4_rope(const config& c, const char* kind, const rope_plan& usual, std::int64_t positions) {
  const auto all = c.object("rope_parameters");
  const auto own = all ? all->object(kind) : std::nullopt;
  return own ? fields::scaled_rope(c, own, 2, positions, usual.theta) : usual;
}

inline decoder_plan gemma4_text_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "gemma4_text",
                                   .vocab = 262144,
                                   .width = 2304,
                                   .inner = 9216,
                                   .layers = 30,
                                   .heads = 8,
                                   .kv_heads = 4,
                                   .head_dim = 256,
                                   .positions = 131072,
                                   .tied = true,
                                   .rope = rope_plan{}});
  if (!c.absent("use_bidirectional_attention") && c.text("use_bidirectional_attention", "") != "vision")
    c.refuse("use_bidirectional_attention", *c.find("use_bidirectional_attention"), "null or vision");
  o.act = fields::activation_of(c, "hidden_activation", "gelu_pytorch_tanh");
  o.embedding_scale = std::sqrt(static_cast<double>(o.width));
  o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
  const gemma4_layers layers{
      c,
      o,
      fields::window_of(c, 512),
      o.layers - c.integer("num_kv_shared_layers", 0, 0, o.layers - 1),
      gemma4_rope(c, "sliding_attention", {.dims = 2}, o.positions),
      gemma4_rope(c, "full_attention",
                  {.kind = rope_plan::scaling::proportional, .dims = 2, .theta = 1e6, .share = 0.25}, o.positions)};
  const std::int64_t p = c.integer("hidden_size_per_layer_input", 256, 0);
  const bool experts = c.boolean("enable_moe_block", false);
  decoder_plan plan = llama_plan(o, [&](std::int64_t i, const std::string& name, layer_plan& layer) {
    const auto norm = [&](const char* which) { return fields::rms_norm(name + which, o.width, o.epsilon); };
    layer.branches[0].mixer = layers.attention(i, name + "self_attn.");
    layer.branches[0].after = norm("post_attention_layernorm");
    layer.branches[1].before = norm("pre_feedforward_layernorm");
    layer.branches[1].after = norm("post_feedforward_layernorm");
    layer.branches[1].mixer = llama_mlp(layers.options(i), name + "mlp.");
    if (experts) layer.branches[1].before.reset(), layer.branches[1].mixer = gemma4_mixture(c, layers.options(i), name);
    if (p) layer.branches.push_back(gemma_input(o, name, i, p));
    layer.scalar = fields::vector(name + "layer_scalar", {1});
  });
  if (p) {
    const std::int64_t stored = c.integer("vocab_size_per_layer_input", 262144);
    if (stored < o.vocab)
      fail(c.where(), ": vocab_size_per_layer_input: expected vocab_size ", o.vocab, " or more, got ", stored);
    plan.embedding.inputs = gemma_inputs(o, p, o.vocab, stored);
  }
  plan.head.softcap = fields::cap_of(c, "final_logit_softcapping", 0);
  return plan;
}

} // namespace llmap
