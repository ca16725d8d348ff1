// llmap export: the matrix of a store as safetensors, with the names beside it.
#include "commands.hpp"
#include "llmap/likelihood/export.hpp"
#include <fmt/format.h>
#include <memory>

void add_export(CLI::App& app) {
  struct arguments { std::string store, out; };
  const auto a = std::make_shared<arguments>();
  CLI::App* c = app.add_subcommand("export", "Write the log-likelihoods of a store as safetensors and names as JSON");
  c->add_option("store", a->store, "store made by score")->required();
  c->add_option("--out", a->out, "file to write (.safetensors; names go to .json)")->required();
  c->callback([a] {
    if (std::filesystem::path(a->out).extension() == ".json") llmap::fail(a->out, ": expected a name that does not end in .json");
    const llmap::scored_matrix m = llmap::read_store(a->store);
    write_matrix(a->out, m);
    fmt::print("{} models, {} texts: {} and {}\n", m.matrix.models.size(), m.matrix.texts.size(), a->out, llmap::names_path(a->out).string());
  });
}
