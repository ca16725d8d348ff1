// A wrong knob is noticed: every number and choice of every golden case's plan is changed, one at a time, and the
// log-probabilities must move by more than the bound of the golden test.
#include "llmap/architectures/all.hpp"
#include "llmap/cpu.hpp"
#include "llmap/forward/load.hpp"
#include "llmap/likelihood/score.hpp"
#include "llmap/weights/model_weights.hpp"
#include "support/golden.hpp"
#include <functional>
#include <set>

using namespace llmap;

namespace {

/// A change of a plan, and what it is called.
struct flip {
  std::string name;
  std::function<void(decoder_plan&)> apply;
};

/// Collects the flips of a plan. Each is given as a path from a plan to the field, so that it applies to a copy.
class flip_list {
public:
  std::vector<flip> all;
  std::set<std::string> covered; // fields of a rotation that change a frequency

  template <class At> void number(const std::string& name, const At& at, double factor = 1.01) {
    all.push_back({name, [at, factor](decoder_plan& p) { at(p) = at(p) * factor; }});
  }
  template <class At, class Value> void value(const std::string& name, const At& at, Value other) {
    all.push_back({name, [at, other](decoder_plan& p) { at(p) = other; }});
  }
  template <class At> void norm(const std::string& name, const norm_plan& n, const At& at) {
    number(
        name + ".epsilon", [at](decoder_plan& p) -> double& { return at(p).epsilon; }, 30);
    value(
        name + ".kind", [at](decoder_plan& p) -> norm_kind& { return at(p).kind; },
        n.kind == norm_kind::rms ? norm_kind::layer : norm_kind::rms);
    number(
        name + ".scale", [at](decoder_plan& p) -> double& { return at(p).scale; }, 1.5);
    if (n.rounded)
      value(
          name + ".rounded", [at](decoder_plan& p) -> bool& { return at(p).rounded; }, false);
    if (n.weight.present())
      value(
          name + ".weight_offset", [at](decoder_plan& p) -> double& { return at(p).weight_offset; },
          n.weight_offset == 0 ? 0.5 : 0);
    if (n.weight.present())
      value(
          name + ".weight", [at](decoder_plan& p) -> vector_plan& { return at(p).weight; }, vector_plan{});
    if (n.bias.present())
      value(
          name + ".bias", [at](decoder_plan& p) -> vector_plan& { return at(p).bias; }, vector_plan{});
  }
  template <class At> void optional_norm(const std::string& name, const std::optional<norm_plan>& n, const At& at) {
    if (n) norm(name, *n, [at](decoder_plan& p) -> norm_plan& { return *at(p); });
  }
  /// In a narrow head some limits of a stretch are cut off: a change that leaves every frequency as it is is left out
  /// here.
  template <class At> void rope(const std::string& name, const rope_plan& r, const At& at) {
    using kind = rope_plan::scaling;
    const auto field = [&](const char* which, double rope_plan::*member, double factor = 1.3) {
      rope_plan other = r;
      other.*member *= factor;
      if (member != &rope_plan::attention_factor && member != &rope_plan::long_attention_factor &&
          rope_frequencies(other, 17) == rope_frequencies(r, 17) &&
          rope_frequencies(other, 90) == rope_frequencies(r, 90))
        return;
      covered.insert(which);
      number(
          name + which, [at, member](decoder_plan& p) -> double& { return at(p).*member; }, factor);
    };
    field(".theta", &rope_plan::theta);
    field(".attention_factor", &rope_plan::attention_factor);
    if (r.kind == kind::longrope) field(".long_attention_factor", &rope_plan::long_attention_factor);
    if (r.kind == kind::proportional) field(".share", &rope_plan::share, 0.5);
    if (r.dims > 2 && r.kind != kind::proportional)
      value(
          name + ".interleaved", [at](decoder_plan& p) -> bool& { return at(p).interleaved; }, !r.interleaved);
    if (r.dims > 2 && r.kind != kind::longrope)
      value(
          name + ".dims", [at](decoder_plan& p) -> std::int64_t& { return at(p).dims; }, r.dims - 2);
    if (r.kind != kind::none)
      value(
          name + ".kind", [at](decoder_plan& p) -> kind& { return at(p).kind; }, kind::none);
    if (r.kind != kind::none && r.kind != kind::longrope) field(".factor", &rope_plan::factor);
    if (r.kind == kind::llama3)
      field(".low_frequency_factor", &rope_plan::low_frequency_factor, 1.5),
          field(".high_frequency_factor", &rope_plan::high_frequency_factor);
    if (r.kind == kind::yarn) {
      field(".beta_fast", &rope_plan::beta_fast, 0.2), field(".beta_slow", &rope_plan::beta_slow, 3);
      rope_plan other = r;
      other.truncate = !r.truncate;
      if (rope_frequencies(other, 17) != rope_frequencies(r, 17))
        value(
            name + ".truncate", [at](decoder_plan& p) -> bool& { return at(p).truncate; }, !r.truncate),
            covered.insert(".truncate");
    }
    if (r.kind == kind::dynamic || r.kind == kind::llama3 || r.kind == kind::yarn || r.kind == kind::longrope)
      field(".original_positions", &rope_plan::original_positions, 0.5);
    if (r.kind == kind::longrope) {
      value(
          name + ".short_factor", [at](decoder_plan& p) -> std::vector<double>& { return at(p).short_factor; },
          std::vector<double>(r.short_factor.size(), 1.5));
      value(
          name + ".long_factor", [at](decoder_plan& p) -> std::vector<double>& { return at(p).long_factor; },
          std::vector<double>(r.long_factor.size(), 1.5));
    }
  }
  template <class At> void act(const std::string& name, activation a, const At& at) {
    value(name + ".act", at, a == activation::silu ? activation::gelu : activation::silu);
  }
};

struct mixer_flips {
  flip_list& list;
  std::string name;
  std::size_t layer, branch;

