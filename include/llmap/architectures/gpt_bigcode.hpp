// gpt_bigcode (SantaCoder, StarCoder): a gpt2 with matrices stored [out, in] and one key/value head.
// Source: transformers 4.57 modeling_gpt_bigcode.py.
#pragma once
#include "llmap/architectures/gpt2.hpp"

namespace llmap {

inline decoder_plan gpt_bigcode_plan(const config& c) {
  const bool one_kv = c.boolean("multi_query", true);
  return gpt2_like_plan(c, "gpt_bigcode", "gelu_pytorch_tanh", false, [&](attention_plan& a, const std::string& name) {
    const std::int64_t C = a.qkv.cols;
    if (one_kv) a.kv_heads = 1, a.qkv = fields::linear(name + "attn.c_attn", C + 2 * a.head_dim, C, true);
    else a.qkv = fields::qkv_by_head(name + "attn.c_attn", a, C, true);
  });
}

} // namespace llmap
