// From a folder of models to their map, in one program: every model of the folder scores a text set, the scores become
// a matrix, the matrix a page. Nothing is kept between runs; score_into (llmap/model/score_into.hpp) keeps and resumes.
//
// Usage: 08_models_to_map [MODELS TEXTS.jsonl [PAGE.html]]
#include "llmap/core/write_file.hpp"
#include "llmap/geometry/make_map.hpp"
#include "llmap/model.hpp"
#include "llmap/picture/html.hpp"
#include <cstdio>

int main(int count, char** values) {
  try {
    const llmap::cpu_executor exec;
    llmap::text_set texts = llmap::load_text_set(count > 2 ? values[2] : LLMAP_ZOO "/texts.jsonl");
    if (count <= 2) texts.items.resize(12);
    llmap::score_matrix matrix = matrix_of(texts);
    for (const auto& folder : llmap::model_folders(count > 2 ? values[1] : LLMAP_ZOO "/models")) {
      const auto model = llmap::load_model<float>(exec, folder);
      const auto scores = score(exec, model, texts, {.overlong = llmap::overlong_policy::truncate});
      add_model(matrix, model.name, model.network.plan.model_type, scores);
    }
    const llmap::map_data map = make_map(exec, matrix);
    for (std::size_t i = 0; i < map.models.size(); ++i)
      std::printf("%-18s nearest %s\n", map.models[i].c_str(), map.models[llmap::nearest_models(map, i).at(0)].c_str());
    llmap::write_file(count > 3 ? values[3] : "models.html", map_html(map));
  } catch (const llmap::error& problem) {
    std::fprintf(stderr, "08_models_to_map: %s\n", problem.what());
    return 1;
  }
}