  template <class Plan> auto at() const {
    return [l = layer, b = branch](decoder_plan& p) -> Plan& { return std::get<Plan>(p.layers[l].branches[b].mixer); };
  }
  void operator()(const attention_plan& a) const {
    const auto at = this->at<attention_plan>();
    list.number(name + "scale", [at](decoder_plan& p) -> double& { return at(p).scale; });
    if (!a.rounded_alibi)
      list.value(
          name + "softcap", [at](decoder_plan& p) -> double& { return at(p).softcap; },
          a.softcap == 0 ? 3.0 : a.softcap * 1.1);
    if (a.window == 0)
      list.value(
          name + "chunk", [at](decoder_plan& p) -> std::int64_t& { return at(p).chunk; },
          a.chunk == 0 || a.chunk > 64 ? 9 : a.chunk + 5);
    if (a.growth) {
      list.number(
          name + "growth.beta", [at](decoder_plan& p) -> double& { return at(p).growth->beta; }, 1.5);
      if (a.growth->period <= 64) // else no text is long enough
        list.value(
            name + "growth.offset", [at](decoder_plan& p) -> std::int64_t& { return at(p).growth->offset; },
            1 - a.growth->offset),
            list.value(
                name + "growth.period", [at](decoder_plan& p) -> std::int64_t& { return at(p).growth->period; },
                a.growth->period - 3);
      else list.all.pop_back();
    }
    if (a.gate.present())
      list.value(
          name + "gate", [at](decoder_plan& p) -> linear_plan& { return at(p).gate; }, linear_plan{});
    list.optional_norm(name + "out_norm", a.out_norm,
                       [at](decoder_plan& p) -> std::optional<norm_plan>& { return at(p).out_norm; });
    list.optional_norm(name + "v_norm", a.v_norm,
                       [at](decoder_plan& p) -> std::optional<norm_plan>& { return at(p).v_norm; });
    list.value(
        name + "clip", [at](decoder_plan& p) -> double& { return at(p).clip; }, a.clip == 0 ? 0.1 : a.clip * 0.9);
    if (a.chunk == 0)
      list.value(
          name + "window", [at](decoder_plan& p) -> std::int64_t& { return at(p).window; },
          a.window == 0 ? 5 : a.window + 1);
    if (a.rounded_alibi)
      list.value(
          name + "rounded_alibi", [at](decoder_plan& p) -> bool& { return at(p).rounded_alibi; }, false);
    const bool commutes = a.q_norm && !a.q_norm->weight.present() && a.rope && a.rope->dims == a.head_dim;
    if (a.rope && (a.q_norm || a.k_norm) && !commutes)
      list.value(
          name + "norm_after_rotation", [at](decoder_plan& p) -> bool& { return at(p).norm_after_rotation; },
          !a.norm_after_rotation);
    if (a.alibi.empty())
      list.value(
          name + "alibi", [at](decoder_plan& p) -> std::vector<double>& { return at(p).alibi; }, alibi_slopes(a.heads));
    else
      list.all.push_back({name + "alibi", [at](decoder_plan& p) { at(p).alibi.clear(), at(p).rounded_alibi = false; }});
    if (a.rope) {
      list.rope(name + "rope", *a.rope, [at](decoder_plan& p) -> rope_plan& { return *at(p).rope; });
      list.all.push_back(
          {name + "rope", [at](decoder_plan& p) { at(p).rope.reset(), at(p).norm_after_rotation = false; }});
    } else if (a.head_dim >= 2) {
      list.value(
          name + "rope", [at](decoder_plan& p) -> std::optional<rope_plan>& { return at(p).rope; },
          std::optional(rope_plan{.dims = 2}));
    }
    list.optional_norm(name + "q_norm", a.q_norm,
                       [at](decoder_plan& p) -> std::optional<norm_plan>& { return at(p).q_norm; });
    list.optional_norm(name + "k_norm", a.k_norm,
                       [at](decoder_plan& p) -> std::optional<norm_plan>& { return at(p).k_norm; });
    if (a.sinks.present())
      list.value(
          name + "sinks", [at](decoder_plan& p) -> vector_plan& { return at(p).sinks; }, vector_plan{});
  }
  void operator()(const latent_attention_plan& a) const {
    const auto at = this->at<latent_attention_plan>();
    list.number(name + "scale", [at](decoder_plan& p) -> double& { return at(p).scale; });
    // The rotated dims are part of the matrices' shapes.
    list.number(
        name + "rope.theta", [at](decoder_plan& p) -> double& { return at(p).rope.theta; }, 1.3);
    list.number(name + "rope.attention_factor",
                [at](decoder_plan& p) -> double& { return at(p).rope.attention_factor; });
    list.value(
        name + "rope.interleaved", [at](decoder_plan& p) -> bool& { return at(p).rope.interleaved; },
        !a.rope.interleaved);
    list.optional_norm(name + "q_norm", a.q_norm,
                       [at](decoder_plan& p) -> std::optional<norm_plan>& { return at(p).q_norm; });
    list.norm(name + "kv_norm", a.kv_norm, [at](decoder_plan& p) -> norm_plan& { return at(p).kv_norm; });
  }
  void operator()(const laurel_plan& m) const {
    list.norm(name + "after", m.after, [at = at<laurel_plan>()](decoder_plan& p) -> norm_plan& { return at(p).after; });
  }
  void operator()(const mlp_plan& m) const {
    list.optional_norm(name + "out_norm", m.out_norm,
                       [at = at<mlp_plan>()](decoder_plan& p) -> std::optional<norm_plan>& { return at(p).out_norm; });
    if (m.gated && m.act != activation::clamped_swiglu)
      list.value(
          name + "cut", [at = at<mlp_plan>()](decoder_plan& p) -> std::optional<double>& { return at(p).cut; },
          m.cut ? std::optional(*m.cut + 0.1) : std::optional(-0.5));
    if (m.gated && m.act != activation::clamped_swiglu)
      list.number(
          name + "gate_scale", [at = at<mlp_plan>()](decoder_plan& p) -> double& { return at(p).gate_scale; }, 1.3);
    if (m.act == activation::xielu) {
      const auto at = this->at<mlp_plan>();
      list.all.push_back(
          {name + "act", [at](decoder_plan& p) { at(p).act = activation::silu, at(p).parameters = {}; }});
      list.all.push_back({name + "parameters", [at](decoder_plan& p) {
                            std::swap(at(p).parameters.tensors[0], at(p).parameters.tensors[1]);
                          }});
    } else if (m.act != activation::clamped_swiglu)
      list.act(name, m.act, [at = at<mlp_plan>()](decoder_plan& p) -> activation& { return at(p).act; });
  }
  void operator()(const mixture_plan& m) const {
    const auto at = this->at<mixture_plan>();
    const router_plan& r = m.router;
    const auto E = static_cast<std::int64_t>(m.experts.size());
    const auto norms = [&](const char* which, std::optional<norm_plan> mixture_plan::*member) {
      list.optional_norm(name + which, m.*member,
                         [at, member](decoder_plan& p) -> std::optional<norm_plan>& { return at(p).*member; });
    };
    norms("router_before", &mixture_plan::router_before), norms("experts_before", &mixture_plan::experts_before);
    norms("shared_before", &mixture_plan::shared_before), norms("experts_after", &mixture_plan::experts_after);
    norms("shared_after", &mixture_plan::shared_after);
    if (r.chosen > 1 || !r.normalized) // else the weight is 1
      list.value(
          name + "weighs_input", [at](decoder_plan& p) -> bool& { return at(p).weighs_input; }, !m.weighs_input);
    if (r.least_sum > 1e-3)
      list.number(
          name + "router.least_sum", [at](decoder_plan& p) -> double& { return at(p).router.least_sum; }, 1.3);
    if (r.expert_scale.present())
      list.value(
          name + "router.expert_scale", [at](decoder_plan& p) -> vector_plan& { return at(p).router.expert_scale; },
          vector_plan{});
    if (r.correction.present())
      list.value(
          name + "router.correction", [at](decoder_plan& p) -> vector_plan& { return at(p).router.correction; },
          vector_plan{});
    if (r.scores == router_plan::score::banded) {
      list.number(
          name + "router.band", [at](decoder_plan& p) -> double& { return at(p).router.band; }, 8);
      list.number(name + "router.scale", [at](decoder_plan& p) -> double& { return at(p).router.scale; });
      return list.value(
          name + "router.scores", [at](decoder_plan& p) -> router_plan::score& { return at(p).router.scores; },
          router_plan::score::softmax);
    }
    if (r.chosen > 1 || !r.normalized) // else its weight is 1
      list.value(
          name + "router.scores", [at](decoder_plan& p) -> router_plan::score& { return at(p).router.scores; },
          r.scores == router_plan::score::softmax ? router_plan::score::sigmoid : router_plan::score::softmax);
    list.value(
        name + "router.chosen", [at](decoder_plan& p) -> std::int64_t& { return at(p).router.chosen; },
        r.chosen > 1 ? r.chosen - 1 : r.chosen + 1);
    list.value(
        name + "router.normalized", [at](decoder_plan& p) -> bool& { return at(p).router.normalized; }, !r.normalized);
    list.number(name + "router.scale", [at](decoder_plan& p) -> double& { return at(p).router.scale; });
    if (r.groups > 1) {
      list.value(
          name + "router.chosen_groups", [at](decoder_plan& p) -> std::int64_t& { return at(p).router.chosen_groups; },
          r.groups);
      if (E / r.groups > 1)
        list.value(
            name + "router.rank", [at](decoder_plan& p) -> router_plan::group_rank& { return at(p).router.rank; },
            r.rank == router_plan::group_rank::best ? router_plan::group_rank::best_two
                                                    : router_plan::group_rank::best);
    }
    if (m.shared)
      list.all.push_back({name + "shared", [at](decoder_plan& p) {
                            at(p).shared.reset(), at(p).shared_before.reset(), at(p).shared_after.reset();
                            at(p).shared_gate = {};
                          }});
    if (m.shared_gate.present())
      list.value(
          name + "shared_gate", [at](decoder_plan& p) -> linear_plan& { return at(p).shared_gate; }, linear_plan{});
    list.value(
        name + "experts.act", [at](decoder_plan& p) -> std::vector<mlp_plan>& { return at(p).experts; },
        [&] {
          std::vector<mlp_plan> other = m.experts;
          for (mlp_plan& e : other) e.act = e.act == activation::silu ? activation::gelu : activation::silu;
          return other;
        }());
  }
  void operator()(const delta_plan& d) const {
    const auto at = this->at<delta_plan>();
    list.act(name, d.act, [at](decoder_plan& p) -> activation& { return at(p).act; });
    list.number(
        name + "beta_scale", [at](decoder_plan& p) -> double& { return at(p).beta_scale; }, 0.5);
    list.norm(name + "norm", d.norm, [at](decoder_plan& p) -> norm_plan& { return at(p).norm; });
    list.all.push_back({name + "dt_bias and a_log", [at](decoder_plan& p) { std::swap(at(p).dt_bias, at(p).a_log); }});
  }
  void operator()(const short_convolution_plan& s) const {
    const auto at = this->at<short_convolution_plan>();
    if (s.convolution.bias.present())
      list.value(
          name + "convolution.bias", [at](decoder_plan& p) -> vector_plan& { return at(p).convolution.bias; },
          vector_plan{});
    list.all.push_back({name + "B and C", [at](decoder_plan& p) { std::swap(at(p).in.parts[0], at(p).in.parts[2]); }});
  }
  void operator()(const layer_input_plan& own) const {
    const auto at = this->at<layer_input_plan>();
    list.act(name, own.act, [at](decoder_plan& p) -> activation& { return at(p).act; });
    list.value(
        name + "first", [at](decoder_plan& p) -> std::int64_t& { return at(p).first; },
        own.first == 0 ? own.gate.rows() : 0);
  }
  void operator()(const mamba_plan& m) const {
    const auto at = this->at<mamba_plan>();
    list.optional_norm(name + "step_norm", m.step_norm,
                       [at](decoder_plan& p) -> std::optional<norm_plan>& { return at(p).step_norm; });
    list.optional_norm(name + "b_norm", m.b_norm,
                       [at](decoder_plan& p) -> std::optional<norm_plan>& { return at(p).b_norm; });
    list.optional_norm(name + "c_norm", m.c_norm,
                       [at](decoder_plan& p) -> std::optional<norm_plan>& { return at(p).c_norm; });
    list.act(name, m.act, [at](decoder_plan& p) -> activation& { return at(p).act; });
    if (m.convolution.bias.present())
      list.value(
          name + "convolution.bias", [at](decoder_plan& p) -> vector_plan& { return at(p).convolution.bias; },
          vector_plan{});
  }
  void operator()(const mamba2_plan& m) const {
    const auto at = this->at<mamba2_plan>();
    list.act(name, m.act, [at](decoder_plan& p) -> activation& { return at(p).act; });
    list.value(
        name + "least_step", [at](decoder_plan& p) -> double& { return at(p).least_step; }, m.least_step + 0.3);
    list.value(
        name + "most_step", [at](decoder_plan& p) -> double& { return at(p).most_step; },
        std::isinf(m.most_step) ? m.least_step + 0.01 : m.most_step * 0.7);
    for (const auto& [which, member] :
         {std::pair{"x_scale", &mamba2_plan::x_scale}, std::pair{"b_scale", &mamba2_plan::b_scale},
          std::pair{"c_scale", &mamba2_plan::c_scale}, std::pair{"dt_scale", &mamba2_plan::dt_scale},
          std::pair{"z_scale", &mamba2_plan::z_scale}})
      list.number(
          name + which, [at, member = member](decoder_plan& p) -> double& { return at(p).*member; }, 1.3);
    if (m.norm)
      list.value(
          name + "norm_first", [at](decoder_plan& p) -> bool& { return at(p).norm_first; }, !m.norm_first);
    list.optional_norm(name + "norm", m.norm,
                       [at](decoder_plan& p) -> std::optional<norm_plan>& { return at(p).norm; });
  }
  void operator()(const rwkv_time_plan&) const {
    list.all.push_back({name + "decay and first",
                        [at = at<rwkv_time_plan>()](decoder_plan& p) { std::swap(at(p).decay, at(p).first); }});
  }
  void operator()(const rwkv_channel_plan&) const {
    list.all.push_back({name + "mixes", [at = at<rwkv_channel_plan>()](decoder_plan& p) {
                          std::swap(at(p).mix_key, at(p).mix_receptance);
                        }});
  }
  void operator()(const rg_lru_plan& r) const {
    const auto at = this->at<rg_lru_plan>();
    list.act(name, r.act, [at](decoder_plan& p) -> activation& { return at(p).act; });
    list.all.push_back({name + "gates", [at](decoder_plan& p) { std::swap(at(p).input_gate, at(p).recurrent_gate); }});
  }
};

flip_list flips_of(const decoder_plan& plan) {
  flip_list list;
  list.number("embedding.scale", [](decoder_plan& p) -> double& { return p.embedding.scale; });
  list.number("head.scale", [](decoder_plan& p) -> double& { return p.head.scale; });
  list.value(
      "head.softcap", [](decoder_plan& p) -> double& { return p.head.softcap; },
      plan.head.softcap == 0 ? 9.0 : plan.head.softcap * 1.1);
  const auto head_bias = [](decoder_plan& p) -> std::string& {
    return (p.tied() ? p.embedding.table : p.head.table).parts[0].bias;
  };
  if (!plan.output_table().parts[0].bias.empty()) list.value("head.bias", head_bias, std::string());
  if (plan.embedding.sinusoids)
    list.value(
        "embedding.sinusoids", [](decoder_plan& p) -> bool& { return p.embedding.sinusoids; }, false);
  if (plan.embedding.position_offset)
    list.value(
        "embedding.position_offset", [](decoder_plan& p) -> std::int64_t& { return p.embedding.position_offset; },
        plan.embedding.position_offset - 1);
  if (plan.embedding.inputs) {
    list.number("embedding.inputs.scale", [](decoder_plan& p) -> double& { return p.embedding.inputs->scale; });
    list.norm("embedding.inputs.norm", plan.embedding.inputs->norm,
              [](decoder_plan& p) -> norm_plan& { return p.embedding.inputs->norm; });
  }
  list.optional_norm("embedding.norm", plan.embedding.norm,
                     [](decoder_plan& p) -> std::optional<norm_plan>& { return p.embedding.norm; });
  list.optional_norm("head.norm", plan.head.norm,
                     [](decoder_plan& p) -> std::optional<norm_plan>& { return p.head.norm; });
  for (std::size_t l = 0; l < plan.layers.size(); ++l) {
    const layer_plan& layer = plan.layers[l];
    const std::string in_layer = "layer " + std::to_string(l) + ".";
    // Before layer norms a scale of the whole state shows only through epsilon; it does change what later layers add
    // to.
    const bool last = l + 1 == plan.layers.size();
    if (!last || !plan.head.norm || plan.head.norm->epsilon > 1e-7)
      list.number(
          in_layer + "scale", [l](decoder_plan& p) -> double& { return p.layers[l].scale; }, 1.5);
    if (layer.scalar.present() && !last) // the final norm takes out that of the last layer
      list.value(
          in_layer + "scalar", [l](decoder_plan& p) -> vector_plan& { return p.layers[l].scalar; }, vector_plan{});
    if (layer.joined == join::side_by_side)
      list.number(
          in_layer + "together_scale", [l](decoder_plan& p) -> double& { return p.layers[l].together_scale; }, 1.3);
    if (layer.streams) {
      const auto at = [l](decoder_plan& p) -> stream_layer_plan& { return *p.layers[l].streams; };
      list.norm(in_layer + "streams.norm", layer.streams->norm,
                [at](decoder_plan& p) -> norm_plan& { return at(p).norm; });
      list.value(
          in_layer + "streams.active", [at](decoder_plan& p) -> std::int64_t& { return at(p).active; },
          layer.streams->active == 0 ? 1 : 0);
      if (layer.streams->input_scale.present())
        list.value(
            in_layer + "streams.input_scale", [at](decoder_plan& p) -> vector_plan& { return at(p).input_scale; },
            vector_plan{});
      list.optional_norm(in_layer + "streams.input.after", layer.streams->input.after,
                         [at](decoder_plan& p) -> std::optional<norm_plan>& { return at(p).input.after; });
      const auto own = [at](decoder_plan& p) -> layer_input_plan& {
        return std::get<layer_input_plan>(at(p).input.mixer);
      };
      decoder_plan same = plan;
      list.act(in_layer + "streams.input", own(same).act, [own](decoder_plan& p) -> activation& { return own(p).act; });
      list.value(
          in_layer + "streams.input.first", [own](decoder_plan& p) -> std::int64_t& { return own(p).first; },
          own(same).first == 0 ? own(same).gate.rows() : 0);
    }
    if (layer.together)
      list.value(
          in_layer + "together", [l](decoder_plan& p) -> std::size_t& { return p.layers[l].together; }, std::size_t{0});
    if (layer.branches.size() > 1 && layer.joined == join::in_turn)
      list.value(
          in_layer + "joined", [l](decoder_plan& p) -> join& { return p.layers[l].joined; }, join::side_by_side);
    if (layer.joined == join::side_by_side)
      list.all.push_back({in_layer + "joined", [l](decoder_plan& p) {
                            p.layers[l].joined = join::in_turn, p.layers[l].together = 0,
                            p.layers[l].together_scale = 1;
                          }});
    if (layer.joined == join::norm_is_residual)
      list.value(
          in_layer + "joined", [l](decoder_plan& p) -> join& { return p.layers[l].joined; }, join::in_turn);
    for (std::size_t b = 0; b < layer.branches.size(); ++b) {
      const std::string name = in_layer + "branch " + std::to_string(b) + ".";
      if (layer.joined == join::in_turn || layer.joined == join::side_by_side)
        list.number(name + "scale", [l, b](decoder_plan& p) -> double& { return p.layers[l].branches[b].scale; });
      list.optional_norm(
          name + "before", layer.branches[b].before,
          [l, b](decoder_plan& p) -> std::optional<norm_plan>& { return p.layers[l].branches[b].before; });
      // Where q, k and v are normed, their common factor is lost but for the epsilons of those norms.
      if (const auto* a = std::get_if<attention_plan>(&layer.branches[b].mixer);
          a && a->q_norm && (a->reuses || (a->k_norm && a->v_norm)))
        std::erase_if(list.all, [&](const flip& f) { return f.name == name + "before.epsilon"; });
      list.optional_norm(name + "after", layer.branches[b].after, [l, b](decoder_plan& p) -> std::optional<norm_plan>& {
        return p.layers[l].branches[b].after;
      });
      std::visit(mixer_flips{list, name, l, b}, layer.branches[b].mixer);
    }
  }
  return list;
}

class plan_flips : public testing::TestWithParam<std::string> {};

} // namespace

