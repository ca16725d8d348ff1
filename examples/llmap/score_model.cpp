#include "score_model.hpp"
#include "commands.hpp"
#include "device.hpp"
#include "interruption.hpp"
#include "llmap/forward/deployed_inputs.hpp"
#include "llmap/model/model_folders.hpp"
#include "llmap/model/score_missing.hpp"
#include "model_files.hpp"
#include "precision.hpp"
#include <chrono>
#include <fmt/format.h>
#include <optional>
#include <unistd.h>

namespace {

using clock_type = std::chrono::steady_clock;
double seconds_since(clock_type::time_point start) {
  return std::chrono::duration<double>(clock_type::now() - start).count();
}

llmap::text_policy policy_of(const score_settings& settings) {
  using llmap::bos_policy;
  return {settings.bos == "always"  ? bos_policy::always
          : settings.bos == "never" ? bos_policy::never
                                    : bos_policy::as_tokenizer,
          settings.overlong == "truncate" ? llmap::overlong_policy::truncate : llmap::overlong_policy::refuse};
}

/// One line on a terminal: the phase, then the progress of scoring, rewritten at most five times a second.
class progress_line {
public:
  explicit progress_line(std::string head) : head_(std::move(head)), shown_(::isatty(STDERR_FILENO) != 0) {}
  ~progress_line() {
    if (drawn_) std::fprintf(stderr, "\r\033[K");
  }
  /// A line of its own, that stays.
  void note(const std::string& text) {
    std::fprintf(stderr, "%s%s\n", drawn_ ? "\r\033[K" : "", text.c_str());
    drawn_ = false;
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
llmap::scoring_report score_on_device(const scoring_device& device, llmap::score_store& store,
                                      const llmap::model_to_score<model_tokenizer>& model, const llmap::text_set& texts,
                                      const llmap::store_scoring_options& options, const llmap::scoring_watch& watch) {
  const device_words words{
      [&](std::string_view text, bool add_special) { return model.words.encode(text, add_special); },
      [&] { return model.words.bos_id(); }};
  const llmap::model_to_score<device_words> on_device{model.folder, model.plan, model.weights, words, model.record};
  return sizeof(T) == 8 ? device.score_f64(store, on_device, texts, options, watch)
                        : device.score_f32(store, on_device, texts, options, watch);
}

template <class T>
llmap::scoring_report score_as(const std::filesystem::path& folder, const std::string& name,
                               const llmap::text_set& texts, llmap::score_store& store, const score_settings& settings,
                               const std::string& place) {
  using phase = llmap::scoring_progress::phase;
  progress_line progress(place + shown(name) + ": ");
  progress.phase(llmap::name_of(phase::reading_weights));
  const llmap::model_weights weights(folder, settings.base);
  const llmap::decoder_plan plan = load_plan(weights);
  if (!plan.custom_code.empty())
    progress.note(fmt::format("{}: the publisher's code, {}, is not run: scored as the {} of transformers", shown(name),
                              shown(plan.custom_code), shown(plan.model_type)));
  const model_tokenizer_files files(weights);
  llmap::store_scoring_options options{
      .policy = policy_of(settings),
      .load = {.compute = compute_type_of(settings.precision), .activations = activation_mode_of(settings.activations)},
      .threads = settings.threads};
  options.batches.batch_rows = settings.batch_rows;
  llmap::model_record record{name, "", plan.model_type, llmap::policy_line<T>(options.load.compute, options.policy)};
  record.policy +=
      llmap::activations_line(options.load.activations, plan, weights.tensors(llmap::dtype_of<T>, plan.tied()));
  record.device = settings.device;
  if (settings.opened) record.policy += ", device " + settings.opened->facts(plan, llmap::dtype_of<T>);
  std::optional<model_tokenizer> words;
  llmap::parallel_for(settings.threads, 2, [&](std::size_t part) { // the weights are read while the tokenizer is built
    if (part == 0) words.emplace(files);
    else record.fingerprint = llmap::fingerprint_of(weights, files.canonical(), record.policy);
  });

  std::optional<signals_noted> interruption; // before there are scores, a signal ends the program at once
  const auto watch = [&](const llmap::scoring_progress& now) {
    if (now.now != phase::scoring) return progress.phase(llmap::name_of(now.now)), true;
    if (now.texts_done) progress.scored(now.tokens_done, now.tokens);
    else {
      progress.phase(llmap::name_of(now.now)), interruption.emplace();
      if (settings.weights_are_read) settings.weights_are_read();
    }
    return interruption->signal() == 0;
  };
  const llmap::scoring_report report =
      settings.opened
          ? score_on_device<T>(*settings.opened, store, {folder, plan, weights, *words, record}, texts, options, watch)
          : score_missing<T>(store, llmap::cpu_executor{settings.threads},
                             llmap::model_to_score<model_tokenizer>{folder, plan, weights, *words, record}, texts,
                             options, watch);
  if (const int signal = interruption ? interruption->signal() : 0)
    throw interrupted{128 + signal, fmt::format("{} of {} texts of {} are scored", report.present + report.scored,
                                                texts.items.size(), name)};
  return report;
}

} // namespace

llmap::scoring_report score_model(const std::filesystem::path& folder, const std::string& name,
                                  const llmap::text_set& texts, llmap::score_store& store,
                                  const score_settings& settings, const std::string& place) {
  return settings.precision == "f64" ? score_as<double>(folder, name, texts, store, settings, place)
                                     : score_as<float>(folder, name, texts, store, settings, place);
}

void print_reports(const std::vector<llmap::scoring_report>& reports) {
  if (reports.empty()) return;
  std::size_t widest = 5;
  for (const llmap::scoring_report& r : reports) widest = std::max(widest, r.model.size());
  fmt::print("{:<{}}  {:>6}  {:>6}  {:>10}  {:>9}  {:>9}  {}\n", "model", widest, "texts", "new", "tokens", "tokens/s",
             "bits/byte", "flagged");
  for (const llmap::scoring_report& r : reports) {
    const std::string rate =
        r.scored && r.seconds > 0 ? fmt::format("{:.0f}", static_cast<double>(r.tokens_now) / r.seconds) : "-";
    std::string flagged = std::to_string(r.flagged.size());
    for (std::size_t i = 0; i < std::min<std::size_t>(3, r.flagged.size()); ++i)
      flagged += (i ? ", " : " (") + shown(r.flagged[i]);
    if (!r.flagged.empty()) flagged += r.flagged.size() > 3 ? ", ...)" : ")";
    fmt::print("{:<{}}  {:>6}  {:>6}  {:>10}  {:>9}  {:>9.4f}  {}\n", shown(r.model), widest, r.scored + r.present,
               r.scored, r.tokens, rate, r.bits_per_byte, flagged);
  }
}
