// The tensors of a model whose weights are not there: what a config alone says of them, for counting.
#pragma once
#include "llmap/architectures/settle_plan.hpp"
#include "llmap/architectures/visit_tensors.hpp"
#include "llmap/weights/config.hpp"
#include "llmap/weights/tensor_source.hpp"
#include <map>
#include <string>
#include <vector>

namespace llmap {

/// A tensor source with names and shapes; nothing can be read from it.
class planned_tensors {
  std::map<std::string, tensor_info> infos_;

public:
  /// Every tensor of the plan, each of this type.
  planned_tensors(const decoder_plan& plan, dtype type) {
    for (const tensor_spec& t : tensor_table(plan)) infos_[t.name] = {type, t.shape};
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [name, info] : infos_) all.push_back(name);
    return all;
  }
  std::optional<tensor_info> find(const std::string& name) const {
    const auto at = infos_.find(name);
    return at == infos_.end() ? std::nullopt : std::optional(at->second);
  }
  tensor_data read(const std::string& name) const { fail("tensor ", name, ": there are no weights"); }
};

/// What files would settle, decided by the config: a head of its own unless the config ties it.
inline decoder_plan settle_plan_without_weights(decoder_plan plan, const config& c) {
  const auto text = c.object("text_config");
  const bool tied = text && text->has("tie_word_embeddings") ? text->boolean("tie_word_embeddings", false)
                                                             : c.boolean("tie_word_embeddings", false);
  if (plan.head.tied_where_absent && tied) plan.head.table = {};
  const planned_tensors all(plan, dtype::bf16);
  return settle_plan(std::move(plan), all, c.where());
}

} // namespace llmap
