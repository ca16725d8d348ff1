// codegen (CodeGen): a gptj whose q, v and k lie in one matrix of four blocks, a quarter of the heads each.
// Source: transformers 4.57 modeling_codegen.py.
#pragma once
#include "llmap/architectures/gptj.hpp"

namespace llmap {

inline decoder_plan codegen_plan(const config& c) {
  return gptj_like_plan(c, "codegen", [&](const std::string& name, attention_plan& a, std::int64_t C) {
    if (a.heads % 4 != 0) fail(c.where(), ": n_head: expected a multiple of 4, got ", a.heads);
    a.qkv.cols = C;
    for (const std::int64_t first : {std::int64_t{0}, C / 2, C / 4}) // a block is [q | v | k]
      a.qkv.parts.push_back({name + "qkv_proj.weight", "", C, 3 * C, first, C / 4, 3 * C / 4});
  });
}

} // namespace llmap
