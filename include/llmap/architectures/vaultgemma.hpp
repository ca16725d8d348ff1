// vaultgemma (VaultGemma 1B): a gemma2 without the norms after its branches. Source: transformers 4.57
// modeling_vaultgemma.py.
#pragma once
#include "llmap/architectures/gemma2.hpp"

namespace llmap {

inline decoder_plan vaultgemma_plan(const config& c) {
  return gemma2_like_plan(c, "vaultgemma", [](const llama_options& o, const std::string& name, layer_plan& layer) {
    layer.branches[1].before = fields::rms_norm(name + "pre_feedforward_layernorm", o.width, o.epsilon, 1);
  });
}

} // namespace llmap
