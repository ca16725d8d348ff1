// gpt_oss (gpt-oss 20b, 120b): a llama with biases in attention, sinks, a window on every other layer and a mixture of
// experts with a clamped activation. Experts lie in stacks, gate and up interleaved; MXFP4 files hold them [out, in],
// others [in, out]. Source: transformers 4.57 modeling_gpt_oss.py.
#pragma once
#include "llmap/architectures/llama.hpp"

namespace llmap {

inline decoder_plan gpt_oss_plan(const config& c) {
  llama_options o = read_llama(c, {.model_type = "gpt_oss",
                                   .vocab = 201088,
                                   .width = 2880,
                                   .inner = 2880,
                                   .layers = 36,
                                   .heads = 64,
                                   .kv_heads = 8,
                                   .head_dim = 64,
                                   .positions = 131072,
                                   .epsilon = 1e-5,
                                   .rope = rope_plan{}});
  o.qkv_bias = o.out_bias = true;
  const double theta = c.positive("rope_theta", 150000);
  const rope_plan usual{.kind = rope_plan::scaling::yarn,
                        .dims = o.head_dim,
                        .theta = theta,
                        .factor = 32,
                        .original_positions = 4096,
                        .truncate = false,
                        .attention_factor = fields::yarn_sharpening(32, 1)};
  o.rope = c.has("rope_scaling") || c.has("rope_parameters")
               ? fields::rope_of(c, o.head_dim, o.positions, "rope_theta", 150000)
               : usual;
  const auto quantized = c.object("quantization_config");
  const bool transposed = !quantized; // see the head of this file
  const std::int64_t window = fields::window_of(c, 128), E = c.integer("num_local_experts", 128, 1, 1 << 12);
  const std::int64_t chosen = c.integer("num_experts_per_tok|experts_per_token", 4, 1, E), I = o.inner, C = o.width;
  return llama_plan(o, [&](std::int64_t i, const std::string& name, layer_plan& layer) {
    attention_plan& a = attention_of(layer);
    if (fields::is_sliding(c, o.layers, i, [](std::int64_t j) { return j % 2 == 0; })) a.window = window;
    a.sinks = fields::vector(name + "self_attn.sinks", {o.heads});
    const std::string experts = name + "mlp.experts.";
    mixture_plan m;
    m.router = {.chosen = chosen, .normalized = true, .logits = fields::linear(name + "mlp.router", E, C, true)};
    for (std::int64_t e = 0; e < E; ++e) {
      const auto part = [&](const char* which, std::int64_t rows, std::int64_t stored, std::int64_t first,
                            std::int64_t stride) {
        return matrix_part{
            experts + which, experts + which + "_bias", rows, stored, first, 1, stride, transposed, E, e};
      };
      m.experts.push_back({activation::clamped_swiglu,
                           true,
                           {C, {part("gate_up_proj", I, 2 * I, 0, 2), part("gate_up_proj", I, 2 * I, 1, 2)}},
                           {I, {part("down_proj", C, C, 0, 1)}}});
    }
    layer.branches[1].mixer = std::move(m);
  });
}

} // namespace llmap
