// The weights of a decoder_plan on an executor at working type T. Members are named like those of the plan, so that
// visit_tensors walks through both at once.
#pragma once
#include "llmap/architectures/decoder_plan.hpp"
#include "llmap/forward/executor.hpp"
#include <vector>

namespace llmap {

/// A norm's weights; the plan's weight_offset is already added. Absent vectors leave out the factor or the term.
template <class Exec, class T> struct norm_weights {
  norm_kind kind = norm_kind::rms;
  double epsilon = 0;    ///< as in norm_plan
  std::size_t width = 0; // channels of a group
  typename Exec::template vector<T> weight, bias;
  bool rounded = false;
};

/// The weights of the mixer that a Plan describes. Shapes and absences are those of its members of the same name.
template <class Exec, class T, class Plan> struct mixer_weights;

/// Weights of an attention_plan.
template <class Exec, class T> struct mixer_weights<Exec, T, attention_plan> {
  typename Exec::template matrix<T> qkv, gate, out;
  std::optional<norm_weights<Exec, T>> q_norm, k_norm, v_norm, out_norm;
  typename Exec::template vector<T> sinks, alibi; // (H) each, or absent
  std::optional<std::size_t> rope;                // index in decoder::ropes
};
/// Weights of a latent_attention_plan.
template <class Exec, class T> struct mixer_weights<Exec, T, latent_attention_plan> {
  typename Exec::template matrix<T> q_down, q_up, kv_down, k_up, v_up, out;
  std::optional<norm_weights<Exec, T>> q_norm;
  norm_weights<Exec, T> kv_norm;
  std::optional<std::size_t> rope;
};
/// Weights of an mlp_plan.
template <class Exec, class T> struct mixer_weights<Exec, T, mlp_plan> {
  typename Exec::template matrix<T> in, out;
  typename Exec::template vector<T> parameters; // of the activation
  std::optional<norm_weights<Exec, T>> out_norm;
};
/// Weights of a mixture_plan.
template <class Exec, class T> struct mixer_weights<Exec, T, mixture_plan> {
  typename Exec::template matrix<T> logits, shared_gate, narrow, wide;
  typename Exec::template vector<T> correction, expert_scale;
  std::optional<norm_weights<Exec, T>> router_before, experts_before, shared_before, experts_after, shared_after;
  std::vector<mixer_weights<Exec, T, mlp_plan>> experts;
  std::optional<mixer_weights<Exec, T, mlp_plan>> shared;
};
/// Weights of a convolution_plan.
template <class Exec, class T> struct convolution_weights {
  typename Exec::template vector<T> weight, bias; // (channels, taps), (channels) or absent
};
/// Weights of a mamba_plan.
template <class Exec, class T> struct mixer_weights<Exec, T, mamba_plan> {
  typename Exec::template matrix<T> in, select, step, out;
  convolution_weights<Exec, T> convolution;
  std::optional<norm_weights<Exec, T>> step_norm, b_norm, c_norm;
  typename Exec::template vector<T> a_log, d;
};
/// Weights of a mamba2_plan.
template <class Exec, class T> struct mixer_weights<Exec, T, mamba2_plan> {
  typename Exec::template matrix<T> in, out;
  convolution_weights<Exec, T> convolution;
  typename Exec::template vector<T> dt_bias, a_log, d;
  std::optional<norm_weights<Exec, T>> norm;
};
/// Weights of an rwkv_time_plan.
template <class Exec, class T> struct mixer_weights<Exec, T, rwkv_time_plan> {
  typename Exec::template matrix<T> key, value, receptance, out;
  typename Exec::template vector<T> mix_key, mix_value, mix_receptance, decay, first;
};
/// Weights of an rwkv_channel_plan.
template <class Exec, class T> struct mixer_weights<Exec, T, rwkv_channel_plan> {
  typename Exec::template matrix<T> key, receptance, value;
  typename Exec::template vector<T> mix_key, mix_receptance;
};
/// Weights of an rg_lru_plan.
template <class Exec, class T> struct mixer_weights<Exec, T, rg_lru_plan> {
  typename Exec::template matrix<T> gate, in, out;
  convolution_weights<Exec, T> convolution;
  std::vector<typename Exec::template matrix<T>> input_gate, recurrent_gate;
  typename Exec::template vector<T> decay;
};
/// Weights of a delta_plan.
template <class Exec, class T> struct mixer_weights<Exec, T, delta_plan> {
  typename Exec::template matrix<T> in, out;
  convolution_weights<Exec, T> convolution;
  typename Exec::template vector<T> dt_bias, a_log;
  norm_weights<Exec, T> norm;
};
/// Weights of a short_convolution_plan.
template <class Exec, class T> struct mixer_weights<Exec, T, short_convolution_plan> {
  typename Exec::template matrix<T> in, out;
  convolution_weights<Exec, T> convolution;
};
/// Weights of a layer_input_plan.
template <class Exec, class T> struct mixer_weights<Exec, T, layer_input_plan> {
  typename Exec::template matrix<T> gate, out;
};

/// Weights of a laurel_plan.
template <class Exec, class T> struct mixer_weights<Exec, T, laurel_plan> {
  typename Exec::template matrix<T> down, up;
  norm_weights<Exec, T> after;
};

namespace detail {
/// A variant of the weights of every mixer that a plan's variant names.
template <class Exec, class T, class Variant> struct mixer_variant;
template <class Exec, class T, class... Plans> struct mixer_variant<Exec, T, std::variant<Plans...>> {
  using type = std::variant<mixer_weights<Exec, T, Plans>...>;
};
} // namespace detail

/// Weights of a branch_plan.
template <class Exec, class T> struct branch_weights {
  std::optional<norm_weights<Exec, T>> before, after;
  typename detail::mixer_variant<Exec, T, mixer_plan>::type mixer;

  /// The weights of this kind of mixer; another kind is replaced.
  template <class Plan> auto& mixer_of() {
    using weights = mixer_weights<Exec, T, Plan>;
    return std::holds_alternative<weights>(mixer) ? std::get<weights>(mixer) : mixer.template emplace<weights>();
  }
};
/// Weights of a stream_layer_plan.
template <class Exec, class T> struct stream_layer_weights {
  norm_weights<Exec, T> norm;
  typename Exec::template matrix<T> router, prediction, correction;
  typename Exec::template vector<T> input_scale;
  branch_weights<Exec, T> input;
};
/// Weights of a layer_plan.
template <class Exec, class T> struct layer_weights {
  std::vector<branch_weights<Exec, T>> branches;
  typename Exec::template vector<T> scalar;
  std::optional<stream_layer_weights<Exec, T>> streams;
};

/// A model ready to run: its plan and its weights, which lie where Exec keeps them. load_decoder makes one.
template <class Exec, class T> struct decoder {
  using matrix = typename Exec::template matrix<T>;

  decoder_plan plan;
  compute_type compute = compute_type::working; // of all linears and the head
  matrix embedding;                             // (V, E); absent if the head is tied to it
  typename Exec::template vector<T> positions;  // (P, C): learned or sinusoids
  matrix embedding_projection;
  std::optional<norm_weights<Exec, T>> embedding_norm;
  matrix inputs_table, inputs_projection; // (V, P), (P, C), or absent
  norm_weights<Exec, T> inputs_norm;
  std::vector<matrix> streams_in, streams_out; // (C, C) each
  std::vector<layer_weights<Exec, T>> layers;
  std::optional<norm_weights<Exec, T>> head_norm;
  matrix head_projection;
  matrix head;                  // (V, E)
  std::vector<rope_plan> ropes; // the distinct ones; each gets one table of angles per batch

  /// (V, E), the head's where the two are tied.
  const matrix& embedding_table() const { return plan.tied() ? head : embedding; }
};

} // namespace llmap
