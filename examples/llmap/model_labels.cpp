#include "model_labels.hpp"
#include "llmap/core/utf8.hpp"
#include "llmap/text/delimited.hpp"
#include "llmap/text/text_source.hpp"
#include "spelling.hpp"
#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <set>

namespace {

struct column {
  std::string name;
  std::vector<std::string> cells;  // (rows), without blanks around
  std::vector<std::size_t>& lines; // (rows)
};

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n"), end = text.find_last_not_of(" \t\r\n");
  return begin == text.npos ? "" : text.substr(begin, end - begin + 1);
}

std::optional<double> number_in(const std::string& cell) {
  double v = 0;
  const auto [end, problem] = std::from_chars(cell.data(), cell.data() + cell.size(), v);
  if (problem != std::errc() || end != cell.data() + cell.size()) return std::nullopt;
  return v;
}

/// Adds what a column says to the groups or the values, and how it was understood to the summary.
void understand(const column& c, const std::string& path, model_labels& out) {
  std::vector<double> numbers;
  std::size_t filled = 0, known = 0, other = c.cells.size();
  for (std::size_t k = 0; k < c.cells.size(); ++k) {
    const auto number = number_in(c.cells[k]);
    numbers.push_back(number.value_or(NAN));
    filled += !c.cells[k].empty(), known += number.has_value();
    if (!number && !c.cells[k].empty() && other == c.cells.size()) other = k;
  }
  if (filled == 0) llmap::fail(path, ": column ", c.name, ": expected a label or a number in some line, got none");
  out.summary += "; " + c.name;
  if (known < filled) {
    out.groups.push_back({c.name, c.cells});
    out.summary += ": groups";
    if (known > 0)
      out.summary += ", because \"" + c.cells[other] + "\" in line " + std::to_string(c.lines[other]) + " is no number";
    return;
  }
  for (std::size_t k = 0; k < numbers.size(); ++k)
    if (!c.cells[k].empty() && !std::isfinite(numbers[k]))
      llmap::fail(path, ":", c.lines[k], ": column ", c.name, ": expected a finite number, or nothing, got ",
                  c.cells[k]);
  out.values.push_back({c.name, std::move(numbers)});
  out.summary += ": values";
}

/// No two models of the map may have one name afterwards.
void check_names(const model_labels& labels, const std::vector<std::size_t>& lines, const std::string& path,
                 const std::vector<std::string>& models) {
  std::map<std::string, std::string> owner; // of a name
  for (const std::string& model : models) {
    const auto row = labels.row.find(model);
    const bool renamed = row != labels.row.end() && !labels.names[row->second].empty();
    const std::string& name = renamed ? labels.names[row->second] : model;
    const auto [first, is_new] = owner.emplace(name, model);
    if (is_new) continue;
    const auto other = labels.row.find(first->second);
    const std::size_t line = renamed ? lines[row->second] : lines[other->second];
    llmap::fail(path, ":", line, ": expected a label of its own for each model, got ", name, " for ", first->second,
                " and ", model);
  }
}

} // namespace

model_labels read_model_labels(const std::string& path, const std::vector<std::string>& models) {
  std::string all = llmap::read_document(path, "a table of labels");
  if (const auto bad = llmap::invalid_utf8(all))
    llmap::fail(path, ": expected UTF-8, got an invalid sequence at byte ", *bad);
  if (all.starts_with("\xef\xbb\xbf")) all.erase(0, 3);
  llmap::delimited_rows rows(all, path, std::filesystem::path(path).extension() == ".csv" ? ',' : '\t');
  const auto header = rows.next();
  if (!header || trimmed((*header)[0]) != "model" || header->size() < 2)
    llmap::fail(path, ": expected a first line of the column model and at least one other, divided by tabs, got ",
                header ? "\"" + (*header)[0] + "\"" + (header->size() > 1 ? ", ..." : "") : "nothing");
  std::vector<std::size_t> lines;
  std::vector<column> columns;
  std::set<std::string> seen;
  for (const std::string& field : *header) {
    const std::string name = trimmed(field);
    if (name.empty())
      llmap::fail(path, ": column ", columns.size() + 1, ": expected a name in the first line, got none");
    if (!seen.insert(name).second) llmap::fail(path, ": expected columns of different names, got ", name, " twice");
    columns.push_back({name, {}, lines});
  }
  model_labels out;
  while (const auto row = rows.next()) {
    const std::string where = path + ":" + std::to_string(rows.line());
    if (row->size() != columns.size()) llmap::fail(where, ": expected ", columns.size(), " fields, got ", row->size());
    const std::string& model = (*row)[0];
    if (std::find(models.begin(), models.end(), model) == models.end())
      llmap::fail(where, ": expected a model of the map, got ", model, did_you_mean(model, models));
    if (!out.row.emplace(model, lines.size()).second)
      llmap::fail(where, ": expected each model once, got ", model, " again");
    lines.push_back(rows.line());
    for (std::size_t k = 0; k < columns.size(); ++k) columns[k].cells.push_back(trimmed((*row)[k]));
  }
  if (lines.empty()) llmap::fail(path, ": expected a line for a model, got only the names of columns");
  out.names.resize(lines.size());
  out.summary = path + ": " + std::to_string(lines.size()) + " of " + std::to_string(models.size()) + " models";
  for (std::size_t k = 1; k < columns.size(); ++k) {
    if (columns[k].name != "label") {
      understand(columns[k], path, out);
      continue;
    }
    out.names = columns[k].cells;
    check_names(out, lines, path, models);
    out.summary += "; label: new names";
  }
  return out;
}

void apply(const model_labels& labels, llmap::map_data& map) {
  std::vector<std::size_t> rows; // (K) of each model of the map; labels.names.size(): none
  for (std::string& model : map.models) {
    const auto row = labels.row.find(model);
    rows.push_back(row == labels.row.end() ? labels.names.size() : row->second);
    if (row != labels.row.end() && !labels.names[row->second].empty()) model = labels.names[row->second];
  }
  const auto take = [&](const auto& cells, const auto& none) {
    auto out = cells;
    out.clear();
    for (const std::size_t row : rows) out.push_back(row < cells.size() ? cells[row] : none);
    return out;
  };
  // In front of the map's own, in place of those of the same name.
  const auto put_first = [](auto& list, auto first) {
    for (auto& old : list)
      if (std::none_of(first.begin(), first.end(), [&](const auto& f) { return f.name == old.name; }))
        first.push_back(std::move(old));
    list = std::move(first);
  };
  std::vector<llmap::model_group> groups;
  for (const auto& g : labels.groups) groups.push_back({g.name, take(g.labels, std::string())});
  std::vector<llmap::model_values> values;
  for (const auto& v : labels.values) values.push_back({v.name, take(v.values, static_cast<double>(NAN))});
  put_first(map.groups, std::move(groups));
  put_first(map.values, std::move(values));
}
