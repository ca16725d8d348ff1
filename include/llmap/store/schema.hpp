// The tables of a store, and what makes an SQLite file one.
//   meta: the format. texts: id, hash, bytes, domain, document of each text. models: name, fingerprint, family, policy.
//   scores: of a text under a model. runs: on which device and when scores of a model were last saved; stores of older
//   versions have no such table.
#pragma once
#include "llmap/store/sqlite.hpp"

namespace llmap {

inline constexpr int store_format = 1; ///< as meta holds it

/// Whether the file has a table of this name.
inline bool has_table(const sqlite_database& db, std::string_view name) {
  auto tables = db.prepare("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?");
  tables.bind(1, name);
  tables.step();
  return tables.integer(0) == 1;
}

/// Fails where the database is not a store of this format.
inline void expect_store(const sqlite_database& db) {
  for (const char* name : {"meta", "texts", "models", "scores"})
    if (!has_table(db, name)) fail(db.where(), ": expected a store of llmap, got another SQLite database");
  auto version = db.prepare("SELECT value FROM meta WHERE key = 'llmap store'");
  if (!version.step() || version.integer(0) != store_format)
    fail(db.where(), ": expected a store of format ", store_format, ", got ", version.text(0));
}

/// The tables that are missing: all in an empty database, runs in a store of an older version.
inline void create_tables(sqlite_database& db) {
  db.execute("CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)");
  db.execute("INSERT OR IGNORE INTO meta VALUES ('llmap store', " + std::to_string(store_format) + ")");
  db.execute("CREATE TABLE IF NOT EXISTS texts (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, hash TEXT NOT NULL, "
             "bytes INTEGER NOT NULL, domain TEXT NOT NULL, document TEXT NOT NULL)");
  db.execute("CREATE TABLE IF NOT EXISTS models (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, fingerprint TEXT "
             "NOT NULL, family TEXT NOT NULL, policy TEXT NOT NULL)");
  db.execute("CREATE TABLE IF NOT EXISTS scores (model INTEGER NOT NULL REFERENCES models, text INTEGER NOT NULL "
             "REFERENCES texts, nats REAL, tokens INTEGER NOT NULL, flags INTEGER NOT NULL, PRIMARY KEY (model, text)) "
             "WITHOUT ROWID");
  db.execute("CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY, model INTEGER NOT NULL REFERENCES models ON "
             "DELETE CASCADE, device TEXT NOT NULL, saved TEXT NOT NULL)");
}

/// Whether the database holds nothing yet.
inline bool is_empty(const sqlite_database& db) {
  auto tables = db.prepare("SELECT count(*) FROM sqlite_master");
  tables.step();
  return tables.integer(0) == 0;
}

} // namespace llmap
