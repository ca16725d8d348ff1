// llmap models and llmap remove: what a store holds of each model, and how models leave it.
#include "commands.hpp"
#include "interruption.hpp"
#include "llmap/core/json_writer.hpp"
#include "llmap/picture/text.hpp"
#include "llmap/store/store_models.hpp"
#include <fmt/format.h>

namespace {

void print_json(const std::string& path, const llmap::store_entries& store) {
  llmap::json_writer out(llmap::json_writer::layout::indented);
  out.object([&] {
    out.field("store", path);
    out.field("texts", store.texts);
    out.field("models", [&] {
      out.array(store.models, [&](const llmap::model_entry& m) {
        out.object([&] {
          out.field("name", m.name);
          out.field("family", m.family);
          out.field("scored", m.scored);
          out.field("flagged", m.flagged);
          out.field("complete", store.complete(m));
          out.field("policy", m.policy);
          out.field("device", m.device);
          out.field("saved", m.saved);
          out.field("fingerprint", m.fingerprint);
        });
      });
    });
  });
  std::puts(out.text().c_str());
}

} // namespace

void run_models(const models_arguments& a) {
  const llmap::store_entries store = llmap::list_models(a.store);
  if (a.json) return print_json(a.store, store);
  std::size_t widest = 5, incomplete = 0;
  for (const llmap::model_entry& m : store.models) widest = std::max(widest, llmap::count_characters(m.name));
  const auto padded = [&](const std::string& name) {
    return shown(name) + std::string(widest - std::min(widest, llmap::count_characters(name)), ' ');
  };
  fmt::print("{}  {:>13}  {:<10}  {:<6}  {:<20}  {}\n", padded("model"), "texts", "", "device", "saved", "policy");
  for (const llmap::model_entry& m : store.models) {
    incomplete += !store.complete(m);
    fmt::print("{}  {:>13}  {:<10}  {:<6}  {:<20}  {}\n", padded(m.name),
               fmt::format("{} of {}", m.scored, store.texts), store.complete(m) ? "complete" : "incomplete",
               m.device.empty() ? "-" : shown(m.device), m.saved.empty() ? "-" : m.saved, m.policy);
  }
  fmt::print("\n{}: {} models, {} of them incomplete, {} texts; next: llmap {}\n", shown(a.store), store.models.size(),
             incomplete, store.texts,
             incomplete ? "score MODEL... --texts TEXTS --store " + shell_word(a.store)
                        : "map " + shell_word(a.store) + " --html map.html");
}

void run_remove(const remove_arguments& a) {
  llmap::remove_models(a.store, a.models);
  fmt::print("{}: {} model{} removed, {} left; next: llmap models {}\n", shown(a.store), a.models.size(),
             a.models.size() == 1 ? "" : "s", llmap::list_models(a.store).models.size(), shell_word(a.store));
}