TEST_P(plan_flips, are_noticed) {
  const auto folder = golden::folder("models") / GetParam();
  const model_weights weights(folder);
  const decoder_plan plan = settle_plan(plan_of(config::load(folder)), weights.base_tensors(dtype::f64), GetParam());
  const nlohmann::json expected = golden::read(folder / "expected.json");
  const cpu_executor exec{2};
  ragged_batch batch;
  for (const auto& s : expected["sequences"])
    if (s["ids"].size() == 17 || s["ids"].size() >= 64) batch.add(s["ids"].get<std::vector<std::int32_t>>());
  const auto run = [&](const decoder_plan& p) {
    score_workspace<cpu_executor, double> work;
    return token_log_probabilities(
        exec, load_decoder<double>(exec, p, weights.tensors(dtype::f64, p.tied()), folder.string()), batch, work);
  };
  const std::vector<double> right = run(plan);
  const flip_list list = flips_of(plan);
  ASSERT_GT(list.all.size(), 8u);
  for (const flip& f : list.all) {
    decoder_plan other = plan;
    f.apply(other);
    const std::vector<double> got = run(other);
    double most = 0;
    for (std::size_t i = 0; i < got.size(); ++i)
      most = std::max(most, std::isnan(got[i]) ? 1 : std::abs(got[i] - right[i]));
    EXPECT_GT(most, 1e-8) << f.name;
  }
}
TEST(plan_flip, every_field_of_a_stretch_counts_in_some_case) {
  std::set<std::string> covered;
  for (const std::string& name : golden::cases("models"))
    covered.merge(flips_of(plan_of(config::load(golden::folder("models") / name))).covered);
  EXPECT_EQ(covered, (std::set<std::string>{".attention_factor", ".beta_fast", ".beta_slow", ".factor",
                                            ".high_frequency_factor", ".long_attention_factor", ".low_frequency_factor",
                                            ".original_positions", ".share", ".theta", ".truncate"}));
}
INSTANTIATE_TEST_SUITE_P(all, plan_flips, testing::ValuesIn(golden::cases("models")),
                         [](const auto& i) { return i.param; });
