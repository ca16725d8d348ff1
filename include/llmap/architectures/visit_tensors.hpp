// The one enumeration of a plan's tensors. Whatever has to know them all is a visitor: the table of names and shapes,
// loading, memory, operations, what `llmap info` prints.
//
// visit_tensors(plan, visit) calls visit(linear_plan), visit(norm_plan) and visit(vector_plan), each with a tensor_use,
// in the order of use. visit_tensors(plan, visit, weights) walks through a structure with the same member names beside
// the plan, and passes its member as third argument: loading fills it so. What the structure lacks of the plan is made
// on the way. An absent tensor is not visited.
#pragma once
#include "llmap/architectures/decoder_plan.hpp"
#include <type_traits>
#include <unordered_set>
#include <utility>

namespace llmap {

/// What a visitor may want to know beside the plan of a tensor.
struct tensor_use {
  double share = 1;       // of the tokens that use it: chosen / experts for the matrices of an expert
  bool looked_up = false; // one row a token, not a product
  double times = 1;       // that a token goes through the product
};

namespace detail {

/// Passes the tensors of one part of the plan on, with what lies beside them.
template <class Visit> struct tensor_walk {
  Visit& visit;
  tensor_use use{};

  template <class Plan, class... Beside> void leaf(const Plan& plan, Beside&... beside) { visit(plan, use, beside...); }

  template <class... W> void operator()(const linear_plan& p, W&... w) {
    if (p.present()) leaf(p, w...);
  }
  template <class... W> void operator()(const vector_plan& p, W&... w) {
    if (p.present()) leaf(p, w...);
  }
  template <class... W> void operator()(const norm_plan& p, W&... w) { leaf(p, w...); }
  template <class P, class... W> void operator()(const std::optional<P>& p, W&... w) {
    if (!p) return;
    ((w ? void() : void(w.emplace())), ...);
    (*this)(*p, *w...);
  }
  template <class P, class... W> void operator()(const std::vector<P>& p, W&... w) {
    (w.resize(p.size()), ...);
    for (std::size_t i = 0; i < p.size(); ++i) (*this)(p[i], w[i]...);
  }

  template <class... W> void operator()(const attention_plan& p, W&... w) {
    (*this)(p.qkv, w.qkv...);
    (*this)(p.q_norm, w.q_norm...);
    (*this)(p.k_norm, w.k_norm...);
    (*this)(p.v_norm, w.v_norm...);
    (*this)(p.sinks, w.sinks...);
    (*this)(p.gate, w.gate...);
    (*this)(p.out_norm, w.out_norm...);
    (*this)(p.out, w.out...);
  }
  template <class... W> void operator()(const latent_attention_plan& p, W&... w) {
    (*this)(p.q_down, w.q_down...);
    (*this)(p.q_norm, w.q_norm...);
    (*this)(p.q_up, w.q_up...);
    (*this)(p.kv_down, w.kv_down...);
    (*this)(p.kv_norm, w.kv_norm...);
    (*this)(p.k_up, w.k_up...);
    (*this)(p.v_up, w.v_up...);
    (*this)(p.out, w.out...);
  }
  template <class... W> void operator()(const mlp_plan& p, W&... w) {
    (*this)(p.in, w.in...);
    (*this)(p.parameters, w.parameters...);
    (*this)(p.out_norm, w.out_norm...);
    (*this)(p.out, w.out...);
  }
  template <class... W> void operator()(const mixture_plan& p, W&... w) {
    (*this)(p.router_before, w.router_before...);
    (*this)(p.router.logits, w.logits...);
    (*this)(p.router.correction, w.correction...);
    (*this)(p.router.expert_scale, w.expert_scale...);
    (*this)(p.experts_before, w.experts_before...);
    (*this)(p.narrow, w.narrow...);
    const double all = std::exchange(use.share, use.share * static_cast<double>(p.router.chosen) /
                                                    static_cast<double>(p.experts.size()));
    (*this)(p.experts, w.experts...);
    use.share = all;
    (*this)(p.wide, w.wide...);
    (*this)(p.experts_after, w.experts_after...);
    (*this)(p.shared_before, w.shared_before...);
    (*this)(p.shared, w.shared...);
    (*this)(p.shared_gate, w.shared_gate...);
    (*this)(p.shared_after, w.shared_after...);
  }
  template <class... W> void operator()(const convolution_plan& p, W&... w) {
    (*this)(p.weight, w.weight...);
    (*this)(p.bias, w.bias...);
  }
  template <class... W> void operator()(const mamba_plan& p, W&... w) {
    (*this)(p.in, w.in...);
    (*this)(p.convolution, w.convolution...);
    (*this)(p.select, w.select...);
    (*this)(p.step_norm, w.step_norm...);
    (*this)(p.b_norm, w.b_norm...);
    (*this)(p.c_norm, w.c_norm...);
    (*this)(p.step, w.step...);
    (*this)(p.a_log, w.a_log...);
    (*this)(p.d, w.d...);
    (*this)(p.out, w.out...);
  }
  template <class... W> void operator()(const mamba2_plan& p, W&... w) {
    (*this)(p.in, w.in...);
    (*this)(p.convolution, w.convolution...);
    (*this)(p.dt_bias, w.dt_bias...);
    (*this)(p.a_log, w.a_log...);
    (*this)(p.d, w.d...);
    (*this)(p.norm, w.norm...);
    (*this)(p.out, w.out...);
  }
  template <class... W> void operator()(const delta_plan& p, W&... w) {
    (*this)(p.in, w.in...);
    (*this)(p.convolution, w.convolution...);
    (*this)(p.dt_bias, w.dt_bias...);
    (*this)(p.a_log, w.a_log...);
    (*this)(p.norm, w.norm...);
    (*this)(p.out, w.out...);
  }
  template <class... W> void operator()(const short_convolution_plan& p, W&... w) {
    (*this)(p.in, w.in...);
    (*this)(p.convolution, w.convolution...);
    (*this)(p.out, w.out...);
  }
  template <class... W> void operator()(const layer_input_plan& p, W&... w) {
    (*this)(p.gate, w.gate...);
    (*this)(p.out, w.out...);
  }
  template <class... W> void operator()(const laurel_plan& p, W&... w) {
    (*this)(p.down, w.down...);
    (*this)(p.up, w.up...);
    (*this)(p.after, w.after...);
  }
  template <class... W> void operator()(const rwkv_time_plan& p, W&... w) {
    (*this)(p.mix_key, w.mix_key...);
    (*this)(p.mix_value, w.mix_value...);
    (*this)(p.mix_receptance, w.mix_receptance...);
    (*this)(p.decay, w.decay...);
    (*this)(p.first, w.first...);
    (*this)(p.key, w.key...);
    (*this)(p.value, w.value...);
    (*this)(p.receptance, w.receptance...);
    (*this)(p.out, w.out...);
  }
  template <class... W> void operator()(const rwkv_channel_plan& p, W&... w) {
    (*this)(p.mix_key, w.mix_key...);
    (*this)(p.mix_receptance, w.mix_receptance...);
    (*this)(p.key, w.key...);
    (*this)(p.receptance, w.receptance...);
    (*this)(p.value, w.value...);
  }
  template <class... W> void operator()(const rg_lru_plan& p, W&... w) {
    (*this)(p.gate, w.gate...);
    (*this)(p.in, w.in...);
    (*this)(p.convolution, w.convolution...);
    (*this)(p.input_gate, w.input_gate...);
    (*this)(p.recurrent_gate, w.recurrent_gate...);
    (*this)(p.decay, w.decay...);
    (*this)(p.out, w.out...);
  }

  template <class... W> void operator()(const branch_plan& p, W&... w) {
    (*this)(p.before, w.before...);
    std::visit([&](const auto& mixer) { (*this)(mixer, w.template mixer_of<std::decay_t<decltype(mixer)>>()...); },
               p.mixer);
    (*this)(p.after, w.after...);
  }
  template <class... W> void operator()(const layer_plan& p, W&... w) {
    (*this)(p.branches, w.branches...);
    (*this)(p.scalar, w.scalar...);
    (*this)(p.streams, w.streams...);
  }
  template <class... W> void operator()(const stream_layer_plan& p, W&... w) {
    (*this)(p.norm, w.norm...);
    use.times = 2;
    (*this)(p.router, w.router...);
    use.times = 1;
    (*this)(p.prediction, w.prediction...);
    (*this)(p.correction, w.correction...);
    (*this)(p.input_scale, w.input_scale...);
    (*this)(p.input, w.input...);
  }
};

/// The walk through the whole plan.
template <class Visit, class... Weights> void walk_plan(const decoder_plan& plan, Visit& visit, Weights&... weights) {
  tensor_walk<Visit> walk{visit};
  const auto looked_up = [&](auto&& part, auto&... w) {
    walk.use.looked_up = true;
    walk(part, w...);
    walk.use.looked_up = false;
  };
  // A tied table is one tensor, which is multiplied as the head.
  if (!plan.tied()) looked_up(plan.embedding.table, weights.embedding...);
  looked_up(plan.embedding.positions, weights.positions...);
  walk(plan.embedding.projection, weights.embedding_projection...);
  walk(plan.embedding.norm, weights.embedding_norm...);
  if (plan.embedding.inputs) {
    looked_up(plan.embedding.inputs->table, weights.inputs_table...);
    walk(plan.embedding.inputs->projection, weights.inputs_projection...);
    walk(plan.embedding.inputs->norm, weights.inputs_norm...);
  }
  if (plan.streams) walk(plan.streams->in, weights.streams_in...);
  walk(plan.layers, weights.layers...);
  if (plan.streams) walk(plan.streams->out, weights.streams_out...);
  walk(plan.head.norm, weights.head_norm...);
  walk(plan.head.projection, weights.head_projection...);
  walk(plan.output_table(), weights.head...);
}

/// A visitor without its type: the walk is compiled once for all that see the plan alone.
class plan_visitor {
public:
  virtual void operator()(const linear_plan& p, tensor_use use) = 0;
  virtual void operator()(const norm_plan& p, tensor_use use) = 0;
  virtual void operator()(const vector_plan& p, tensor_use use) = 0;

protected:
  ~plan_visitor() = default;
};
template <class Visit> class typed_visitor final : public plan_visitor {
  Visit& visit_;

public:
  explicit typed_visitor(Visit& visit) : visit_(visit) {}
  void operator()(const linear_plan& p, tensor_use use) override { visit_(p, use); }
  void operator()(const norm_plan& p, tensor_use use) override { visit_(p, use); }
  void operator()(const vector_plan& p, tensor_use use) override { visit_(p, use); }
};

} // namespace detail

/// Visits as the head of this file says. Exceptions of `visit` pass through.
template <class Visit> void visit_tensors(const decoder_plan& plan, Visit&& visit) {
  detail::typed_visitor<std::remove_reference_t<Visit>> typed(visit);
  detail::walk_plan<detail::plan_visitor>(plan, typed);
}
/// The same, with the members of `weights` beside those of the plan.
template <class Visit, class Weights> void visit_tensors(const decoder_plan& plan, Visit&& visit, Weights& weights) {
  detail::walk_plan(plan, visit, weights);
}

/// Every stored tensor of the plan with the shape it must have, in the order of use; each once.
inline std::vector<tensor_spec> tensor_table(const decoder_plan& plan) {
  std::vector<tensor_spec> table;
  std::unordered_set<std::string> seen;
  struct collector {
    std::vector<tensor_spec>& table;
    std::unordered_set<std::string>& seen;

    void add(const std::string& name, std::vector<std::int64_t> shape) const {
      if (!name.empty() && seen.insert(name).second) table.push_back({name, std::move(shape)});
    }
    void operator()(const linear_plan& p, tensor_use) const {
      for (const matrix_part& part : p.parts) {
        std::vector<std::int64_t> shape{part.stored_rows, p.cols}, bias{part.stored_rows};
        if (part.transposed) std::swap(shape[0], shape[1]);
        if (part.slices) shape.insert(shape.begin(), part.slices), bias.insert(bias.begin(), part.slices);
        add(part.weight, std::move(shape));
        add(part.bias, std::move(bias));
      }
    }
    void operator()(const vector_plan& p, tensor_use) const {
      for (const tensor_spec& t : p.tensors) add(t.name, t.shape);
    }
    void operator()(const norm_plan& p, tensor_use use) const { (*this)(p.weight, use), (*this)(p.bias, use); }
  };
  visit_tensors(plan, collector{table, seen});
  return table;
}

} // namespace llmap
