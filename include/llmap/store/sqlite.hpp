// SQLite with RAII and one-line errors: a connection and its statements.
#pragma once
#include "llmap/core/error.hpp"
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <sqlite3.h>
#include <string>
#include <string_view>

namespace llmap {

/// A prepared statement. Parameters count from 1, columns from 0; what SQLite refuses is an llmap::error with the path
/// of the file.
class sqlite_statement {
public:
  /// Prepares `sql`; `where` is the path in messages.
  sqlite_statement(sqlite3* db, const std::string& where, std::string_view sql) : db_(db), where_(where) {
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v2(db, sql.data(), static_cast<int>(sql.size()), &raw, nullptr) != SQLITE_OK) broken();
    statement_.reset(raw);
  }
  /// Parameter i, which counts from 1.
  sqlite_statement& bind(int i, std::int64_t value) { return checked(sqlite3_bind_int64(statement_.get(), i, value)); }
  /// SQLite stores NaN as NULL.
  sqlite_statement& bind(int i, double value) { return checked(sqlite3_bind_double(statement_.get(), i, value)); }
  /// Parameter i; the text is copied.
  sqlite_statement& bind(int i, std::string_view value) {
    return checked(sqlite3_bind_text64(statement_.get(), i, value.data(), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  }
  /// True while there is a row.
  bool step() {
    const int result = sqlite3_step(statement_.get());
    if (result == SQLITE_ROW) return true;
    if (result != SQLITE_DONE) broken();
    return false;
  }
  /// Steps to the end and resets, so that it can be bound and run again.
  void run() {
    while (step()) {
    }
    sqlite3_reset(statement_.get());
  }
  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_.get(), column); } ///< NULL is 0
  /// NULL is NaN.
  double real(int column) const {
    if (sqlite3_column_type(statement_.get(), column) == SQLITE_NULL) return std::numeric_limits<double>::quiet_NaN();
    return sqlite3_column_double(statement_.get(), column);
  }
  /// NULL is "".
  std::string text(int column) const {
    const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
    return data ? std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column)))
                : std::string();
  }

private:
  struct finalize {
    void operator()(sqlite3_stmt* s) const { sqlite3_finalize(s); }
  };
  sqlite3* db_;
  std::string where_;
  std::unique_ptr<sqlite3_stmt, finalize> statement_;

  sqlite_statement& checked(int result) {
    if (result != SQLITE_OK) broken();
    return *this;
  }
  [[noreturn]] void broken() const { fail(where_, ": ", sqlite3_errmsg(db_)); }
};

/// A connection; statements must not outlive it.
class sqlite_database {
public:
  /// What the connection may do.
  enum class access { read, write };
  /// Opens a file; to write, makes it if there is none.
  sqlite_database(const std::filesystem::path& path, access mode) : where_(path.string()) {
    const int flags = mode == access::read ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    sqlite3* raw = nullptr;
    // Some builds of SQLite take "file:..." for a URI; here it is the name of a file.
    const std::string name = where_.starts_with("file:") ? "./" + where_ : where_;
    const int result = sqlite3_open_v2(name.c_str(), &raw, flags, nullptr);
    db_.reset(raw);
    if (result != SQLITE_OK) fail(where_, ": cannot open: ", raw ? sqlite3_errmsg(raw) : "out of memory");
    sqlite3_busy_timeout(raw, 60'000);
    if (mode == access::read) return;
    const char* file = sqlite3_db_filename(raw, "main");
    if (!file || !*file) fail("\"", where_, "\": expected the name of a file, got a database in memory");
    // A build of SQLite may have other defaults. The rollback journal keeps the database one file. EXTRA also syncs the
    // folder after the journal is deleted; without that, a power cut can undo a transaction that was committed.
    set("journal_mode", "DELETE", "delete");
    set("synchronous", "EXTRA", "3");
    set("foreign_keys", "ON", "1");
  }
  /// Runs a statement without parameters; rows that it gives are dropped.
  void execute(std::string_view sql) { prepare(sql).run(); }
  sqlite_statement prepare(std::string_view sql) const { return {db_.get(), where_, sql}; } ///< to bind and step
  std::int64_t last_id() const { return sqlite3_last_insert_rowid(db_.get()); } ///< row of the last insertion
  const std::string& where() const { return where_; }                           ///< path

private:
  struct close {
    void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
  };
  std::string where_;
  std::unique_ptr<sqlite3, close> db_;

  /// SQLite ignores a setting that it does not know or cannot make, so the setting is read back.
  void set(const std::string& pragma, const std::string& value, std::string_view expected) {
    execute("PRAGMA " + pragma + " = " + value);
    auto now = prepare("PRAGMA " + pragma);
    const std::string got = now.step() ? now.text(0) : "nothing";
    if (got != expected) fail(where_, ": ", pragma, ": expected ", expected, ", got ", got);
  }
};

/// A transaction that is rolled back unless it is committed.
class sqlite_transaction {
public:
  /// Begins at once, so that no other process writes.
  explicit sqlite_transaction(sqlite_database& db) : db_(&db) { db.execute("BEGIN IMMEDIATE"); }
  sqlite_transaction(const sqlite_transaction&) = delete;
  ~sqlite_transaction() {
    if (!db_) return;
    try {
      db_->execute("ROLLBACK");
    } catch (const error&) {
      // SQLite has already rolled it back (on a full disk it does).
    }
  }
  /// Without it, the changes are undone when the transaction goes.
  void commit() {
    db_->execute("COMMIT");
    db_ = nullptr;
  }

private:
  sqlite_database* db_;
};

} // namespace llmap
