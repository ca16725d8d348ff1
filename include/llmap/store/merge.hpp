// Merges stores of one text set, for example those of several machines. A row that two stores have alike is kept once;
// rows that differ are conflicts, and then nothing is written.
#pragma once
#include "llmap/core/output_path.hpp"
#include "llmap/core/write_file.hpp"
#include "llmap/likelihood/text_score.hpp"
#include "llmap/store/schema.hpp"
#include <bit>
#include <map>
#include <set>
#include <tuple>
#include <unistd.h>
#include <vector>

namespace llmap {

/// What a merge found.
struct merge_report {
  std::size_t texts = 0, models = 0, scores = 0; // of the merged store
  std::size_t repeated = 0;                      // scores that more than one store had
  std::vector<std::string> conflicts;            // one line each; empty: the store was written
};

namespace detail {

struct merged_text {
  std::string name, hash, domain, document;
  std::int64_t bytes;
};

struct merged_score {
  text_score score;
  std::size_t from; // store
  bool operator==(const merged_score& o) const {
    const auto bits = [](double v) { return std::isnan(v) ? 0 : std::bit_cast<std::uint64_t>(v); };
    return bits(score.log_likelihood) == bits(o.score.log_likelihood) && score.flags == o.score.flags &&
           score.tokens_scored == o.score.tokens_scored;
  }
  std::string told() const {
    std::ostringstream line;
    line.precision(17);
    line << score.log_likelihood << " nats over " << score.tokens_scored << " tokens";
    return line.str();
  }
};

struct merged_model {
  std::string fingerprint, family, policy;
  std::size_t from; // store
  std::map<std::string, merged_score> scores;
  std::set<std::pair<std::string, std::string>> runs; // device, saved
};

class store_merger {
public:
  explicit store_merger(const std::vector<std::filesystem::path>& stores) : stores_(stores) {
    for (std::size_t i = 0; i < stores.size(); ++i) {
      if (!std::filesystem::exists(stores[i])) fail(stores[i].string(), ": no such store");
      const sqlite_database db(stores[i], sqlite_database::access::read);
      expect_store(db);
      read_texts(db, i);
      read_models(db, i);
    }
  }

  merge_report report() const {
    merge_report r{texts_.size(), models_.size(), 0, repeated_, conflicts_};
    for (const auto& [name, m] : models_) r.scores += m.scores.size();
    return r;
  }

  void write(const std::filesystem::path& path) const {
    sqlite_database db(path, sqlite_database::access::write);
    sqlite_transaction transaction(db);
    create_tables(db);
    std::map<std::string, std::int64_t> row;
    auto text = db.prepare("INSERT INTO texts (name, hash, bytes, domain, document) VALUES (?, ?, ?, ?, ?)");
    for (const merged_text& t : texts_) {
      text.bind(1, t.name).bind(2, t.hash).bind(3, t.bytes).bind(4, t.domain).bind(5, t.document).run();
      row[t.name] = db.last_id();
    }
    auto model = db.prepare("INSERT INTO models (name, fingerprint, family, policy) VALUES (?, ?, ?, ?)");
    auto score = db.prepare("INSERT INTO scores (model, text, nats, tokens, flags) VALUES (?, ?, ?, ?, ?)");
    auto run = db.prepare("INSERT INTO runs (model, device, saved) VALUES (?, ?, ?)");
    for (const auto& [name, m] : models_) {
      model.bind(1, name).bind(2, m.fingerprint).bind(3, m.family).bind(4, m.policy).run();
      const std::int64_t id = db.last_id();
      for (const auto& [of, s] : m.scores)
        score.bind(1, id)
            .bind(2, row.at(of))
            .bind(3, s.score.log_likelihood)
            .bind(4, std::int64_t{s.score.tokens_scored})
            .bind(5, std::int64_t{s.score.flags})
            .run();
      for (const auto& [device, saved] : m.runs) run.bind(1, id).bind(2, device).bind(3, saved).run();
    }
    transaction.commit();
  }

private:
  const std::vector<std::filesystem::path>& stores_;
  std::vector<merged_text> texts_; // in the order of the first store
  std::map<std::string, merged_model> models_;
  std::vector<std::string> conflicts_;
  std::size_t repeated_ = 0;

