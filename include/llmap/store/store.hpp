// The store: one SQLite file with the texts (id, hash, bytes, domain, document), the models (name, fingerprint) and
// the score of each text under each model. Work resumes text by text; scores of different fingerprints are never mixed;
// scores survive a kill at any moment once `save` has returned.
// A store belongs to one text set, whatever its order: scoring another set into it is refused.
#pragma once
#include "llmap/likelihood/text_score.hpp"
#include "llmap/store/schema.hpp"
#include "llmap/text/text_set.hpp"
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <xxhash.h>

namespace llmap {

/// Incremental 128-bit xxHash (XXH3), in hexadecimal.
class fingerprint {
public:
  fingerprint() : state_(XXH3_createState()) { XXH3_128bits_reset(state_.get()); }
  /// Each piece is framed by its length, so that pieces cannot run into one another.
  fingerprint& add(std::string_view piece) { return add_size(piece.size()).add_part(std::as_bytes(std::span(piece))); }
  /// The same for a piece that comes in parts: its size, then the parts.
  fingerprint& add_size(std::uint64_t size) { return add_part(std::as_bytes(std::span(&size, 1))); }
  /// Bytes without a frame.
  fingerprint& add_part(std::span<const std::byte> part) {
    XXH3_128bits_update(state_.get(), part.data(), part.size());
    return *this;
  }
  /// 32 digits of XXH3-128.
  std::string hex() const {
    const XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
    char text[33];
    std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                  static_cast<unsigned long long>(hash.low64));
    return text;
  }

private:
  struct release {
    void operator()(XXH3_state_t* s) const { XXH3_freeState(s); }
  };
  std::unique_ptr<XXH3_state_t, release> state_;
};

/// A model as a store knows it. One name has one fingerprint.
struct model_record {
  std::string name, fingerprint; ///< as maps show it; of weights, tokenizer and policy
  std::string family;            // model_type
  std::string policy;            ///< precision, BOS and length policy, as one line
  std::string device = "cpu";    ///< that scores it in this run
};

/// A store opened to score one text set into. Several processes may do so at once.
class score_store {
public:
  /// Opens the store for scoring `texts` into it, creating it if there is none.
  score_store(const std::filesystem::path& path, const text_set& texts) : db_(path, sqlite_database::access::write) {
    sqlite_transaction transaction(db_);
    if (is_empty(db_)) create(texts);
    expect_store(db_);
    create_tables(db_);
    match_texts(texts);
    transaction.commit();
  }

  /// A model of this store. It is recorded with its first scores, so that a model that fails leaves nothing behind.
  struct stored_model {
    model_record record;               ///< as it was asked for
    std::optional<std::int64_t> id{};  ///< none: not recorded yet
    std::optional<std::int64_t> run{}; ///< of this object's saves
  };

  /// Finds the model. One of this name with another fingerprint is refused, unless it has no scores.
  stored_model open_model(const model_record& model) const { return {model, find_model(model), {}}; }

  /// For each text of the set given to the constructor: its score under the model, or nullopt.
  std::vector<std::optional<text_score>> scores(const stored_model& model) const {
    std::vector<std::optional<text_score>> all(row_of_.size());
    if (!model.id) return all;
    std::map<std::int64_t, std::size_t> position;
    for (std::size_t i = 0; i < row_of_.size(); ++i) position[row_of_[i]] = i;
    auto rows = db_.prepare("SELECT text, nats, tokens, flags FROM scores WHERE model = ?");
    rows.bind(1, *model.id);
    while (rows.step())
      all[position.at(rows.integer(0))] = text_score{rows.real(1), static_cast<std::int32_t>(rows.integer(2)),
                                                     static_cast<std::uint8_t>(rows.integer(3))};
    return all;
  }

