// llmap score: scores a text set under model folders into a store. Resumes where it was stopped.
#include "commands.hpp"
#include "device.hpp"
#include "interruption.hpp"
#include "llmap/core/output_path.hpp"
#include "llmap/model/model_folders.hpp"
#include "llmap/model/scoring_report.hpp"
#include "llmap/store/store.hpp"
#include <algorithm>
#include <fmt/format.h>
#include <map>

void run_score(const score_arguments& a) {
  std::vector<std::filesystem::path> folders;
  for (const std::string& argument : a.folders) {
    const auto inside = llmap::model_folders(argument);
    folders.insert(folders.end(), inside.begin(), inside.end());
  }
  std::map<std::string, std::filesystem::path> path_of;
  for (const auto& folder : folders) {
    const auto [other, fresh] = path_of.emplace(llmap::model_name(folder), folder);
    if (!fresh)
      llmap::fail(folder.string(), ": another model of this run has the same name (", other->second.string(), ")");
  }
  llmap::check_outputs({a.texts}, {a.store});
  score_settings settings = a.settings;
  const auto device = a.settings.device == "cpu" ? nullptr : open_device(a.settings.device);
  settings.opened = device.get();
  const llmap::text_set texts = llmap::load_text_set(a.texts);
  llmap::score_store store(a.store, texts);
  const std::string how_to_go_on = "what was scored is in " + shown(a.store) + ", to go on: " + shown(a.command);
  end_on_signals("llmap: interrupted; " + how_to_go_on);
  std::vector<llmap::scoring_report> reports;
  std::vector<std::string> failed;
  for (std::size_t i = 0; i < folders.size(); ++i) {
    try {
      const std::string place = fmt::format("[{}/{}] ", i + 1, folders.size());
      reports.push_back(score_model(folders[i], texts, store, settings, place));
    } catch (interrupted& end) {
      print_reports(reports);
      end.line = "llmap: interrupted; " + shown(end.line) + "; " + how_to_go_on;
      throw;
    } catch (const std::exception& problem) {
      std::fprintf(stderr, "llmap: %s\n", problem.what());
      failed.push_back(llmap::model_name(folders[i]));
    }
  }
  print_reports(reports);
  if (failed.empty()) return;
  std::string names;
  for (const std::string& name : failed) names += (names.empty() ? "" : ", ") + name;
  llmap::fail(failed.size(), " of ", folders.size(), " models failed: ", names);
}
