#include "score_model.hpp"
#include "interruption.hpp"
#include "model_files.hpp"
#include "precision.hpp"
#include "llmap/model/fingerprint.hpp"
#include "llmap/model/model_folders.hpp"
#include "llmap/model/text_policy.hpp"
#include "llmap/weights/checkpoint.hpp"
#include <chrono>
#include <fmt/format.h>
#include <numbers>

namespace {

using clock_type = std::chrono::steady_clock;
double seconds_since(clock_type::time_point start) { return std::chrono::duration<double>(clock_type::now() - start).count(); }

llmap::text_policy policy_of(const score_settings& settings) {
  using llmap::bos_policy;
  return {settings.bos == "always" ? bos_policy::always : settings.bos == "never" ? bos_policy::never : bos_policy::as_tokenizer,
          settings.overlong == "truncate" ? llmap::overlong_policy::truncate : llmap::overlong_policy::refuse};
}

/// One line on a terminal: what is being done, and the scores rewritten at most five times a second.
class progress_line {
public:
  explicit progress_line(std::string head) : head_(std::move(head)), shown_(::isatty(2) != 0) {}
  ~progress_line() {
    if (drawn_) std::fprintf(stderr, "\r\033[K");
  }
  void phase(const char* name) {
    draw(name);
    start_ = clock_type::now();
    last_ = {};
  }
  void scored(std::int64_t done, std::int64_t total) {
    if (seconds_since(last_) < 0.2) return;
    last_ = clock_type::now();
    const double rate = static_cast<double>(done) / std::max(1e-9, seconds_since(start_));
    draw(fmt::format("{}/{} tokens, {:.0f} tokens/s, {:.0f} s left", done, total, rate,
                     static_cast<double>(total - done) / std::max(1e-9, rate)));
  }

private:
  std::string head_;
  bool shown_, drawn_ = false;
  clock_type::time_point start_{}, last_{};

  void draw(const std::string& text) {
    if (!shown_) return;
    drawn_ = true;
    std::fprintf(stderr, "\r\033[K%s%s", head_.c_str(), text.c_str());
  }
};

template <class T>
void score_missing(const std::filesystem::path& folder, llmap::decoder_plan plan, const llmap::checkpoint& weights,
                   const model_tokenizer& tokenizer, const llmap::text_set& texts, std::span<const std::size_t> missing, llmap::score_store::stored_model& stored,
                   llmap::score_store& store, const score_settings& settings, progress_line& progress, score_report& report) {
  const llmap::cpu_executor exec{settings.threads};
  progress.phase("tokenizing");
  std::vector<llmap::encoded_text> encoded(missing.size());
  llmap::parallel_for(exec.threads, missing.size(), [&](std::size_t i) {
    encoded[i] = encode_text(tokenizer, plan, texts.items[missing[i]], policy_of(settings), folder.string());
  });
  std::vector<std::vector<std::int32_t>> ids;
  std::vector<bool> truncated;
  std::int64_t total = 0;
  for (llmap::encoded_text& e : encoded) {
    total += static_cast<std::int64_t>(e.ids.size());
    ids.push_back(std::move(e.ids));
    truncated.push_back(e.truncated);
  }
  progress.phase("packing the weights");
  const auto model = llmap::load_decoder<T>(exec, std::move(plan), model_tensors(weights), folder.string(), {.math = arithmetic_of(settings.precision)});

  // Scores are saved four times a second at most, every two seconds where texts allow it, and at the end: what is saved is never
  // computed again.
  constexpr double batch_seconds = 2;
  progress.phase("scoring");
  const signals_noted interruption;
  const auto start = clock_type::now();
  auto saved_at = start;
  std::vector<std::size_t> pending;
  std::vector<llmap::text_score> scores;
  std::int64_t done = 0;
  const auto save = [&] {
    weights.check_unchanged();
    store.save(stored, pending, scores);
    pending.clear();
    scores.clear();
    saved_at = clock_type::now();
  };
  const auto end_if_interrupted = [&](std::size_t scored) {
    if (const int signal = interruption.signal())
      throw interrupted{128 + signal, fmt::format("{} of {} texts of {} are scored", report.present + scored, texts.items.size(), report.model)};
  };
  llmap::score_texts(exec, model, ids, {settings.batch_rows, batch_seconds}, [&](std::size_t first, std::span<const llmap::text_score> batch) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      llmap::text_score score = batch[i];
      if (truncated[first + i]) score.flags |= llmap::flag_truncated;
      pending.push_back(missing[first + i]);
      scores.push_back(score);
      done += static_cast<std::int64_t>(ids[first + i].size());
      report.tokens_now += score.tokens_scored;
    }
    if (seconds_since(saved_at) > 0.25) save();
    progress.scored(done, total);
    if (interruption.signal()) save();
    end_if_interrupted(first + batch.size());
  });
  save();
  end_if_interrupted(missing.size());
  report.seconds = seconds_since(start);
}

} // namespace

