// check_plan: refuses a plan that the forward pass would not compute as it is written. A family's file or an own loader
// that combines what no pass knows learns it here, before a weight is read.
#pragma once
#include "llmap/architectures/decoder_plan.hpp"
#include "llmap/core/error.hpp"

namespace llmap {

namespace detail {

class plan_checker {
  const decoder_plan& plan_;
  const std::string& where_;
  std::string at_; // "layer 3, branch 1: "

  template <class... What> void require(bool holds, const What&... what) const {
    if (!holds) fail(where_, ": plan of ", plan_.model_type, ": ", at_, what...);
  }
  void shape(const char* name, const linear_plan& p, std::int64_t rows, std::int64_t cols) const {
    require(p.present() && p.rows() == rows && p.cols == cols, name, ": expected a matrix [", rows, ", ", cols,
            "], got [", p.rows(), ", ", p.cols, "]");
    for (const matrix_part& part : p.parts) {
      const std::int64_t last =
          part.rows ? part.first + (part.rows - 1) / part.group * part.stride + (part.rows - 1) % part.group : 0;
      require(part.rows > 0 && part.group > 0 && part.first >= 0 && last < part.stored_rows, name,
              ": rows beyond the stored matrix ", part.weight);
      require(part.slices == 0 || (part.slice >= 0 && part.slice < part.slices), name, ": a slice beyond the stack ",
              part.weight);
    }
  }
  void size(const char* name, const vector_plan& p, std::int64_t n) const {
    require(p.size() == n, name, ": expected ", n, " numbers, got ", p.size());
  }
  void norm(const char* name, const norm_plan& p, std::int64_t channels) const {
    require(p.width > 0 && channels % p.width == 0, name, ": expected a width that divides ", channels, ", got ",
            p.width);
    for (const vector_plan* v : {&p.weight, &p.bias})
      require(!v->present() || v->size() == p.width || v->size() == channels, name, ": expected ", p.width, " or ",
              channels, " numbers, got ", v->size());
    require(!p.rounded || p.width == channels, name, ": rounded: expected one group of channels");
    require(p.epsilon > 0 && p.scale != 0, name, ": expected an epsilon above 0 and a scale");
    require(!p.bias.present() || !p.weight.present() || p.bias.size() == p.weight.size(), name,
            ": expected a bias of the weight's size");
  }
  void norm(const char* name, const std::optional<norm_plan>& p, std::int64_t channels) const {
    if (p) norm(name, *p, channels);
  }
  void rope(const rope_plan& p, std::int64_t width) const {
    require(p.kind != rope_plan::scaling::proportional || (p.share > 0 && p.share <= 1 && !p.interleaved),
            "proportional rotation: expected a share of the pairs, in halves");
    require(p.dims >= 2 && p.dims % 2 == 0 && p.dims <= width, "rotated dims of a head: expected an even number up to ",
            width, ", got ", p.dims);
    if (p.kind == rope_plan::scaling::longrope)
      require(static_cast<std::int64_t>(p.short_factor.size()) == p.dims / 2 &&
                  p.long_factor.size() == p.short_factor.size(),
              "longrope: expected a factor a pair");
  }
  void convolution(const convolution_plan& p, std::int64_t channels) const {
    require(p.channels == channels && p.taps >= 1, "convolution: expected ", channels, " channels, got ", p.channels);
    size("convolution weight", p.weight, p.channels * p.taps);
    if (p.bias.present()) size("convolution bias", p.bias, p.channels);
  }

public:
  plan_checker(const decoder_plan& plan, const std::string& where) : plan_(plan), where_(where) {}

private:
  /// Keys and values that are used again have been left by an earlier layer, in the same shape.
  void kept_heads() const {
    std::vector<const attention_plan*> left;
    for (const layer_plan& layer : plan_.layers)
      for (const branch_plan& b : layer.branches) {
        const auto* a = std::get_if<attention_plan>(&b.mixer);
        if (!a || a->kept_as == 0) {
          require(!a || !a->reuses, "keys of an earlier layer: expected their number");
          continue;
        }
        require(a->kept_as > 0 && a->kept_as < 4096, "keys that are kept: expected a number from 1 to 4095");
        const auto number = static_cast<std::size_t>(a->kept_as);
        if (left.size() <= number) left.resize(number + 1);
        const attention_plan* from = left[number];
        if (!a->reuses) left[number] = a;
        else
          require(from && from->kv_heads == a->kv_heads && from->head_dim == a->head_dim && !a->k_norm && !a->v_norm,
                  "keys of an earlier layer: expected such a layer with the same heads, and no norm of k or v here");
      }
  }
  void mlp(const mlp_plan& p, std::int64_t width) const {
    shape("in", p.in, (p.gated ? 2 : 1) * p.out.cols, width);
    shape("out", p.out, width, p.out.cols);
    require(p.gated || p.act != activation::clamped_swiglu, "clamped_swiglu: expected a gated MLP");
    require(!p.gated || p.act != activation::xielu, "xielu: expected an MLP without a gate");
    require(p.gated || p.gate_scale == 1, "gate scale: expected a gated MLP");
    size("parameters of the activation", p.parameters, p.act == activation::xielu ? 4 : 0);
    norm("norm before out", p.out_norm, p.out.cols);
    require(!p.out_norm || p.act != activation::xielu, "norm before out: expected another activation than xielu");
    require(p.gated || !p.cut, "cut of the gate: expected a gated MLP");
  }

public:
  void operator()(const attention_plan& p) const {
    require(p.heads > 0 && p.kv_heads > 0 && p.heads % p.kv_heads == 0, "expected key/value heads that divide ",
            p.heads, " heads, got ", p.kv_heads);
    require(p.head_dim > 0 && p.window >= 0 && p.chunk >= 0 && p.softcap >= 0 && p.clip >= 0,
            "expected a positive width of a head, no negative window, chunk or cap");
    require(p.window == 0 || p.chunk == 0, "expected a window or chunks, got both");
    require(!p.growth || (p.growth->period > 0 && p.growth->offset >= 0), "growth of the query: expected a period");
    shape("qkv", p.qkv, (p.heads + (p.reuses ? 0 : 2 * p.kv_heads)) * p.head_dim, plan_.width);
    if (p.gate.present()) shape("gate", p.gate, p.heads * p.head_dim, plan_.width);
    shape("out", p.out, plan_.width, p.heads * p.head_dim);
    if (p.rope) rope(*p.rope, p.head_dim);
    norm("q norm", p.q_norm, p.heads * p.head_dim);
    norm("k norm", p.k_norm, p.kv_heads * p.head_dim);
    norm("v norm", p.v_norm, p.kv_heads * p.head_dim);
    norm("norm before out", p.out_norm, p.heads * p.head_dim);
    require(!p.out_norm || !p.gate.present(), "norm before out: expected no gate");
    if (p.sinks.present()) size("sinks", p.sinks, p.heads);
    require(p.alibi.empty() || static_cast<std::int64_t>(p.alibi.size()) == p.heads, "ALiBi: expected a slope a head");
    require(!p.rounded_alibi || (!p.alibi.empty() && p.softcap == 0), "rounded ALiBi: expected slopes and no soft cap");
    require(!p.norm_after_rotation || (p.rope && (p.q_norm || p.k_norm)),
            "norm after the rotation: expected both of them");
  }
  void operator()(const latent_attention_plan& p) const {
    require(p.heads > 0 && p.nope_dim > 0 && p.value_dim > 0, "expected positive heads and widths");
    rope(p.rope, p.rope.dims);
    const std::int64_t latent = p.kv_down.rows() - p.rope.dims;
    if (p.q_down.present()) {
      shape("q_down", p.q_down, p.q_down.rows(), plan_.width);
      norm("q norm", p.q_norm, p.q_down.rows());
    } else {
      require(!p.q_norm, "q norm: expected none without q_down");
    }
    shape("q_up", p.q_up, p.heads * (p.nope_dim + p.rope.dims), p.q_down.present() ? p.q_down.rows() : plan_.width);
    require(latent > 0, "kv_down: expected more rows than the rotated dims");
    shape("kv_down", p.kv_down, latent + p.rope.dims, plan_.width);
    norm("kv norm", p.kv_norm, latent);
    shape("k_up", p.k_up, p.heads * p.nope_dim, latent);
    shape("v_up", p.v_up, p.heads * p.value_dim, latent);
    shape("out", p.out, plan_.width, p.heads * p.value_dim);
  }
  void operator()(const mlp_plan& p) const { mlp(p, plan_.width); }
  void operator()(const mixture_plan& p) const {
    const router_plan& r = p.router;
    const auto E = static_cast<std::int64_t>(p.experts.size());
    require(E > 0 && r.chosen >= 1 && r.groups >= 1 && E % r.groups == 0 && r.chosen_groups >= 1 &&
                r.chosen_groups <= r.groups,
            "router: expected groups of equal size");
    require(r.chosen <= r.chosen_groups * (E / r.groups), "router: expected at most ", r.chosen_groups * (E / r.groups),
            " chosen experts, got ", r.chosen);
    require(r.rank == router_plan::group_rank::best || r.groups == 1 || E / r.groups >= 2,
            "router: expected two experts a group");
    shape("router", r.logits, E, plan_.width);
    if (r.correction.present()) size("router correction", r.correction, E);
    if (r.expert_scale.present()) size("scale of experts", r.expert_scale, E);
    require(r.scores != router_plan::score::banded ||
                (r.chosen == 2 && r.groups == 1 && !r.normalized && !r.correction.present() && r.band > 0),
            "router: expected two experts, a band and nothing else where scores are banded");
    require(p.narrow.present() == p.wide.present(), "experts of narrow rows: expected both narrow and wide");
    const std::int64_t N = p.narrow.present() ? p.narrow.rows() : plan_.width;
    if (p.narrow.present()) shape("narrow", p.narrow, N, plan_.width), shape("wide", p.wide, plan_.width, N);
    norm("norm before the router", p.router_before, plan_.width);
    norm("norm before the experts", p.experts_before, plan_.width);
    norm("norm after the experts", p.experts_after, plan_.width);
    norm("norm before the shared expert", p.shared_before, plan_.width);
    norm("norm after the shared expert", p.shared_after, plan_.width);
    require(p.shared || (!p.shared_before && !p.shared_after), "norms of a shared expert: expected one");
    for (const mlp_plan& expert : p.experts) mlp(expert, N);
    if (p.shared) mlp(*p.shared, plan_.width);
    if (p.shared_gate.present()) {
      require(p.shared.has_value(), "shared gate: expected a shared expert");
      shape("shared gate", p.shared_gate, 1, plan_.width);
    }
  }
  void operator()(const mamba_plan& p) const {
    shape("in", p.in, 2 * p.inner, plan_.width);
    convolution(p.convolution, p.inner);
    shape("select", p.select, p.rank + 2 * p.states, p.inner);
    shape("step", p.step, p.inner, p.rank);
    norm("step norm", p.step_norm, p.rank);
    norm("B norm", p.b_norm, p.states);
    norm("C norm", p.c_norm, p.states);
    size("A_log", p.a_log, p.inner * p.states);
    size("D", p.d, p.inner);
    shape("out", p.out, plan_.width, p.inner);
  }
  void operator()(const mamba2_plan& p) const {
    const std::int64_t M = p.heads * p.head_dim, conv = M + 2 * p.groups * p.states;
    require(p.groups > 0 && p.heads % p.groups == 0, "expected groups that divide ", p.heads, " heads, got ", p.groups);
    require(p.least_step <= p.most_step, "expected a lower limit of the step below the upper");
    shape("in", p.in, conv + p.heads + M, plan_.width);
    convolution(p.convolution, conv);
    size("dt bias", p.dt_bias, p.heads);
    size("A_log", p.a_log, p.heads);
    size("D", p.d, p.heads);
    norm("norm", p.norm, M);
    require(p.norm || !p.norm_first, "norm before the gate: expected a norm");
    shape("out", p.out, plan_.width, M);
  }
  void operator()(const rwkv_time_plan& p) const {
    for (const vector_plan* mix : {&p.mix_key, &p.mix_value, &p.mix_receptance}) size("time mix", *mix, plan_.width);
    for (const vector_plan* v : {&p.decay, &p.first}) size("time decay and first", *v, p.channels);
    for (const linear_plan* w : {&p.key, &p.value, &p.receptance})
      shape("key, value, receptance", *w, p.channels, plan_.width);
    shape("out", p.out, plan_.width, p.channels);
  }
  void operator()(const rwkv_channel_plan& p) const {
    for (const vector_plan* mix : {&p.mix_key, &p.mix_receptance}) size("time mix", *mix, plan_.width);
    shape("key", p.key, p.key.rows(), plan_.width);
    shape("receptance", p.receptance, plan_.width, plan_.width);
    shape("value", p.value, plan_.width, p.key.rows());
  }
  void operator()(const rg_lru_plan& p) const {
    const auto blocks = static_cast<std::int64_t>(p.input_gate.size());
    require(blocks > 0 && p.channels % blocks == 0 && p.recurrent_gate.size() == p.input_gate.size(),
            "expected blocks that divide ", p.channels, " channels");
    shape("gate", p.gate, p.channels, plan_.width);
    shape("in", p.in, p.channels, plan_.width);
    convolution(p.convolution, p.channels);
    for (std::int64_t b = 0; b < blocks; ++b)
      for (const auto* gates : {&p.input_gate, &p.recurrent_gate})
        shape("gate block", (*gates)[static_cast<std::size_t>(b)], p.channels / blocks, p.channels / blocks);
    size("decay", p.decay, p.channels);
    shape("out", p.out, plan_.width, p.channels);
  }

