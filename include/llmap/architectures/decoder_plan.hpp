// A decoder_plan says, as plain data, what a decoder-only language model computes and which tensors hold its weights.
// An architecture file turns a config into a plan; forward/transformer.hpp executes it. See docs/notation.md for
// the letters: C width, H heads, Hkv key/value heads, D head width, I inner width, V vocabulary rows.
//
// A layer is a list of branches. A branch is norm -> mixer -> norm, scaled and added to the hidden state. A mixer is
// attention, latent attention, an MLP, a mixture of experts, a recurrence, or a convolution.
#pragma once
#include "llmap/weights/tensor_table.hpp"
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace llmap {

// --- Tensors -----------------------------------------------------------------------------------------------------

/// Numbers that are used one by one rather than in a product of matrices: whole stored tensors, one after another.
/// Without tensors the vector is absent.
struct vector_plan {
  std::vector<tensor_spec> tensors; ///< shapes as stored

  bool present() const { return !tensors.empty(); }
  /// Numbers in all tensors.
  std::int64_t size() const {
    std::int64_t n = 0;
    for (const tensor_spec& t : tensors) n += t.elements();
    return n;
  }
  bool operator==(const vector_plan&) const = default;
};

/// `rows` output rows of a stored matrix. Output row r is stored row first + (r / group) * stride + r % group; where
/// `transposed`, stored columns are meant. A stored tensor of three dimensions is a stack of `slices` matrices, of
/// which `slice` is meant. The bias, if named, is picked by the same rules.
struct matrix_part {
  std::string weight, bias;     ///< names of tensors; an empty bias: none
  std::int64_t rows = 0;        ///< of the part
  std::int64_t stored_rows = 0; // of the whole stored matrix
  std::int64_t first = 0, group = 1, stride = 1;
  bool transposed = false;
  std::int64_t slices = 0, slice = 0; // slices 0: a plain matrix

  bool operator==(const matrix_part&) const = default;
};

/// y = x W^T + b with the parts' rows below one another. (rows, cols). Without parts the matrix is absent.
struct linear_plan {
  std::int64_t cols = 0; ///< of every part
  std::vector<matrix_part> parts;

  bool present() const { return !parts.empty(); }
  std::int64_t rows() const {
    std::int64_t n = 0;
    for (const matrix_part& part : parts) n += part.rows;
    return n;
  }
  bool operator==(const linear_plan&) const = default;
};

/// The two norms, see norm_plan.
enum class norm_kind { rms, layer };

/// rms:   y = scale * x / sqrt(mean(x^2) + eps) * (w + weight_offset)
/// layer: y = scale * ((x - mean) / sqrt(var + eps) * (w + weight_offset) + b), biased variance
/// Rounded, each row of it is clamp(round(y s), -128, 127) / s, s = 127 / max(max |y|, 1e-5), half to even (BitNet).
/// The mean is taken over each `width` channels of a row. Rows of several such groups share the weight (width), or it
/// has one number a channel. An absent vector leaves out the factor or the term.
struct norm_plan {
  norm_kind kind = norm_kind::rms;
  std::int64_t width = 0; ///< channels of a group
  double epsilon = 1e-6;  ///< added to the variance or mean square
  double weight_offset = 0;
  vector_plan weight, bias;
  double scale = 1;     ///< of the result
  bool rounded = false; // to 8 bits

  bool operator==(const norm_plan&) const = default;
};

// --- Mixers ------------------------------------------------------------------------------------------------------

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
  scaling kind = scaling::none;
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
  double beta = 0;
  std::int64_t period = 0, offset = 0;

  bool operator==(const query_growth&) const = default;
};

