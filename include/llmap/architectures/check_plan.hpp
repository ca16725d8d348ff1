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
    require(p.epsilon > 0, name, ": expected an epsilon above 0");
    require(!p.bias.present() || !p.weight.present() || p.bias.size() == p.weight.size(), name,
            ": expected a bias of the weight's size");
  }
  void norm(const char* name, const std::optional<norm_plan>& p, std::int64_t channels) const {
    if (p) norm(name, *p, channels);
  }
  void rope(const rope_plan& p, std::int64_t width) const {
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

  void operator()(const attention_plan& p) const {
    require(p.heads > 0 && p.kv_heads > 0 && p.heads % p.kv_heads == 0, "expected key/value heads that divide ",
            p.heads, " heads, got ", p.kv_heads);
    require(p.head_dim > 0 && p.window >= 0 && p.softcap >= 0 && p.clip >= 0,
            "expected a positive width of a head, no negative window or cap");
    shape("qkv", p.qkv, (p.heads + 2 * p.kv_heads) * p.head_dim, plan_.width);
    shape("out", p.out, plan_.width, p.heads * p.head_dim);
    if (p.rope) rope(*p.rope, p.head_dim);
    norm("q norm", p.q_norm, p.heads * p.head_dim);
    norm("k norm", p.k_norm, p.kv_heads * p.head_dim);
    if (p.sinks.present()) size("sinks", p.sinks, p.heads);
    require(p.alibi.empty() || static_cast<std::int64_t>(p.alibi.size()) == p.heads, "ALiBi: expected a slope a head");
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
  void operator()(const mlp_plan& p) const {
    shape("in", p.in, (p.gated ? 2 : 1) * p.out.cols, plan_.width);
    shape("out", p.out, plan_.width, p.out.cols);
    require(p.gated || p.act != activation::clamped_swiglu, "clamped_swiglu: expected a gated MLP");
  }
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
    for (const mlp_plan& expert : p.experts) (*this)(expert);
    if (p.shared) (*this)(*p.shared);
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

  void operator()(const layer_plan& layer) const {
    require(!layer.branches.empty() && layer.scale > 0, "expected a branch and a positive scale");
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
    norm("embedding norm", e.norm, plan_.width);
    norm("final norm", plan_.head.norm, plan_.width);
    const std::int64_t out = plan_.head.projection.present() ? plan_.head.projection.rows() : plan_.width;
    if (plan_.head.projection.present()) shape("head projection", plan_.head.projection, out, plan_.width);
    shape("head", plan_.output_table(), plan_.vocab, out);
    require(plan_.head.softcap >= 0 && plan_.head.scale != 0, "head: expected a soft cap of 0 or more and a scale");
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
