// The tensors a model needs, as a table, and a check that reports everything wrong with a source at once.
#pragma once
#include "llmap/weights/tensor_source.hpp"
#include <algorithm>
#include <string>
#include <vector>

namespace llmap {

/// A tensor that a plan needs: its name, with the base prefix, and the shape that it must have.
struct tensor_spec {
  std::string name;                ///< as in the files
  std::vector<std::int64_t> shape; ///< the contiguous dimension last

  /// Of the whole tensor.
  std::int64_t elements() const {
    std::int64_t n = 1;
    for (const std::int64_t d : shape) n *= d;
    return n;
  }
  bool operator==(const tensor_spec&) const = default;
};

/// Names in checkpoints may lack the base prefix ("transformer."): they do iff no name starts with it.
template <tensor_source Source> bool has_prefix(const Source& source, std::string_view prefix) {
  const std::vector<std::string> names = source.names();
  return prefix.empty() ||
         std::any_of(names.begin(), names.end(), [&](const std::string& n) { return n.starts_with(prefix); });
}

/// Maps the names of a plan to those of a source: without the prefix if the source lacks it. In the files of a
/// larger model another stands for it: the first of `nested` that a name of the source starts with. Where that ends
/// with the plan's own prefix ("language_model.model."), names without it, as those of the head, get what comes before.
class tensor_naming {
  std::string prefix_, nested_;
  bool prefixed_ = true;

public:
  tensor_naming() = default;
  /// `prefix` and `nested` are those of the plan.
  template <tensor_source Source>
  tensor_naming(const Source& source, std::string prefix, std::span<const std::string> nested = {})
      : prefix_(std::move(prefix)), prefixed_(has_prefix(source, prefix_)) {
    for (const std::string& other : nested)
      if (nested_.empty() && has_prefix(source, other)) nested_ = other;
  }

  /// Whether the files are those of a larger model.
  bool nested() const { return !nested_.empty(); }

  /// The source's name of a tensor of the plan.
  std::string operator()(const std::string& name) const {
    if (!nested_.empty()) {
      if (name.starts_with(prefix_)) return nested_ + name.substr(prefix_.size());
      return nested_.ends_with("." + prefix_) ? nested_.substr(0, nested_.size() - prefix_.size()) + name : name;
    }
    return !prefixed_ && name.starts_with(prefix_) ? name.substr(prefix_.size()) : name;
  }
};

/// The first three of a list of names, as a message shows them.
inline std::string first_names(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(3, names.size()); ++i) text.append(i ? ", " : "").append(names[i]);
  return names.size() > 3 ? text + ", ..." : text;
}

/// Whether a stored tensor has the shape that a plan expects. A scalar is a vector of one element.
inline bool has_shape(const tensor_info& found, const tensor_spec& wanted) {
  return found.shape == wanted.shape || (found.shape.empty() && wanted.shape == std::vector<std::int64_t>{1});
}

/// One line per problem: missing, misshapen or wrongly typed tensors. Empty if the source can be loaded.
template <tensor_source Source>
std::vector<std::string> tensor_problems(const Source& source, std::span<const tensor_spec> table) {
  std::vector<std::string> problems;
  for (const tensor_spec& wanted : table) {
    const auto found = source.find(wanted.name);
    if (!found) problems.push_back(wanted.name + ": missing, expected " + shape_text(wanted.shape));
    else if (!has_shape(*found, wanted))
      problems.push_back(wanted.name + ": expected shape " + shape_text(wanted.shape) + ", got " +
                         shape_text(found->shape));
    else if (!is_weight_dtype(found->type))
      problems.push_back(wanted.name + ": expected F64, F32, BF16 or F16, got " + std::string(name_of(found->type)));
  }
  return problems;
}

/// Throws one error that lists the first twelve problems, or returns if there are none. Where no tensor is there under
/// its name, the names that are there say more.
template <tensor_source Source>
void check_tensors(const Source& source, std::span<const tensor_spec> table, const std::string& where) {
  const std::vector<std::string> problems = tensor_problems(source, table);
  if (problems.empty()) return;
  if (std::none_of(table.begin(), table.end(), [&](const tensor_spec& t) { return source.find(t.name).has_value(); })) {
    const std::vector<std::string> names = source.names();
    fail(where, ": none of ", table.size(), " tensors is there under its name: ", problems.front(), "; there are ",
         names.empty() ? "none" : first_names(names));
  }
  constexpr std::size_t most = 12;
  std::string line =
      std::to_string(problems.size()) + (problems.size() == 1 ? " tensor" : " tensors") + " cannot be used: ";
  for (std::size_t i = 0; i < std::min(most, problems.size()); ++i) line += (i ? "; " : "") + problems[i];
  if (problems.size() > most) line += "; and " + std::to_string(problems.size() - most) + " more";
  fail(where, ": ", line);
}

} // namespace llmap