/// out(softmax(cap(scale q k) + alibi) v) over the keys before a query, itself included; with a gate,
/// out(sigmoid(gate(x)) * ...).
struct attention_plan {
  std::int64_t heads = 0, kv_heads = 0, head_dim = 0; ///< H, Hkv, D
  double scale = 1;
  double softcap = 0;                      // 0: none
  double clip = 0;                         // q, k and v are clamped to [-clip, clip] after the norms; 0: not
  std::int64_t window = 0;                 // keys visible to a query, itself included; 0: all before it
  std::int64_t chunk = 0;                  // positions of a chunk, in which a query sees only its own; 0: no chunks
  std::vector<double> alibi;               // slope a head (H), or empty
  bool rounded_alibi = false;              // slope * key position, rounded to bf16, is added before the scale (Falcon)
  std::optional<rope_plan> rope;           ///< absent: no rotation
  std::optional<norm_plan> q_norm, k_norm; // of a head (width D) or of all heads at once
  bool norm_after_rotation = false;        // of q and k, else before it
  std::optional<norm_plan> v_norm;
  std::optional<query_growth> growth; // after norm and rotation
  vector_plan sinks;                  // (H): a score that takes part in the softmax and belongs to no key
  linear_plan qkv;                    // (H D + 2 Hkv D, C)
  linear_plan gate;                   // (H D, C), or absent
  std::optional<norm_plan> out_norm;  // of what enters `out`
  linear_plan out;                    // (C, H D)
  /// Keys and values that later layers use: a number from 1 on, or 0. With `reuses` they are those that an earlier
  /// layer has left under the number, and qkv is q alone.
  std::int64_t kept_as = 0;
  bool reuses = false;
};

/// Attention with low-rank q, k and v (DeepSeek). A head's query and key are [nope_dim | rope.dims]; the rotated part
/// of the key is one for all heads.
struct latent_attention_plan {
  std::int64_t heads = 0, nope_dim = 0, value_dim = 0; ///< H, N, Dv
  double scale = 1;
  rope_plan rope;                  // dims: R
  linear_plan q_down;              // (Lq, C), or absent: q_up reads the input itself
  std::optional<norm_plan> q_norm; // (Lq)
  linear_plan q_up;                // (H (N + R), Lq or C)
  linear_plan kv_down;             // (Lkv + R, C)
  norm_plan kv_norm;               // (Lkv)
  linear_plan k_up, v_up;          // (H N, Lkv), (H Dv, Lkv)
  linear_plan out;                 // (C, H Dv)
};

/// out(act(in(x))), or out(act(gate_scale * gate(x)) * up(x)) with `in` holding gate above up. With a cut the gate is
/// first max(gate - (mean + cut * deviation), 0), both of its inner channels (Gemma 3n).
struct mlp_plan {
  activation act = activation::silu;
  bool gated = true;
  linear_plan in;           // (I, C) or (2 I, C)
  linear_plan out;          // (C, I)
  vector_plan parameters{}; // xielu: alpha_p, alpha_n, beta, eps
  double gate_scale = 1;
  std::optional<double> cut{};
  std::optional<norm_plan> out_norm{}; // of what enters `out`
};

/// How a token chooses its experts: scores of all experts from their logits, the best `chosen` by score + correction
/// inside the best groups, weights from the scores of the chosen. `banded` is the sparse mixer of Phi-3.5-MoE: of two
/// experts, one after the other, each is the best that is left, and its weight its softmax over those of the rest whose
/// logits s have (best - s) / max(|s|, best) <= 2 band.
struct router_plan {
  enum class score { softmax, sigmoid, banded };
  enum class group_rank { best, best_two }; ///< a group is ranked by its best score, or by the sum of its two best
  score scores = score::softmax;
  std::int64_t chosen = 1;                    ///< experts a token goes to
  std::int64_t groups = 1, chosen_groups = 1; ///< of equal size; experts come from the chosen ones
  group_rank rank = group_rank::best;
  bool normalized = false;           // weights divided by their sum + epsilon, at least least_sum
  double epsilon = 0, least_sum = 0; ///< of that sum
  double scale = 1;                  // of the weights
  double band = 0;                   ///< of `banded`
  linear_plan logits{};              // (E, C)
  vector_plan correction{};          // (E), or absent
  vector_plan expert_scale{};        // (E): a further factor of each expert's weight, or absent
};

