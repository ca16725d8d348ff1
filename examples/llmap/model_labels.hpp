// What `llmap map --labels FILE` reads: a table that renames the models of a map and says what to color them by.
#pragma once
#include "llmap/geometry/map_data.hpp"
#include <map>
#include <string>
#include <vector>

/// The table's rows, in the order of the file.
struct model_labels {
  std::map<std::string, std::size_t> row;  // of each model that the table names
  std::vector<std::string> names;          // (rows) "": the model keeps its own
  std::vector<llmap::model_group> groups;  // labels (rows)
  std::vector<llmap::model_values> values; // (rows)
  std::string summary;                     // one line: how each column was understood
};

/// Reads a table with tabs (commas where its name ends in .csv) and a header: first a column `model`, then any others.
/// `label` holds new names. A column is of values if each of its cells is a number or blank, else of groups. `models`
/// are those that a row may name, in the store's words.
model_labels read_model_labels(const std::string& path, const std::vector<std::string>& models);

/// Groups and values of the table come before those of the map and replace those of the same name. What the table does
/// not say of a model is a blank label, or NaN.
void apply(const model_labels& labels, llmap::map_data& map);