score_report score_model(const std::filesystem::path& folder, const llmap::text_set& texts, llmap::score_store& store,
                         const score_settings& settings, const std::string& place) {
  progress_line progress(place + llmap::model_name(folder) + ": ");
  progress.phase("reading the weights");
  llmap::decoder_plan plan = load_plan(folder);
  const llmap::checkpoint weights(folder);
  const std::string policy = fmt::format("precision {}, bos {}, overlong {}", settings.precision, settings.bos, settings.overlong);
  const model_tokenizer_files files(folder);
  llmap::model_record record{llmap::model_name(folder), "", plan.model_type, policy};
  std::optional<model_tokenizer> tokenizer;
  llmap::parallel_for(settings.threads, 2, [&](std::size_t part) { // the weights are read while the tokenizer is built
    if (part == 0) tokenizer.emplace(files);
    else record.fingerprint = llmap::fingerprint_of(folder, weights, files.canonical(), policy);
  });
  llmap::score_store::stored_model stored = store.open_model(record);

  score_report report;
  report.model = record.name;
  std::vector<std::size_t> missing;
  const auto present = store.scores(stored);
  for (std::size_t i = 0; i < present.size(); ++i)
    if (!present[i]) missing.push_back(i);
  report.scored = missing.size();
  report.present = present.size() - missing.size();
  if (!missing.empty()) {
    if (settings.precision == "f64")
      score_missing<double>(folder, std::move(plan), weights, *tokenizer, texts, missing, stored, store, settings, progress, report);
    else score_missing<float>(folder, std::move(plan), weights, *tokenizer, texts, missing, stored, store, settings, progress, report);
  }
  double nats = 0;
  std::int64_t bytes = 0;
  const auto all = store.scores(stored);
  for (std::size_t i = 0; i < all.size(); ++i) {
    report.tokens += all[i]->tokens_scored;
    if (all[i]->flags) {
      report.flagged.push_back(texts.items[i].id);
      continue;
    }
    nats += all[i]->log_likelihood;
    bytes += static_cast<std::int64_t>(texts.items[i].text.size());
  }
  report.bits_per_byte = bytes ? -nats / (static_cast<double>(bytes) * std::numbers::ln2) : std::numeric_limits<double>::quiet_NaN();
  return report;
}

void print_reports(const std::vector<score_report>& reports) {
  if (reports.empty()) return;
  std::size_t widest = 5;
  for (const score_report& r : reports) widest = std::max(widest, r.model.size());
  fmt::print("{:<{}}  {:>6}  {:>6}  {:>10}  {:>9}  {:>9}  {}\n", "model", widest, "texts", "new", "tokens", "tokens/s", "bits/byte", "flagged");
  for (const score_report& r : reports) {
    const std::string rate = r.scored && r.seconds > 0 ? fmt::format("{:.0f}", static_cast<double>(r.tokens_now) / r.seconds) : "-";
    std::string flagged = std::to_string(r.flagged.size());
    for (std::size_t i = 0; i < std::min<std::size_t>(3, r.flagged.size()); ++i) flagged += (i ? ", " : " (") + r.flagged[i];
    if (!r.flagged.empty()) flagged += r.flagged.size() > 3 ? ", ...)" : ")";
    fmt::print("{:<{}}  {:>6}  {:>6}  {:>10}  {:>9}  {:>9.4f}  {}\n", r.model, widest, r.scored + r.present, r.scored, r.tokens, rate,
               r.bits_per_byte, flagged);
  }
}
