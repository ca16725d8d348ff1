// A decoder_plan says, as plain data, what a decoder-only language model computes and which tensors hold its weights.
// An architecture file turns a config into a plan; forward/transformer.hpp executes it. See docs/notation.md for
// the letters: C width, H heads, Hkv key/value heads, D head width, I inner width, V vocabulary rows.
//
// A layer is a list of branches. A branch is norm -> mixer -> norm, scaled and added to the hidden state. A mixer is
// attention, latent attention, an MLP, a mixture of experts, a recurrence, or a convolution.
#pragma once
#include "llmap/architectures/mixer_plans.hpp"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace llmap {

/// One addition to the hidden state h: h += scale * after(mixer(before(h))). An absent norm is the identity.
struct branch_plan {
  std::optional<norm_plan> before, after; ///< of what the mixer reads, and of what it gives
  mixer_plan mixer;                       ///< what is computed
  double scale = 1;                       ///< of what is added
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
  branch_plan input;                          ///< what the streams i >= 1 get
};

/// A layer: its branches, and how they are joined.
struct layer_plan {
  join joined = join::in_turn;       ///< see above
  double together_scale = 1;         // of the hidden state that leaves them
  std::size_t together = 0;          // side_by_side: the first so many branches, the others follow in turn; 0: all
  std::vector<branch_plan> branches; ///< in their order
  double scale = 1;                  // of the hidden state that leaves the layer
  vector_plan scalar{};              // (1): a learned factor of it, or absent
  std::optional<stream_layer_plan> streams{}; ///< of Gemma 3n; or absent
};

/// What layer_input_plan takes its columns of: scale * table[id] + norm(projection(h)), h the embedded token. (T, P)
/// An id beyond the table means its first row.
struct layer_inputs_plan {
  linear_plan table;      // (V, P)
  double scale = 1;       ///< of the table's rows
  linear_plan projection; // (P, C)
  norm_plan norm;         // of each layer's columns
};

/// The streams of a model whose layers have stream_layer_plan. Stream i >= 1 begins as in[i - 1](h_0) and ends as
/// out[i - 1](h_i), both with the size (root of the mean square) of h_0; what enters the head is their mean.
struct streams_plan {
  std::vector<linear_plan> in, out; // n - 1 each, (C, C)

  std::int64_t count() const { return static_cast<std::int64_t>(in.size()) + 1; } ///< n
};

/// From ids to the first hidden state: norm(projection(scale * table[id]) + position).
struct embedding_plan {
  linear_plan table;                       // (V, E)
  double scale = 1;                        ///< of the table's rows
  vector_plan positions;                   // learned positions (P, C), or absent
  bool sinusoids = false;                  // fixed positions instead (forward/sinusoids.hpp)
  std::int64_t position_offset = 0;        // row of the first position
  linear_plan projection;                  // (C, E), or absent
  std::optional<norm_plan> norm;           ///< of the sum; or absent
  std::optional<layer_inputs_plan> inputs; ///< of layers with a layer_input_plan
};

/// From the last hidden state to logits: table(projection(norm(h))).
struct head_plan {
  std::optional<norm_plan> norm;  ///< of the last hidden state; or absent
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
  embedding_plan embedding;          ///< ids to hidden states
  std::vector<layer_plan> layers;    ///< from the first to the last
  std::optional<streams_plan> streams{}; ///< of Gemma 3n; or absent
  head_plan head;                        ///< hidden states to logits

  bool tied() const { return !head.table.present(); } ///< whether the head's table is the embedding's
  /// (V, E): the table that gives logits, the embedding's where the two are tied.
  const linear_plan& output_table() const { return tied() ? embedding.table : head.table; }
};

} // namespace llmap
