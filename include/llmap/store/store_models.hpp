// The models of a store: what is known of each, and how they are removed.
#pragma once
#include "llmap/likelihood/text_score.hpp"
#include "llmap/store/schema.hpp"
#include <algorithm>
#include <span>
#include <vector>

namespace llmap {

/// A model of a store, and how far it is scored.
struct model_entry {
  std::string name, family, policy, fingerprint; ///< as in model_record
  std::string device, saved; // saved: the last time, UTC as YYYY-MM-DDTHH:MM:SSZ; "" where an older version scored it
  std::size_t scored = 0, flagged = 0; // texts; flagged ones are scored as well
};

/// What a store holds.
struct store_entries {
  std::size_t texts = 0;           ///< of the text set
  std::vector<model_entry> models; // in the order of their names

  /// Whether every text has a score, flagged or not.
  bool complete(const model_entry& m) const { return m.scored == texts; }
};

/// Reads a store without changing it. A missing file, or one that is no store, is an llmap::error.
inline store_entries list_models(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) fail(path.string(), ": no such store");
  const sqlite_database db(path, sqlite_database::access::read);
  expect_store(db);
  store_entries store;
  auto texts = db.prepare("SELECT count(*) FROM texts");
  texts.step();
  store.texts = static_cast<std::size_t>(texts.integer(0));
  const bool runs = has_table(db, "runs");
  auto rows = db.prepare("SELECT name, family, policy, fingerprint, (SELECT count(*) FROM scores WHERE model = "
                         "models.id), (SELECT count(*) FROM scores WHERE model = models.id AND flags != 0), " +
                         std::string(runs ? "(SELECT group_concat(DISTINCT device) FROM runs WHERE model = models.id), "
                                            "(SELECT max(saved) FROM runs WHERE model = models.id) "
                                          : "NULL, NULL ") +
                         "FROM models ORDER BY name");
  while (rows.step())
    store.models.push_back({rows.text(0), rows.text(1), rows.text(2), rows.text(3), rows.text(6), rows.text(7),
                            static_cast<std::size_t>(rows.integer(4)), static_cast<std::size_t>(rows.integer(5))});
  return store;
}

/// Removes models with their scores, all or none. A name that the store lacks is an error that lists those there are.
inline void remove_models(const std::filesystem::path& path, std::span<const std::string> names) {
  const std::vector<model_entry> there = list_models(path).models;
  for (const std::string& name : names)
    if (std::none_of(there.begin(), there.end(), [&](const model_entry& m) { return m.name == name; })) {
      std::string all;
      constexpr std::size_t listed = 20;
      for (std::size_t i = 0; i < std::min(listed, there.size()); ++i) all += (i ? ", " : "") + there[i].name;
      fail(path.string(), ": no model named ", name, "; there are ", all.empty() ? "none" : all,
           there.size() > listed ? ", ..." : "");
    }
  sqlite_database db(path, sqlite_database::access::write);
  sqlite_transaction transaction(db);
  create_tables(db);
  for (const std::string& name : names) {
    db.prepare("DELETE FROM scores WHERE model = (SELECT id FROM models WHERE name = ?)").bind(1, name).run();
    db.prepare("DELETE FROM models WHERE name = ?").bind(1, name).run();
  }
  transaction.commit();
}

} // namespace llmap