  /// Saves scores of the texts with these positions in the set, all or none; on return they are on the disk.
  void save(stored_model& model, std::span<const std::size_t> texts, std::span<const text_score> scores) {
    if (texts.empty()) return;
    sqlite_transaction transaction(db_);
    const std::int64_t id = model.id ? *model.id : record_model(model.record);
    // A text scored by another process in the meantime has the same score: the bits depend on model and text only.
    auto insert = db_.prepare("INSERT OR IGNORE INTO scores (model, text, nats, tokens, flags) VALUES (?, ?, ?, ?, ?)");
    for (std::size_t i = 0; i < texts.size(); ++i)
      insert.bind(1, id)
          .bind(2, row_of_[texts[i]])
          .bind(3, scores[i].log_likelihood)
          .bind(4, std::int64_t{scores[i].tokens_scored})
          .bind(5, std::int64_t{scores[i].flags})
          .run();
    const std::int64_t run = record_run(model, id);
    transaction.commit();
    model.id = id;
    model.run = run;
  }

private:
  sqlite_database db_;
  std::vector<std::int64_t> row_of_; // row of each text of the set

  std::optional<std::int64_t> find_model(const model_record& model) const {
    auto find =
        db_.prepare("SELECT id, fingerprint, policy FROM models WHERE name = ? AND id IN (SELECT model FROM scores)");
    find.bind(1, model.name);
    if (!find.step()) return std::nullopt;
    if (find.text(1) != model.fingerprint)
      fail(db_.where(), ": model ", model.name,
           " is already there with other weights, tokenizer, policy or precision (", find.text(2), "; now ",
           model.policy, "): give it another name (--name) or use another store");
    return find.integer(0);
  }
  /// Adds the model unless another process has done so meanwhile. A model of this name without scores gives way.
  std::int64_t record_model(const model_record& model) {
    if (const auto id = find_model(model)) return *id;
    db_.prepare("DELETE FROM models WHERE name = ?").bind(1, model.name).run();
    db_.prepare("INSERT INTO models (name, fingerprint, family, policy) VALUES (?, ?, ?, ?)")
        .bind(1, model.name)
        .bind(2, model.fingerprint)
        .bind(3, model.family)
        .bind(4, model.policy)
        .run();
    return db_.last_id();
  }

  /// Notes that scores of the model are saved now; the number of the run.
  std::int64_t record_run(const stored_model& model, std::int64_t id) {
    if (model.run) {
      db_.prepare("UPDATE runs SET saved = strftime('%Y-%m-%dT%H:%M:%SZ', 'now') WHERE id = ?")
          .bind(1, *model.run)
          .run();
      return *model.run;
    }
    db_.prepare("INSERT INTO runs (model, device, saved) VALUES (?, ?, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))")
        .bind(1, id)
        .bind(2, model.record.device)
        .run();
    return db_.last_id();
  }
  void create(const text_set& texts) {
    create_tables(db_);
    auto insert = db_.prepare("INSERT INTO texts (name, hash, bytes, domain, document) VALUES (?, ?, ?, ?, ?)");
    for (const text_item& t : texts.items)
      insert.bind(1, t.id)
          .bind(2, hash_of(t))
          .bind(3, static_cast<std::int64_t>(t.text.size()))
          .bind(4, t.domain)
          .bind(5, t.document)
          .run();
  }
  void match_texts(const text_set& texts) {
    struct stored {
      std::int64_t row;
      std::string hash;
    };
    std::map<std::string, stored> present;
    auto rows = db_.prepare("SELECT id, name, hash FROM texts");
    while (rows.step()) present[rows.text(1)] = {rows.integer(0), rows.text(2)};
    if (present.size() != texts.items.size())
      fail(db_.where(), ": the store holds another text set: ", present.size(), " texts, got ", texts.items.size());
    for (const text_item& t : texts.items) {
      const auto it = present.find(t.id);
      if (it == present.end()) fail(db_.where(), ": the store holds another text set: text ", t.id, " is not in it");
      if (it->second.hash != hash_of(t))
        fail(db_.where(), ": the store holds another text set: text ", t.id, " has other content");
      row_of_.push_back(it->second.row);
    }
  }
  static std::string hash_of(const text_item& t) {
    return fingerprint().add(t.text).add(t.domain).add(t.document).hex();
  }
};

} // namespace llmap