  void operator()(const delta_plan& p) const {
    require(p.key_heads > 0 && p.value_heads > 0 && p.value_heads % p.key_heads == 0 && p.key_dim > 0 &&
                p.value_dim > 0,
            "expected key heads that divide ", p.value_heads, " value heads, got ", p.key_heads);
    const std::int64_t M = p.value_heads * p.value_dim, conv = 2 * p.key_heads * p.key_dim + M;
    shape("in", p.in, conv + 2 * p.value_heads + M, plan_.width);
    convolution(p.convolution, conv);
    size("dt bias", p.dt_bias, p.value_heads);
    size("A_log", p.a_log, p.value_heads);
    require(p.norm.width == p.value_dim, "norm: expected the width of a value head, ", p.value_dim);
    norm("norm", p.norm, M);
    shape("out", p.out, plan_.width, M);
  }
  void operator()(const short_convolution_plan& p) const {
    const std::int64_t M = p.convolution.channels;
    shape("in", p.in, 3 * M, plan_.width);
    convolution(p.convolution, M);
    shape("out", p.out, plan_.width, M);
  }
  void operator()(const layer_input_plan& p) const {
    const std::int64_t own = p.gate.rows();
    require(plan_.embedding.inputs && p.first >= 0 && p.first + own <= plan_.embedding.inputs->table.cols,
            "a layer's own input: expected its columns in the embedding's");
    shape("gate", p.gate, own, plan_.width);
    shape("out", p.out, plan_.width, own);
  }

