// A decoder_plan says, as plain data, what a decoder-only transformer computes and which tensors hold its weights.
// An architecture file turns a config into a plan; forward/transformer.hpp executes it. See docs/notation.md for
// the letters: C width, H heads, Hkv key/value heads, D head width, I inner width, V vocabulary rows.
#pragma once
#include "llmap/weights/tensor_table.hpp"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace llmap {

enum class activation { gelu, gelu_tanh, gelu_bloom, quick_gelu, silu, relu, relu_squared, tanh, sigmoid, identity };

enum class norm_kind { rms, layer };

/// rms:   y = x / sqrt(mean(x^2) + eps) * (w + weight_offset)
/// layer: y = (x - mean) / sqrt(var + eps) * (w + weight_offset) + b, biased variance
/// An empty tensor name leaves out the factor or the term.
struct norm_plan {
  norm_kind kind = norm_kind::rms;
  double epsilon = 1e-6;
  double weight_offset = 0;
  std::string weight, bias; // (C)
};

/// `rows` output rows of a stored matrix. Output row r is stored row first + (r / group) * stride + r % group;
/// where `transposed`, stored columns are meant. The bias, if named, is picked by the same rule.
struct matrix_part {
  std::string weight, bias;
  std::int64_t rows = 0;
  std::int64_t stored_rows = 0; // of the whole stored matrix
  std::int64_t first = 0, group = 1, stride = 1;
  bool transposed = false;
};

/// y = x W^T + b with the parts' rows below one another. (rows, cols)
struct linear_plan {
  std::int64_t cols = 0;
  std::vector<matrix_part> parts;

  std::int64_t rows() const {
    std::int64_t n = 0;
    for (const matrix_part& part : parts) n += part.rows;
    return n;
  }
};

/// Rotation of q and k. The frequencies of a text of T tokens depend on T for `dynamic` and `longrope`.
struct rope_plan {
  enum class scaling { none, linear, dynamic, llama3, yarn, longrope };
  scaling kind = scaling::none;
  std::int64_t dims = 0; // rotated leading dims of each head (half-split pairs)
  double theta = 10000;
  double factor = 1;
  double original_positions = 0;             // dynamic: max_position_embeddings
  double low_frequency_factor = 1, high_frequency_factor = 4; // llama3
  double beta_fast = 32, beta_slow = 1;      // yarn
  bool truncate = true;                      // yarn
  double attention_factor = 1;               // multiplies cos and sin
  std::vector<double> short_factor, long_factor; // longrope, dims / 2 each

  bool operator==(const rope_plan&) const = default;
};

struct attention_plan {
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0;
  double scale = 1;
  double softcap = 0;        // 0: none
  std::int64_t window = 0;   // keys visible to a query, itself included; 0: all before it
  bool alibi = false;
  std::optional<rope_plan> rope;
  linear_plan qkv;           // (H D + 2 Hkv D, C)
  linear_plan out;           // (C, H D)
};

/// out(act(in(x))), or out(act(gate(x)) * up(x)) with `in` holding gate above up.
struct mlp_plan {
  activation act = activation::silu;
  bool gated = true;
  std::int64_t inner = 0;
  linear_plan in;  // (I, C) or (2 I, C)
  linear_plan out; // (C, I)
};

/// What is added to what:
///   pre_norm       h += A(N1 h);  h += M(N2 h)
///   post_norm      h = N1(h + A(h));  h = N2(h + M(h))
///   parallel       h += A(N1 h) + M(N2 h)
///   norm_residual  x = N1 h;  h = x + A(x);  x = N2 h;  h = x + M(x)
enum class residual { pre_norm, post_norm, parallel, norm_residual };

struct layer_plan {
  residual topology = residual::pre_norm;
  norm_plan attention_norm, mlp_norm;
  std::optional<norm_plan> attention_out_norm, mlp_out_norm; // of a branch before it is added (gemma2)
  attention_plan attention;
  mlp_plan mlp;
};

struct embedding_plan {
  std::string weight;                    // (V, E)
  std::int64_t width = 0;                // E; C unless there is a projection
  double scale = 1;
  std::string positions;                 // learned positions (positions_rows, C), or empty
  std::int64_t position_rows = 0, position_offset = 0;
  std::optional<linear_plan> projection; // (C, E)
  std::optional<norm_plan> norm;
};

struct head_plan {
  std::optional<norm_plan> norm;
  std::optional<linear_plan> projection; // (E, C)
  bool tied = false;
  std::string weight;                    // (V, E); the embedding's name where tied
  double softcap = 0, scale = 1;
};

struct decoder_plan {
  std::string model_type;
  std::string prefix;             // base prefix of tensor names, with its dot
  std::int64_t vocab = 0, width = 0;
  std::int64_t max_tokens = 0;    // a longer text cannot be computed; 0: no limit
  std::int64_t trained_tokens = 0; // positions the config promises; 0: it does not say
  embedding_plan embedding;
  std::vector<layer_plan> layers;
  head_plan head;

  /// The embedding or the head, whole: a matrix (V, E).
  linear_plan table(const std::string& name) const { return {embedding.width, {{name, "", vocab, vocab, 0, vocab, vocab, false}}}; }
};

/// Every tensor of the plan with the shape it must have, in the order of use; shared tensors once.
inline std::vector<tensor_spec> tensor_table(const decoder_plan& plan) {
  std::vector<tensor_spec> table;
  const auto add = [&](const std::string& name, std::vector<std::int64_t> shape) {
    for (const tensor_spec& present : table)
      if (present.name == name) return;
    if (!name.empty()) table.push_back({name, std::move(shape)});
  };
  // Only the parts of one linear can share a tensor, so looking back over the last few is enough.
  const auto add_linear = [&](const linear_plan& linear) {
    for (std::size_t i = 0; i < linear.parts.size(); ++i) {
      const matrix_part& part = linear.parts[i];
      if (i > 0 && linear.parts[i - 1].weight == part.weight) continue;
      table.push_back({part.weight, part.transposed ? std::vector{linear.cols, part.stored_rows}
                                                    : std::vector{part.stored_rows, linear.cols}});
      if (!part.bias.empty()) table.push_back({part.bias, {part.stored_rows}});
    }
  };
  const auto add_norm = [&](const norm_plan& norm) {
    if (!norm.weight.empty()) table.push_back({norm.weight, {plan.width}});
    if (!norm.bias.empty()) table.push_back({norm.bias, {plan.width}});
  };
  add(plan.embedding.weight, {plan.vocab, plan.embedding.width});
  add(plan.embedding.positions, {plan.embedding.position_rows, plan.width});
  if (plan.embedding.projection) add_linear(*plan.embedding.projection);
  if (plan.embedding.norm) add_norm(*plan.embedding.norm);
  for (const layer_plan& layer : plan.layers) {
    add_norm(layer.attention_norm);
    add_linear(layer.attention.qkv);
    add_linear(layer.attention.out);
    if (layer.attention_out_norm) add_norm(*layer.attention_out_norm);
    add_norm(layer.mlp_norm);
    add_linear(layer.mlp.in);
    add_linear(layer.mlp.out);
    if (layer.mlp_out_norm) add_norm(*layer.mlp_out_norm);
  }
  if (plan.head.norm) add_norm(*plan.head.norm);
  if (plan.head.projection) add_linear(*plan.head.projection);
  if (!plan.head.tied) table.push_back({plan.head.weight, {plan.vocab, plan.embedding.width}});
  return table;
}

} // namespace llmap
