// rwkv (RWKV-4): time mixing and channel mixing instead of attention and MLP. rescale_every divides what later layers
// add, and halves the hidden state with it, as transformers does at inference: neutral but for the epsilon of the
// norms. Source: transformers 4.57 modeling_rwkv.py; Peng et al. 2023.
#pragma once
#include "llmap/architectures/fields.hpp"

namespace llmap {

inline decoder_plan rwkv_plan(const config& c) {
  const std::int64_t C = c.integer("hidden_size", 4096);
  decoder_plan plan = fields::skeleton("rwkv", "rwkv.", c.integer("vocab_size", 50277), C, "rwkv.embeddings.weight",
                                       "head.weight", c.boolean("tie_word_embeddings", false));
  plan.context_length = c.integer("context_length|max_position_embeddings", 1024, 1, std::int64_t{1} << 32);
  const std::int64_t A = c.absent("attention_hidden_size") ? C : c.integer("attention_hidden_size", C);
  const std::int64_t I = c.absent("intermediate_size") ? 4 * C : c.integer("intermediate_size", 4 * C);
  const std::int64_t every = c.integer("rescale_every", 6, 0, 4096);
  const double epsilon = c.positive("layer_norm_epsilon", 1e-5);
  plan.embedding.norm = fields::layer_norm("rwkv.blocks.0.pre_ln", C, epsilon);
  const auto mix = [&](const std::string& name) { return fields::vector(name, {1, 1, C}); };
  for (std::int64_t i = 0, n = fields::layers_of(c, "num_hidden_layers", 32); i < n; ++i) {
    const std::string name = "rwkv.blocks." + std::to_string(i) + ".", at = name + "attention.",
                      ff = name + "feed_forward.";
    rwkv_time_plan time;
    time.channels = A;
    time.mix_key = mix(at + "time_mix_key"), time.mix_value = mix(at + "time_mix_value"),
    time.mix_receptance = mix(at + "time_mix_receptance");
    time.decay = fields::vector(at + "time_decay", {A});
    time.first = fields::vector(at + "time_first", {A});
    time.key = fields::linear(at + "key", A, C, false);
    time.value = fields::linear(at + "value", A, C, false);
    time.receptance = fields::linear(at + "receptance", A, C, false);
    time.out = fields::linear(at + "output", C, A, false);
    rwkv_channel_plan channel;
    channel.mix_key = mix(ff + "time_mix_key"), channel.mix_receptance = mix(ff + "time_mix_receptance");
    channel.key = fields::linear(ff + "key", I, C, false);
    channel.receptance = fields::linear(ff + "receptance", C, C, false);
    channel.value = fields::linear(ff + "value", C, I, false);
    layer_plan layer = fields::pre_norm_layer(fields::layer_norm(name + "ln1", C, epsilon), std::move(time),
                                              fields::layer_norm(name + "ln2", C, epsilon), std::move(channel));
    if (every) {
      for (branch_plan& b : layer.branches) b.scale = std::exp2(-static_cast<double>(i / every));
      if ((i + 1) % every == 0) layer.scale = 0.5;
    }
    plan.layers.push_back(std::move(layer));
  }
  plan.head.norm = fields::layer_norm("rwkv.ln_out", C, 1e-5);
  return plan;
}

} // namespace llmap
