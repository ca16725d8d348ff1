// Post-processors of tokenizer.json: the ids put before and after a text when special tokens are asked for.
#pragma once
#include "llmap/text/component.hpp"
#include <cstdint>
#include <vector>

namespace llmap {

/// Ids before and after a text.
struct special_ids {
  std::vector<std::int32_t> prefix, suffix; ///< in their order
};

namespace detail {

inline void read_template(const component& c, special_ids& out) {
  const component single = c.at("single");
  bool before = true;
  for (std::size_t i = 0; i < single.size(); ++i) {
    const component part = single.at(i);
    if (!part.absent("Sequence")) {
      if (!before) part.refuse("one Sequence");
      before = false;
      continue;
    }
    const std::string name = part.at("SpecialToken").at("id").text();
    const component ids = c.at("special_tokens").at(name).at("ids");
    std::vector<std::int32_t>& to = before ? out.prefix : out.suffix;
    for (std::size_t k = 0; k < ids.size(); ++k) to.push_back(ids.at(k).id());
  }
  if (before) single.refuse("a template with a Sequence");
}

} // namespace detail

/// The ids that a post_processor component puts around a single text.
inline special_ids read_post_processor(const component& c, int depth = 0) {
  special_ids out;
  if (depth > 16) fail(c.where(), ": expected Sequence nested at most 16 deep, got more");
  const std::string& type = c.type();
  if (type == "TemplateProcessing") {
    detail::read_template(c, out);
  } else if (type == "RobertaProcessing" || type == "BertProcessing") {
    out.prefix.push_back(c.at("cls").at(1).id());
    out.suffix.push_back(c.at("sep").at(1).id());
  } else if (type == "Sequence") {
    const component list = c.at("processors");
    for (std::size_t i = 0; i < list.size(); ++i) { // each wraps the result of the one before
      const special_ids inner = read_post_processor(list.at(i), depth + 1);
      out.prefix.insert(out.prefix.begin(), inner.prefix.begin(), inner.prefix.end());
      out.suffix.insert(out.suffix.end(), inner.suffix.begin(), inner.suffix.end());
    }
  } else if (type != "ByteLevel") {
    c.unknown("TemplateProcessing, RobertaProcessing, BertProcessing, ByteLevel, Sequence");
  }
  return out;
}

} // namespace llmap
