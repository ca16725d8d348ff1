// llmap score: log-likelihoods of a text set under model folders, into a store. Resumes where it was stopped.
#include "commands.hpp"
#include "interruption.hpp"
#include "llmap/core/output_path.hpp"
#include "llmap/store/store.hpp"
#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace {

/// The model folders among the arguments: a folder with a config.json, or the folders inside one without.
std::vector<std::filesystem::path> model_folders(const std::vector<std::string>& arguments) {
  namespace fs = std::filesystem;
  std::vector<fs::path> folders;
  for (const std::string& argument : arguments) {
    const fs::path path = fs::path(argument).lexically_normal();
    if (!fs::exists(path)) llmap::fail(argument, ": no such file or directory");
    if (!fs::is_directory(path)) llmap::fail(argument, ": expected a model folder, or a folder of model folders");
    if (fs::exists(path / "config.json")) {
      folders.push_back(path);
      continue;
    }
    std::vector<fs::path> inside;
    for (const auto& entry : fs::directory_iterator(path))
      if (entry.is_directory() && fs::exists(entry.path() / "config.json")) inside.push_back(entry.path());
    if (inside.empty()) llmap::fail(argument, ": expected config.json, or folders that hold one");
    std::sort(inside.begin(), inside.end());
    folders.insert(folders.end(), inside.begin(), inside.end());
  }
  return folders;
}

} // namespace

void run_score(const score_arguments& a) {
  const auto folders = model_folders(a.folders);
  std::map<std::string, std::filesystem::path> path_of;
  for (const auto& folder : folders) {
    const auto [other, fresh] = path_of.emplace(model_name(folder), folder);
    if (!fresh) llmap::fail(folder.string(), ": another model of this run has the same name (", other->second.string(), ")");
  }
  llmap::check_outputs({a.texts}, {a.store});
  const llmap::text_set texts = llmap::load_text_set(a.texts);
  llmap::score_store store(a.store, texts);
  const std::string how_to_go_on = "what was scored is in " + shown(a.store) + ", to go on: " + shown(a.command);
  end_on_signals("llmap: interrupted; " + how_to_go_on);
  std::vector<score_report> reports;
  std::vector<std::string> failed;
  for (std::size_t i = 0; i < folders.size(); ++i) {
    try {
      const std::string place = fmt::format("[{}/{}] ", i + 1, folders.size());
      reports.push_back(score_model(folders[i], texts, store, a.settings, place));
    } catch (interrupted& end) {
      print_reports(reports);
      end.line = "llmap: interrupted; " + shown(end.line) + "; " + how_to_go_on;
      throw;
    } catch (const std::exception& problem) {
      std::fprintf(stderr, "llmap: %s\n", problem.what());
      failed.push_back(model_name(folders[i]));
    }
  }
  print_reports(reports);
  if (failed.empty()) return;
  std::string names;
  for (const std::string& name : failed) names += (names.empty() ? "" : ", ") + name;
  llmap::fail(failed.size(), " of ", folders.size(), " models failed: ", names);
}