  void read_texts(const sqlite_database& db, std::size_t i) {
    std::vector<merged_text> texts;
    auto rows = db.prepare("SELECT name, hash, domain, document, bytes FROM texts ORDER BY id");
    while (rows.step()) texts.push_back({rows.text(0), rows.text(1), rows.text(2), rows.text(3), rows.integer(4)});
    if (i == 0) return void(texts_ = std::move(texts));
    std::map<std::string, std::string> hash;
    for (const merged_text& t : texts_) hash[t.name] = t.hash;
    const auto other = [&](const auto&... parts) {
      fail(db.where(), ": expected the text set of ", stores_[0].string(), ", got another: ", parts...);
    };
    if (texts.size() != texts_.size()) other(texts.size(), " texts, not ", texts_.size());
    for (const merged_text& t : texts) {
      if (!hash.contains(t.name)) other("text ", t.name);
      if (hash[t.name] != t.hash) other("text ", t.name, " has other content");
    }
  }

  void read_models(const sqlite_database& db, std::size_t i) {
    std::map<std::int64_t, std::string> name_of;
    std::set<std::string> refused;
    auto models = db.prepare(
        "SELECT id, name, fingerprint, family, policy FROM models WHERE id IN (SELECT model FROM scores) ORDER BY id");
    while (models.step()) {
      const std::string name = name_of[models.integer(0)] = models.text(1);
      const merged_model read{models.text(2), models.text(3), models.text(4), i, {}, {}};
      const auto [at, fresh] = models_.emplace(name, read);
      const merged_model& first = at->second;
      if (fresh || first.fingerprint == read.fingerprint) continue;
      refused.insert(name);
      const bool policy = first.policy != read.policy;
      conflicts_.push_back(
          "model " + name + ": " + (policy ? first.policy : "the fingerprint is " + first.fingerprint) + " in " +
          stores_[first.from].string() + ", " + (policy ? read.policy : read.fingerprint) + " in " + db.where());
    }
    auto scores = db.prepare("SELECT model, texts.name, nats, tokens, flags FROM scores JOIN texts ON texts.id = text "
                             "ORDER BY model, text");
    while (scores.step()) {
      const std::string& name = name_of.at(scores.integer(0));
      if (refused.contains(name)) continue;
      const merged_score read{
          {scores.real(2), static_cast<std::int32_t>(scores.integer(3)), static_cast<std::uint8_t>(scores.integer(4))},
          i};
      const auto [at, fresh] = models_.at(name).scores.emplace(scores.text(1), read);
      if (fresh) continue;
      ++repeated_;
      if (!(at->second == read))
        conflicts_.push_back("model " + name + ", text " + at->first + ": " + at->second.told() + " in " +
                             stores_[at->second.from].string() + ", " + read.told() + " in " + db.where());
    }
    if (!has_table(db, "runs")) return;
    auto runs = db.prepare("SELECT models.name, device, saved FROM runs JOIN models ON models.id = model");
    while (runs.step())
      if (const auto at = models_.find(runs.text(0)); at != models_.end())
        at->second.runs.emplace(runs.text(1), runs.text(2));
  }
};

} // namespace detail

/// Writes the union of `stores` to `out`, whole or not at all; what was there is replaced. The texts have the order of
/// the first store.
[[nodiscard]] inline merge_report merge_stores(const std::filesystem::path& out,
                                               const std::vector<std::filesystem::path>& stores) {
  if (stores.empty()) fail("merge: expected stores, got none");
  check_outputs(stores, {out});
  const detail::store_merger merger(stores);
  const merge_report report = merger.report();
  if (!report.conflicts.empty()) return report;
  const std::filesystem::path whole = followed(out), part = whole.string() + ".part" + std::to_string(::getpid());
  std::error_code gone;
  std::filesystem::remove(part, gone);
  try {
    merger.write(part);
    std::filesystem::rename(part, whole);
  } catch (...) {
    std::filesystem::remove(part, gone);
    throw;
  }
  return report;
}

} // namespace llmap
