// What a branch of a layer may do to its input: attention, an MLP, a mixture of experts, a recurrence, a convolution.
// See docs/notation.md for the letters: C width, H heads, Hkv key/value heads, D head width, I inner width.
#pragma once
#include "llmap/architectures/tensor_plans.hpp"
#include <cstdint>
#include <limits>
#include <optional>
#include <variant>
#include <vector>

namespace llmap {

/// The functions between the matrices of an MLP, and of gates. Formulas: forward/cpu/activate.hpp.
enum class activation {
  gelu,
  gelu_tanh,
  gelu_bloom,
  quick_gelu,
  silu,
  relu,
  relu_squared,
  tanh,
  sigmoid,
  identity,
  clamped_swiglu,
  xielu
};

/// Rotation of q and k. The frequencies of a text of T tokens depend on T for `dynamic` and `longrope`.
struct rope_plan {
  /// How frequencies are changed for longer texts, by transformers' names of rope_scaling.
  enum class scaling { none, linear, dynamic, llama3, yarn, longrope, proportional };
  scaling kind = scaling::none;                               ///< none: plain frequencies
  std::int64_t dims = 0;                                      // rotated dims of each head
  bool interleaved = false;                                   // pairs (2i, 2i + 1) instead of (i, i + dims / 2)
  double theta = 10000;                                       ///< frequency of pair i: theta^(-2i / dims)
  double factor = 1;                                          ///< of linear, dynamic, llama3, yarn and proportional
  double original_positions = 0;                              // dynamic: max_position_embeddings
  double low_frequency_factor = 1, high_frequency_factor = 4; // llama3
  double beta_fast = 32, beta_slow = 1;                       // yarn
  bool truncate = true;                                       // yarn
  double attention_factor = 1;                                // multiplies cos and sin
  std::vector<double> short_factor{}, long_factor{};          // longrope, dims / 2 each
  double long_attention_factor = 1;                           // longrope, with the long factors
  double share = 1;                                           // proportional: of the pairs that turn, the first ones

  bool operator==(const rope_plan&) const = default;
};

/// A factor of the query at position t (from 0): 1 + beta log(1 + floor((t + offset) / period)).
struct query_growth {
  double beta = 0;                     ///< 0: the factor is 1
  std::int64_t period = 0, offset = 0; ///< in positions

