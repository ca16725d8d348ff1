// A text from the fields of a record, as text sets name them: id, text, domain and document of our own, index,
// pile_set_name and pile_idx of modelmap, content of code sets, and the samples of lm-eval, whose texts are requests.
#pragma once
#include "llmap/core/error.hpp"
#include "llmap/core/json.hpp"
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace llmap {

/// A text of a set. The id is distinct in its set.
struct text_item {
  std::string id, text;             ///< UTF-8
  std::string domain{}, document{}; // empty: absent
};

/// Where a record holds its text and its id.
struct text_fields {
  std::string text, id; // names of fields; empty: the first of the known names that is there
};

namespace detail {

/// The names of which a record may have one; the first that is there and not null.
inline const json* first_field(const json& record, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const json* value = record.find(name); value && !value->is_null()) return value;
  return nullptr;
}

/// A label: a string, or an integer as its digits.
inline std::string label(const json& value, const std::string& where) {
  if (value.string()) return *value.string();
  if (const auto whole = value.integer()) return std::to_string(*whole);
  fail(where, ": expected a string or an integer, got ", value.kind());
}

inline std::string text_of(const json& value, const std::string& where) {
  if (!value.string()) fail(where, ": expected a string, got ", value.kind());
  return *value.string();
}

/// The strings of a request of lm-eval: a list, or an object with arg_0, arg_1, ...; other arguments are settings.
inline std::string request_text(const json& request) {
  std::string text;
  if (request.items())
    for (const json& part : *request.items()) text += part.string() ? *part.string() : "";
  else if (request.members())
    for (const auto& [name, part] : *request.members()) text += part.string() ? *part.string() : "";
  return text;
}

/// The requests of one sample of lm-eval: context and continuation together, called DOC_ID#REQUEST.
inline std::vector<text_item> lm_eval_texts(const json& record, const std::string& where) {
  const std::string doc = label(*record.find("doc_id"), where + ": doc_id");
  const json& arguments = *record.find("arguments");
  std::vector<text_item> texts;
  const auto add = [&](const json& request) {
    texts.push_back({doc + "#" + std::to_string(texts.size()), request_text(request), "", doc});
  };
  if (arguments.items())
    for (const json& request : *arguments.items()) add(request);
  else if (arguments.members())
    for (const auto& [name, request] : *arguments.members()) add(request);
  if (texts.empty()) fail(where, ": arguments: expected requests, got ", arguments.kind());
  return texts;
}

/// Whether a record is a sample that lm-eval logged.
inline bool is_sample(const json& record, const text_fields& fields) {
  return fields.text.empty() && !record.find("text") && record.find("doc_id") && record.find("arguments");
}

} // namespace detail

/// The texts of one record: one, or of a sample of lm-eval one for each request. `number`, from 0, is the id of a
/// record without any.
inline std::vector<text_item> texts_of_record(const json& record, const text_fields& fields, std::size_t number,
                                              const std::string& where) {
  if (record.string()) return {{std::to_string(number), *record.string()}};
  if (!record.members()) fail(where, ": expected an object with id and text, or a string, got ", record.kind());
  if (detail::is_sample(record, fields)) return detail::lm_eval_texts(record, where);
  const auto named = [&](const std::string& name) -> const json& {
    if (const json* value = record.find(name)) return *value;
    std::string there;
    for (const auto& [field, value] : *record.members()) there += (there.empty() ? "" : ", ") + field;
    fail(where, ": ", name, ": expected a field of this name, got ", there);
  };
  text_item item;
  const bool content = fields.text.empty() && !record.find("text") && record.find("content");
  const std::string text = !fields.text.empty() ? fields.text : content ? "content" : "text";
  item.text = detail::text_of(named(text), where + ": " + text);
  if (!fields.id.empty()) item.id = detail::label(named(fields.id), where + ": " + fields.id);
  else if (const json* id = detail::first_field(record, {"id", "index", "doc_id"}))
    item.id = detail::label(*id, where + ": id");
  else item.id = std::to_string(number);
  if (item.id.empty()) fail(where, ": id: expected at least one character, got an empty string");
  if (const json* domain = detail::first_field(record, {"domain", "pile_set_name"}))
    item.domain = detail::label(*domain, where + ": domain");
  if (const json* document = detail::first_field(record, {"document", "pile_idx"}))
    item.document = detail::label(*document, where + ": document");
  return {item};
}

} // namespace llmap
