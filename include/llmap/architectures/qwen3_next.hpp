// qwen3_next (Qwen3-Next-80B-A3B): three layers of gated delta nets, then one of attention whose output has a gate; a
// mixture of experts beside a gated shared one. Norm weights are 1 + w but in the delta net.
// Source: transformers 5.24 modeling_qwen3_next.py.
#pragma once
#include "llmap/architectures/qwen2_moe.hpp"

namespace llmap {

/// A qwen of alternating kinds of layers, in numbers.
struct qwen_hybrid {
  llama_options o;                                               ///< of the layers with attention
  std::int64_t key_heads, value_heads, key_dim, value_dim, taps; ///< of the others, as in delta_plan

  /// Reads the fields that the relatives share.
  qwen_hybrid(const config& c, llama_options defaults) {
    defaults.head_dim = 256, defaults.norm_offset = 1, defaults.positions = 32768, defaults.rope = rope_plan{};
    o = read_llama(c, std::move(defaults));
    o.rope = fields::rope_of(c, fields::rotated_dims(c, o.head_dim, 0.25), o.positions);
    o.act = fields::activation_of(c, "hidden_act", "silu");
    o.qkv_bias = o.out_bias = c.boolean("attention_bias", false);
    constexpr std::int64_t most = 1 << 16;
    key_heads = c.integer("linear_num_key_heads", 16, 1, most);
    value_heads = c.integer("linear_num_value_heads", 32, 1, most);
    key_dim = c.integer("linear_key_head_dim", 128, 1, most);
    value_dim = c.integer("linear_value_head_dim", 128, 1, most);
    taps = c.integer("linear_conv_kernel_dim", 4, 1, 64);
    if (value_heads % key_heads != 0)
      fail(c.where(), ": linear_num_value_heads ", value_heads, " is not a multiple of linear_num_key_heads ",
           key_heads);
  }

  /// Whether layer i has attention; without layer_types every full_attention_interval-th has.
  bool is_full(const config& c, std::int64_t i) const {
    const std::int64_t every = c.integer("full_attention_interval", 4, 1, 1 << 20);
    return fields::layer_is(c, o.layers, i, "full_attention", "linear_attention",
                            [&](std::int64_t j) { return (j + 1) % every == 0; });
  }
  /// q and gate lie head by head in one matrix; q and k of each head are normed.
  void gate_attention(const std::string& name, attention_plan& a) const {
    const std::int64_t D = a.head_dim, rows = a.heads * D;
    const auto half = [&](std::int64_t first) {
      return matrix_part{
          name + "q_proj.weight", o.qkv_bias ? name + "q_proj.bias" : "", rows, 2 * rows, first, D, 2 * D};
    };
    a.qkv.parts[0] = half(0);
    a.gate = {o.width, {half(D)}};
    a.q_norm = fields::rms_norm(name + "q_norm", D, o.epsilon, 1);
    a.k_norm = fields::rms_norm(name + "k_norm", D, o.epsilon, 1);
  }
  /// All of a delta net but the matrix `in`.
  delta_plan delta(const std::string& name) const {
    delta_plan d;
    d.key_heads = key_heads, d.value_heads = value_heads, d.key_dim = key_dim, d.value_dim = value_dim, d.act = o.act;
    const std::int64_t M = value_heads * value_dim;
    d.convolution = fields::convolution(name + "conv1d", 2 * key_heads * key_dim + M, taps, false);
    d.dt_bias = fields::vector(name + "dt_bias", {value_heads});
    d.a_log = fields::vector(name + "A_log", {value_heads});
    d.norm = fields::rms_norm(name + "norm", value_dim, o.epsilon);
    d.out = fields::linear(name + "out_proj", o.width, M, false);
    d.in.cols = o.width;
    return d;
  }
};

inline decoder_plan qwen3_next_plan(const config& c) {
  const qwen_hybrid q(c, {.model_type = "qwen3_next",
                          .vocab = 151936,
                          .width = 2048,
                          .inner = 5632,
                          .layers = 48,
                          .heads = 16,
                          .kv_heads = 2});
  qwen_experts experts(c, 512, 10, true, 512);
  experts.shared = c.integer("shared_expert_intermediate_size", 512);
  const auto sparse = qwen_sparse_layers(c, q.o.layers, experts.count);
  return llama_plan(q.o, [&](std::int64_t i, const std::string& name, layer_plan& layer) {
    if (sparse(i)) layer.branches[1].mixer = experts.layer(q.o, name);
    if (q.is_full(c, i)) return q.gate_attention(name + "self_attn.", attention_of(layer));
    // Of each key head [q | k | v | z], and [b | a].
    const std::string at = name + "linear_attn.";
    const std::int64_t Hk = q.key_heads, H = q.value_heads, Dk = q.key_dim, V = H / Hk * q.value_dim, B = H / Hk;
    delta_plan d = q.delta(at);
    const auto part = [&](std::int64_t first, std::int64_t group) {
      return matrix_part{at + "in_proj_qkvz.weight", "", Hk * group, Hk * 2 * (Dk + V), first, group, 2 * (Dk + V)};
    };
    const auto number = [&](std::int64_t first) {
      return matrix_part{at + "in_proj_ba.weight", "", H, 2 * H, first, B, 2 * B};
    };
    d.in.parts = {part(0, Dk), part(Dk, Dk), part(2 * Dk, V), number(0), number(B), part(2 * Dk + V, V)};
    layer.branches[0].mixer = std::move(d);
  });
}

} // namespace llmap
