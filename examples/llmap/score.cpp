// llmap score: scores a text set under model folders into a store. Resumes where it was stopped; a model that fails
// leaves the others to go on.
#include "commands.hpp"
#include "device.hpp"
#include "interruption.hpp"
#include "llmap/core/json_writer.hpp"
#include "llmap/core/output_path.hpp"
#include "llmap/model/model_folders.hpp"
#include "llmap/model/read_ahead.hpp"
#include "llmap/model/scoring_report.hpp"
#include "llmap/store/store.hpp"
#include <algorithm>
#include <fmt/format.h>

namespace {

struct failed_model {
  std::string name, reason;
};

/// One line at once, so that a long run need not be waited for. A reason that names the model does so once.
void note_failure(std::vector<failed_model>& failed, const std::string& name, std::string reason) {
  if (reason.starts_with(name + ": ")) reason.erase(0, name.size() + 2);
  std::fprintf(stderr, "llmap: %s: %s\n", shown(name).c_str(), reason.c_str());
  failed.push_back({name, reason});
}

std::string reason_of(const std::exception& problem) {
  return dynamic_cast<const std::bad_alloc*>(&problem) ? "out of memory" : problem.what();
}

/// The models of all arguments under names that tell them apart.
std::vector<llmap::found_model> models_of(const score_arguments& a, std::vector<failed_model>& failed) {
  std::vector<llmap::found_model> all;
  for (const std::string& argument : a.folders) {
    try {
      const auto found = llmap::find_models(argument);
      all.insert(all.end(), found.begin(), found.end());
    } catch (const std::exception& problem) {
      note_failure(failed, argument, reason_of(problem));
    }
  }
  return llmap::tell_apart(all);
}

void print_json(const score_arguments& a, const llmap::text_set& texts,
                const std::vector<llmap::scoring_report>& reports, const std::vector<failed_model>& failed) {
  llmap::json_writer out(llmap::json_writer::layout::indented);
  out.object([&] {
    out.field("store", a.store);
    out.field("texts", texts.items.size());
    out.field("models", [&] {
      out.array(reports, [&](const llmap::scoring_report& r) {
        out.object([&] {
          out.field("name", r.model);
          out.field("texts", r.scored + r.present);
          out.field("new", r.scored);
          out.field("complete", r.scored + r.present == texts.items.size());
          out.field("tokens", r.tokens);
          out.field("tokens_now", r.tokens_now);
          out.field("seconds", r.seconds);
          out.field("bits_per_byte", r.bits_per_byte);
          out.field("flagged", r.flagged);
        });
      });
    });
    out.field("failed", [&] {
      out.array(failed, [&](const failed_model& f) {
        out.object([&] {
          out.field("name", f.name);
          out.field("reason", f.reason);
        });
      });
    });
    out.field("to_go_on", a.command);
  });
  std::puts(out.text().c_str());
}

/// The lines that end a run in which models failed.
[[noreturn]] void fail_with(const std::vector<failed_model>& failed, std::size_t models, const std::string& next) {
  std::string names;
  std::size_t widest = 0;
  for (const failed_model& f : failed) {
    names += (names.empty() ? "" : ", ") + f.name;
    widest = std::max(widest, f.name.size());
  }
  if (models > 1) {
    fmt::print(stderr, "\n{:<{}}  reason\n", "failed", std::max<std::size_t>(6, widest));
    for (const failed_model& f : failed)
      fmt::print(stderr, "{:<{}}  {}\n", shown(f.name), std::max<std::size_t>(6, widest), f.reason);
  }
  llmap::fail(failed.size(), " of ", models, " models failed: ", names, "; ", next);
}

} // namespace

void run_score(const score_arguments& a) {
  llmap::check_outputs({a.texts.path}, {a.store});
  const llmap::text_set texts = llmap::load_text_set(a.texts.path, a.texts.options);
  std::vector<failed_model> failed;
  std::vector<llmap::found_model> models = models_of(a, failed);
  if (!a.name.empty() && models.size() + failed.size() != 1)
    llmap::fail("--name: expected one model, got ", models.size() + failed.size());
  const std::size_t all = models.size() + failed.size();
  if (models.empty()) fail_with(failed, all, "nothing was scored");
  score_settings settings = a.settings;
  const auto device = a.settings.device == "cpu" ? nullptr : open_device(a.settings.device);
  settings.opened = device.get();
  llmap::score_store store(a.store, texts);
  const std::string how_to_go_on = "what was scored is in " + shown(a.store) + ", to go on: " + shown(a.command);
  end_on_signals("llmap: interrupted; " + how_to_go_on);
  std::vector<llmap::scoring_report> reports;
  llmap::read_ahead next;
  for (std::size_t i = 0; i < models.size(); ++i) {
    settings.weights_are_read = [&] {
      if (i + 1 < models.size()) next.start(models[i + 1].folder, settings.base);
    };
    const std::string name = a.name.empty() ? models[i].name() : a.name;
    try {
      const std::string place = fmt::format("[{}/{}] ", i + 1, models.size());
      reports.push_back(score_model(models[i].folder, name, texts, store, settings, place));
      if (reports.back().without_value == texts.items.size())
        note_failure(failed, name,
                     "expected a text with a score that can be used, got none: all are shorter than two tokens, NaN "
                     "or infinite");
    } catch (interrupted& end) {
      a.json ? print_json(a, texts, reports, failed) : print_reports(reports);
      end.line = "llmap: interrupted; " + shown(end.line) + "; " + how_to_go_on;
      throw;
    } catch (const std::exception& problem) {
      note_failure(failed, name, reason_of(problem));
    }
  }
  a.json ? print_json(a, texts, reports, failed) : print_reports(reports);
  const bool kept = std::any_of(reports.begin(), reports.end(), [](const auto& r) { return r.scored + r.present > 0; });
  if (!failed.empty()) fail_with(failed, all, kept ? how_to_go_on : "nothing was kept, to go on: " + shown(a.command));
  if (a.json) return;
  fmt::print("\n{}: {} texts under {} models; next: llmap map {} --html map.html\n", a.store, texts.items.size(),
             reports.size(), shell_word(a.store));
}
