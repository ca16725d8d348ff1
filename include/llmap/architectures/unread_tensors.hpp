// Tensors that lie in the files and that a plan does not read. In a model that its config describes there are none but
// those named here; any other may mean that the files hold more than the config says.
#pragma once
#include "llmap/architectures/visit_tensors.hpp"
#include "llmap/weights/tensor_source.hpp"
#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace llmap {

namespace detail {

/// What transformers' own classes skip as well: tables that follow from the config, masks of older versions, a copy of
/// the embedding beside a tied head, layers that predict further tokens, and the choice of keys where all are chosen.
inline bool is_known_unread(const decoder_plan& plan, std::string_view name) {
  for (const std::string_view ending : {"rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias", ".attention.bias",
                                        ".attention.masked_bias", "position_ids"})
    if (name.ends_with(ending)) return true;
  if (name.find(".self_attn.indexer.") != std::string_view::npos || name.starts_with("model.mtp_")) return true;
  if (name.starts_with("mtp.") || (plan.tied() && name == "lm_head.weight")) return true;
  const std::string_view layers = "model.layers.";
  if (!name.starts_with(layers)) return false;
  const std::string_view number = name.substr(layers.size(), name.find('.', layers.size()) - layers.size());
  const std::string count = std::to_string(plan.layers.size());
  return number.size() != count.size() ? number.size() > count.size() : number >= count;
}

} // namespace detail

/// Their names, sorted. The other parts of a larger model are not looked at.
template <tensor_source Source>
std::vector<std::string> unread_tensors(const decoder_plan& plan, const Source& source) {
  const tensor_naming names(source, plan.prefix, plan.nested);
  const auto is_elsewhere = [&](const std::string& name) {
    return names.nested() && !name.starts_with(names(plan.prefix));
  };
  std::unordered_set<std::string> read;
  for (const tensor_spec& t : tensor_table(plan)) read.insert(names(t.name));
  std::vector<std::string> unread;
  for (const std::string& name : source.names())
    if (!read.contains(name) && !is_elsewhere(name) && !detail::is_known_unread(plan, name)) unread.push_back(name);
  std::sort(unread.begin(), unread.end());
  return unread;
}

} // namespace llmap
