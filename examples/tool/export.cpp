// llmap export: the matrix of a store as safetensors, with the names beside it.
#include "commands.hpp"
#include "llmap/store/export.hpp"
#include <fmt/format.h>

void run_export(const export_arguments& a) {
  if (std::filesystem::path(a.out).extension() == ".json") llmap::fail(a.out, ": expected a name that does not end in .json");
  const llmap::scored_matrix m = llmap::read_store(a.store);
  write_matrix(a.out, m);
  fmt::print("{} models, {} texts: {} and {}\n", m.matrix.models.size(), m.matrix.texts.size(), a.out, llmap::names_path(a.out).string());
}