  bool operator==(const query_growth&) const = default;
};

/// out(softmax(cap(scale q k) + alibi) v) over the keys before a query, itself included; with a gate,
/// out(sigmoid(gate(x)) * ...).
struct attention_plan {
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0; ///< H, Hkv, D
  double scale = 1;                                   ///< of q k
  double softcap = 0;                                 // 0: none
  double clip = 0;                                    // q, k and v are clamped to [-clip, clip] after the norms; 0: not
  std::int64_t window = 0;                            // keys visible to a query, itself included; 0: all before it
  std::int64_t chunk = 0;                  // positions of a chunk, in which a query sees only its own; 0: no chunks
  std::vector<double> alibi;               // slope a head (H), or empty
  bool rounded_alibi = false;              // slope * key position, rounded to bf16, is added before the scale (Falcon)
  std::optional<rope_plan> rope;           ///< absent: no rotation
  std::optional<norm_plan> q_norm, k_norm; // of a head (width D) or of all heads at once
  bool norm_after_rotation = false;        // of q and k, else before it
  std::optional<norm_plan> v_norm;         ///< (D), of each head's values
  std::optional<query_growth> growth;      // after norm and rotation
  vector_plan sinks;                       // (H): a score that takes part in the softmax and belongs to no key
  linear_plan qkv;                         // (H D + 2 Hkv D, C)
  linear_plan gate;                        // (H D, C), or absent
  std::optional<norm_plan> out_norm;       // of what enters `out`
  linear_plan out;                         // (C, H D)
  /// Keys and values that later layers use: a number from 1 on, or 0. With `reuses` they are those that an earlier
  /// layer has left under the number, and qkv is q alone.
  std::int64_t kept_as = 0;
  bool reuses = false; ///< keys and values of an earlier layer
};

/// Attention with low-rank q, k and v (DeepSeek). A head's query and key are [nope_dim | rope.dims]; the rotated part
/// of the key is one for all heads.
struct latent_attention_plan {
  std::int64_t heads = 0, nope_dim = 0, value_dim = 0; ///< H, N, Dv
  double scale = 1;                                    ///< of q k
  rope_plan rope;                                      // dims: R
  linear_plan q_down;                                  // (Lq, C), or absent: q_up reads the input itself
  std::optional<norm_plan> q_norm;                     // (Lq)
  linear_plan q_up;                                    // (H (N + R), Lq or C)
  linear_plan kv_down;                                 // (Lkv + R, C)
  norm_plan kv_norm;                                   // (Lkv)
  linear_plan k_up, v_up;                              // (H N, Lkv), (H Dv, Lkv)
  linear_plan out;                                     // (C, H Dv)
};

/// out(act(in(x))), or out(act(gate_scale * gate(x)) * up(x)) with `in` holding gate above up. With a cut the gate is
/// first max(gate - (mean + cut * deviation), 0), both of its inner channels (Gemma 3n).
struct mlp_plan {
  activation act = activation::silu;   ///< between the matrices
  bool gated = true;                   ///< `in` holds gate and up
  linear_plan in;                      // (I, C) or (2 I, C)
  linear_plan out;                     // (C, I)
  vector_plan parameters{};            // xielu: alpha_p, alpha_n, beta, eps
  double gate_scale = 1;               ///< of the gate before act
  std::optional<double> cut{};         ///< in deviations; absent: no cut
  std::optional<norm_plan> out_norm{}; // of what enters `out`
};

/// How a token chooses its experts: scores of all experts from their logits, the best `chosen` by score + correction
/// inside the best groups, weights from the scores of the chosen. `banded` is the sparse mixer of Phi-3.5-MoE: of two
/// experts, one after the other, each is the best that is left, and its weight its softmax over those of the rest whose
/// logits s have (best - s) / max(|s|, best) <= 2 band.
struct router_plan {
  /// How logits become scores.
  enum class score { softmax, sigmoid, banded };
  /// A group is ranked by its best score, or by the sum of its two best.
  enum class group_rank { best, best_two };
  score scores = score::softmax;              ///< one of the three above
  std::int64_t chosen = 1;                    ///< experts a token goes to
  std::int64_t groups = 1, chosen_groups = 1; ///< of equal size; experts come from the chosen ones
  group_rank rank = group_rank::best;         ///< used where groups > 1
  bool normalized = false;                    // weights divided by their sum + epsilon, at least least_sum
  double epsilon = 0, least_sum = 0;          ///< of that sum
  double scale = 1;                           // of the weights
  double band = 0;                            ///< of `banded`
  linear_plan logits{};                       // (E, C)
  vector_plan correction{};                   // (E), or absent
  vector_plan expert_scale{};                 // (E): a further factor of each expert's weight, or absent
};

/// sum over the chosen experts of weight * expert(x), and the shared expert, which every token takes.
struct mixture_plan {
  router_plan router;              ///< chooses the experts of a token
  std::vector<mlp_plan> experts;   ///< (E)
  bool weighs_input = false;       // expert(weight * x) instead
  std::vector<mlp_plan> stacked{}; // the same experts as other files hold them, or empty (settle_plan)
  std::optional<mlp_plan> shared;  ///< or absent
  linear_plan shared_gate;         // (1, C): the shared expert times sigmoid of it; or absent
  linear_plan narrow, wide;        // (N, C), (C, N): wide(sum of experts(narrow(x))), experts of rows of N; or absent
  /// Of what router, experts and shared expert read, and of what the experts' sum and the shared expert give.
  std::optional<norm_plan> router_before, experts_before, shared_before, experts_after, shared_after;
};

/// Causal convolution of each channel by itself: y_t = bias + sum_j w[j] x_{t - (taps - 1) + j}, x before the text 0.
struct convolution_plan {
  std::int64_t channels = 0, taps = 0; ///< taps: inputs that an output reads
  vector_plan weight;                  // (channels, 1, taps)
  vector_plan bias;                    // (channels), or absent
};

/// Mamba: a selective scan with N states a channel (Gu and Dao 2023). M inner channels.
///   [x | z] = in(u); x = act(conv(x)); [dt | B | C] = select(x), normed; dt = softplus(step(dt)); A = -exp(A_log)
///   s = exp(dt A) s + dt B x;  y = C s + D x;  out(y act(z))
struct mamba_plan {
  std::int64_t inner = 0, states = 0, rank = 0;       // M, N, R
  activation act = activation::silu;                  ///< of the convolved x and of z
  linear_plan in;                                     // (2 M, C)
  convolution_plan convolution;                       ///< over M channels
  linear_plan select;                                 // (R + 2 N, M)
  std::optional<norm_plan> step_norm, b_norm, c_norm; ///< (R), (N), (N): of dt, B and C, or absent
  linear_plan step;                                   // (M, R)
  vector_plan a_log, d;                               // (M, N), (M)
  linear_plan out;                                    // (C, M)
};

/// Mamba-2: one decay a head, groups of heads that share B and C (Dao and Gu 2024). M = heads * head_dim.
///   [z | x B C | dt] = in(u); [x B C] = act(conv(x B C)); dt = clamp(softplus(dt + dt_bias))
///   S = exp(dt A) S + dt x B^T;  y = S C + D x;  out(norm(y act(z))), or out(norm(y) act(z))
struct mamba2_plan {
  std::int64_t heads = 0, head_dim = 0, groups = 1, states = 0;               ///< G groups, N states
  double least_step = 0, most_step = std::numeric_limits<double>::infinity(); ///< limits of dt
  activation act = activation::silu;                                          ///< of what was convolved, and of z
  linear_plan in;                // (2 M + 2 G N + heads, C): rows [x B C | dt | z]
  convolution_plan convolution;  // over M + 2 G N channels
  vector_plan dt_bias, a_log, d; // (heads) each
  std::optional<norm_plan> norm; // (M)
  bool norm_first = false;       // before the gate
  linear_plan out;               // (C, M)
  double x_scale = 1, b_scale = 1, c_scale = 1, dt_scale = 1, z_scale = 1; // of what `in` gives
};

/// Gated delta net (Yang et al. 2024): a matrix a head that forgets and corrects itself. Head h of the Hv value heads
/// uses key head floor(h / (Hv / Hk)).
///   [q k v | b | a | z] = in(u); [q k v] = act(conv(q k v)); q = q / |q| / sqrt(Dk); k = k / |k|
///   S = exp(-exp(A_log) softplus(a + dt_bias)) S;  S += k (beta_scale sigmoid(b) (v - S^T k))^T;  y = S^T q
///   out(norm(y) silu(z)), |x| = sqrt(sum x^2 + 1e-6)
struct delta_plan {
  std::int64_t key_heads = 0, value_heads = 0, key_dim = 0, value_dim = 0; // Hk, Hv, Dk, Dv
  double beta_scale = 1;                                                   ///< 1, or 2: then S may turn its sign
  activation act = activation::silu;                                       ///< of what was convolved
  linear_plan in;                                                          // (2 Hk Dk + 2 Hv Dv + 2 Hv, C)
  convolution_plan convolution;                                            // over 2 Hk Dk + Hv Dv channels
  vector_plan dt_bias, a_log;                                              // (Hv) each
  norm_plan norm;                                                          // (Dv)
  linear_plan out;                                                         // (C, Hv Dv)
};

/// Gated short convolution (LFM2): [B | u | C] = in(x); out(C * conv(B * u)).
struct short_convolution_plan {
  linear_plan in;               // (3 M, C)
  convolution_plan convolution; // over M channels
  linear_plan out;              // (C, M)
};

/// A token's own input of a layer (Gemma 3n, 4): out(act(gate(x)) * P), P the columns [first, first + p) of the rows
/// that embedding_plan::inputs makes.
struct layer_input_plan {
  activation act = activation::gelu_tanh; ///< of the gate
  std::int64_t first = 0;                 ///< column of P
  linear_plan gate;                       // (p, C)
  linear_plan out;                        // (C, p)
};

/// Learned augmented residual (Gemma 3n): y = x + after(up(down(x))).
struct laurel_plan {
  linear_plan down, up; // (R, C), (C, R)
  norm_plan after;      ///< of the sum of low rank
};

/// RWKV-4 time mixing (Peng et al. 2023): k, v, r of the input mixed with that of the token before; A channels.
struct rwkv_time_plan {
  std::int64_t channels = 0;                      // A
  vector_plan mix_key, mix_value, mix_receptance; // (C)
  vector_plan decay, first;                       // (A)
  linear_plan key, value, receptance;             // (A, C)
  linear_plan out;                                // (C, A)
};

/// RWKV-4 channel mixing: sigmoid(r) * value(relu(key)^2), keys and receptance of the mixed input.
struct rwkv_channel_plan {
  vector_plan mix_key, mix_receptance; // (C)
  linear_plan key;                     // (I, C)
  linear_plan receptance;              // (C, C)
  linear_plan value;                   // (C, I)
};

/// Griffin's recurrent block (De et al. 2024): out(act(gate(x)) * lru(conv(in(x)))), L channels.
///   log a = -8 sigmoid(recurrent gate) softplus(decay);  s = a s + sqrt(1 - a^2) sigmoid(input gate) x
struct rg_lru_plan {
  std::int64_t channels = 0;                           // L
  activation act = activation::gelu_tanh;              ///< of the gate
  linear_plan gate, in;                                // (L, C)
  convolution_plan convolution;                        ///< over L channels
  std::vector<linear_plan> input_gate, recurrent_gate; // a block of channels each (L / blocks, L / blocks)
  vector_plan decay;                                   // (L)
  linear_plan out;                                     // (C, L)
};

/// What a branch does to its input.
using mixer_plan =
    std::variant<attention_plan, latent_attention_plan, mlp_plan, mixture_plan, mamba_plan, mamba2_plan, rwkv_time_plan,
                 rwkv_channel_plan, rg_lru_plan, delta_plan, short_convolution_plan, layer_input_plan, laurel_plan>;

} // namespace llmap