/// sum over the chosen experts of weight * expert(x), and the shared expert, which every token takes.
struct mixture_plan {
  router_plan router;
  std::vector<mlp_plan> experts;
  bool weighs_input = false;       // expert(weight * x) instead
  std::vector<mlp_plan> stacked{}; // the same experts as other files hold them, or empty (settle_plan)
  std::optional<mlp_plan> shared;
  linear_plan shared_gate;  // (1, C): the shared expert times sigmoid of it; or absent
  linear_plan narrow, wide; // (N, C), (C, N): wide(sum of experts(narrow(x))), experts of rows of N; or absent
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
  std::int64_t inner = 0, states = 0, rank = 0; // M, N, R
  activation act = activation::silu;
  linear_plan in; // (2 M, C)
  convolution_plan convolution;
  linear_plan select; // (R + 2 N, M)
  std::optional<norm_plan> step_norm, b_norm, c_norm;
  linear_plan step;     // (M, R)
  vector_plan a_log, d; // (M, N), (M)
  linear_plan out;      // (C, M)
};

/// Mamba-2: one decay a head, groups of heads that share B and C (Dao and Gu 2024). M = heads * head_dim.
///   [z | x B C | dt] = in(u); [x B C] = act(conv(x B C)); dt = clamp(softplus(dt + dt_bias))
///   S = exp(dt A) S + dt x B^T;  y = S C + D x;  out(norm(y act(z))), or out(norm(y) act(z))
struct mamba2_plan {
  std::int64_t heads = 0, head_dim = 0, groups = 1, states = 0;               ///< G groups, N states
  double least_step = 0, most_step = std::numeric_limits<double>::infinity(); ///< limits of dt
  activation act = activation::silu;
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
  double beta_scale = 1;
  activation act = activation::silu;
  linear_plan in;               // (2 Hk Dk + 2 Hv Dv + 2 Hv, C)
  convolution_plan convolution; // over 2 Hk Dk + Hv Dv channels
  vector_plan dt_bias, a_log;   // (Hv) each
  norm_plan norm;               // (Dv)
  linear_plan out;              // (C, Hv Dv)
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
  activation act = activation::gelu_tanh;
  std::int64_t first = 0;
  linear_plan gate; // (p, C)
  linear_plan out;  // (C, p)
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
  std::int64_t channels = 0; // L
  activation act = activation::gelu_tanh;
  linear_plan gate, in; // (L, C)
  convolution_plan convolution;
  std::vector<linear_plan> input_gate, recurrent_gate; // a block of channels each (L / blocks, L / blocks)
  vector_plan decay;                                   // (L)
  linear_plan out;                                     // (C, L)
};

/// What a branch does to its input.
using mixer_plan =
    std::variant<attention_plan, latent_attention_plan, mlp_plan, mixture_plan, mamba_plan, mamba2_plan, rwkv_time_plan,
                 rwkv_channel_plan, rg_lru_plan, delta_plan, short_convolution_plan, layer_input_plan, laurel_plan>;

// --- The model ---------------------------------------------------------------------------------------------------

/// One addition to the hidden state h: h += scale * after(mixer(before(h))). An absent norm is the identity.
struct branch_plan {
  std::optional<norm_plan> before, after;
  mixer_plan mixer;
  double scale = 1;
};

/// How the branches of a layer are joined:
///   in_turn           each branch reads what the one before it left:  h += b1(h);  h += b2(h)
///   side_by_side      all branches read the same h:                   h += b1(h) + b2(h), or the first `together` do
///   norm_of_sum       `after` norms the sum (post-LN):                h = after(h + mixer(h))
///   norm_is_residual  the normed input is what is added to:           x = before(h);  h = x + mixer(x)
enum class join { in_turn, side_by_side, norm_of_sum, norm_is_residual };