  void operator()(const laurel_plan& p) const {
    shape("down", p.down, p.down.rows(), plan_.width);
    shape("up", p.up, plan_.width, p.down.rows());
    norm("norm after", p.after, plan_.width);
  }
  void streams(const layer_plan& layer) const {
    require(layer.streams.has_value() == plan_.streams.has_value(), "streams: expected in all layers or in none");
    if (!layer.streams) return;
    const stream_layer_plan& p = *layer.streams;
    const std::int64_t n = plan_.streams->count();
    require(p.active >= 0 && p.active < n, "streams: expected an active one of ", n);
    norm("norm of the streams", p.norm, plan_.width);
    shape("router of the streams", p.router, n, plan_.width);
    shape("prediction", p.prediction, n * n, n);
    shape("correction", p.correction, n, n);
    if (p.input_scale.present()) size("scale of the input", p.input_scale, plan_.width);
    require(p.input.after.has_value() && p.input.scale == 1, "input of the streams: expected a norm after it, scale 1");
    norm("norm after the input", p.input.after, plan_.width);
    require(std::holds_alternative<layer_input_plan>(p.input.mixer),
            "input of the streams: expected a token's own input");
    std::visit(*this, p.input.mixer);
  }

  void operator()(const layer_plan& layer) const {
    streams(layer);
    require(!layer.branches.empty() && layer.scale > 0, "expected a branch and a positive scale");
    require(layer.together_scale == 1 || layer.joined == join::side_by_side,
            "scale of branches together: expected them side by side");
    require(layer.together == 0 || (layer.joined == join::side_by_side && layer.together <= layer.branches.size()),
            "branches together: expected as many side by side");
    if (layer.scalar.present()) size("scalar", layer.scalar, 1);
    for (const branch_plan& b : layer.branches) {
      norm("norm before", b.before, plan_.width);
      norm("norm after", b.after, plan_.width);
      require(b.scale > 0, "branch scale: expected a positive number");
      std::visit(*this, b.mixer);
      if (layer.joined != join::norm_of_sum && layer.joined != join::norm_is_residual) continue;
      const bool sum = layer.joined == join::norm_of_sum;
      require(b.scale == 1 && b.before.has_value() != sum && b.after.has_value() == sum,
              sum ? "norm of sum: expected a norm after the sum alone, scale 1"
                  : "norm is residual: expected a norm before alone, scale 1");
      require(std::holds_alternative<attention_plan>(b.mixer) || std::holds_alternative<mlp_plan>(b.mixer),
              "expected attention or an MLP where the norm is on the residual");
    }
  }