/// Alternating updates (AltUp, Gemma 3n): of n streams h_0, h_1, ... of width C one, `active`, goes through a layer's
/// branches. With m(x) = tanh(router(norm(x))), C = prediction(m(h_active)) (n, n), c = correction(m(y)) (n):
///   g_i = h_i + sum_j C_ij h_j;  y = branches(g_active);  h_i = g_i + (1 + c_i) (y - g_active)
/// Then h_i += input(input_scale * h_active) for i >= 1.
struct stream_layer_plan {
  std::int64_t active = 0;                    ///< number of the stream
  norm_plan norm;                             ///< of what the router reads
  linear_plan router, prediction, correction; // (n, C), (n^2, n), (n, n)
  vector_plan input_scale;                    // (C), or absent
  branch_plan input;
};

/// A layer: its branches, and how they are joined.
struct layer_plan {
  join joined = join::in_turn;
  double together_scale = 1; // of the hidden state that leaves them
  std::size_t together = 0;  // side_by_side: the first so many branches, the others follow in turn; 0: all
  std::vector<branch_plan> branches;
  double scale = 1;     // of the hidden state that leaves the layer
  vector_plan scalar{}; // (1): a learned factor of it, or absent
  std::optional<stream_layer_plan> streams{};
};

/// What layer_input_plan takes its columns of: scale * table[id] + norm(projection(h)), h the embedded token. (T, P)
/// An id beyond the table means its first row.
struct layer_inputs_plan {
  linear_plan table; // (V, P)
  double scale = 1;
  linear_plan projection; // (P, C)
  norm_plan norm;         // of each layer's columns
};

/// The streams of a model whose layers have stream_layer_plan. Stream i >= 1 begins as in[i - 1](h_0) and ends as
/// out[i - 1](h_i), both with the size (root of the mean square) of h_0; what enters the head is their mean.
struct streams_plan {
  std::vector<linear_plan> in, out; // n - 1 each, (C, C)

  std::int64_t count() const { return static_cast<std::int64_t>(in.size()) + 1; }
};

/// From ids to the first hidden state: norm(projection(scale * table[id]) + position).
struct embedding_plan {
  linear_plan table; // (V, E)
  double scale = 1;
  vector_plan positions;            // learned positions (P, C), or absent
  bool sinusoids = false;           // fixed positions instead (forward/sinusoids.hpp)
  std::int64_t position_offset = 0; // row of the first position
  linear_plan projection;           // (C, E), or absent
  std::optional<norm_plan> norm;
  std::optional<layer_inputs_plan> inputs;
};

/// From the last hidden state to logits: table(projection(norm(h))).
struct head_plan {
  std::optional<norm_plan> norm;
  linear_plan projection;         // (E, C), or absent
  linear_plan table;              // (V, E); absent: tied to the embedding
  bool tied_where_absent = false; // from the files: tied where they lack the table
  double softcap = 0, scale = 1;  // logits = cap(scale * table x)
};

/// A model as data. plan_of makes one from a config, check_plan refuses one that contradicts itself.
struct decoder_plan {
  std::string model_type;            ///< as in all.hpp
  std::string custom_code{};         // the class of the publisher's that the config names, which is not run; or empty
  std::string prefix;                // base prefix of tensor names, with its dot
  std::vector<std::string> nested{}; // what stands for it in files of larger models; see tensor_naming
  std::int64_t vocab = 0, width = 0; ///< V, C
  std::int64_t position_limit = 0;   // a longer text cannot be computed; 0: no limit
  std::int64_t context_length = 0;   // tokens of a text that the config promises; 0: it does not say
  embedding_plan embedding;
  std::vector<layer_plan> layers;
  std::optional<streams_plan> streams{};
  head_plan head;

  bool tied() const { return !head.table.present(); }
  /// (V, E): the table that gives logits, the embedding's where the two are tied.
  const linear_plan& output_table() const { return tied() ? embedding.table : head.table; }
};

} // namespace llmap