  void whole() {
    require(plan_.vocab > 0 && plan_.width > 0 && !plan_.layers.empty(),
            "expected a vocabulary, a width and at least one layer");
    const embedding_plan& e = plan_.embedding;
    const std::int64_t E = e.table.cols;
    shape("embedding", e.table, plan_.vocab, E);
    if (e.projection.present()) shape("embedding projection", e.projection, plan_.width, E);
    else require(E == plan_.width, "embedding: expected the model's width ", plan_.width, " or a projection, got ", E);
    if (e.positions.present())
      require(plan_.position_limit > 0 &&
                  e.positions.size() >= (e.position_offset + plan_.position_limit) * plan_.width,
              "positions: expected a row for every token up to ", plan_.position_limit);
    if (e.inputs) {
      require(e.inputs->table.rows() <= plan_.vocab, "inputs of the layers: expected no more rows than ids");
      shape("inputs of the layers", e.inputs->table, e.inputs->table.rows(), e.inputs->table.cols);
      shape("projection to the inputs of the layers", e.inputs->projection, e.inputs->table.cols, plan_.width);
      norm("norm of the inputs of the layers", e.inputs->norm, e.inputs->table.cols);
    }
    require(!e.sinusoids || (!e.positions.present() && plan_.position_limit > 0 && plan_.width > 3),
            "sinusoids: expected no learned positions, a limit of tokens and a width above 3");
    norm("embedding norm", e.norm, plan_.width);
    norm("final norm", plan_.head.norm, plan_.width);
    const std::int64_t out = plan_.head.projection.present() ? plan_.head.projection.rows() : plan_.width;
    if (plan_.head.projection.present()) shape("head projection", plan_.head.projection, out, plan_.width);
    shape("head", plan_.output_table(), plan_.vocab, out);
    require(plan_.head.softcap >= 0 && plan_.head.scale != 0, "head: expected a soft cap of 0 or more and a scale");
    kept_heads();
    if (plan_.streams) {
      require(plan_.streams->count() > 1 && plan_.streams->in.size() == plan_.streams->out.size(),
              "streams: expected as many ends as beginnings");
      for (const auto* all : {&plan_.streams->in, &plan_.streams->out})
        for (const linear_plan& p : *all) shape("stream", p, plan_.width, plan_.width);
    }
    for (std::size_t i = 0; i < plan_.layers.size(); ++i) {
      at_ = "layer " + std::to_string(i) + ": ";
      (*this)(plan_.layers[i]);
    }
  }
};

} // namespace detail

/// Throws an error that starts with `where` and names layer and part, or returns.
inline void check_plan(const decoder_plan& plan, const std::string& where) {
  detail::plan_checker(plan, where).whole();
}

} // namespace llmap
