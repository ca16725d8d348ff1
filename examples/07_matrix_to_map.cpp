// From a matrix of log-likelihoods to a map, with no language model in the program: only weights/ (to read the file),
// geometry/ and picture/ are included. The matrix may come from anywhere; here it is the one that comes with the zoo,
// put into a score_matrix field by field. Writes the map as one page and prints a summary.
// Usage: 07_matrix_to_map [MATRIX.safetensors NAMES.json [PAGE.html]]
#include "llmap/core/json_file.hpp"
#include "llmap/core/write_file.hpp"
#include "llmap/geometry/make_map.hpp"
#include "llmap/picture/html.hpp"
#include "llmap/weights/safetensors.hpp"
#include <cstdio>

namespace {

/// log_likelihood F64 (K, N) in nats, bytes I32 (N), and the names of models and texts.
llmap::score_matrix read(const std::string& matrix_path, const std::string& names_path) {
  const llmap::safetensors_file file(matrix_path);
  const auto tensor = [&](const char* name, llmap::dtype type, std::size_t dimensions) {
    llmap::tensor_data data = file.read(name);
    if (data.info.type != type || data.info.shape.size() != dimensions)
      llmap::fail(matrix_path, ": tensor ", name, ": expected ", name_of(type), " of ", dimensions, " dimensions");
    return data;
  };
  llmap::score_matrix m;
  const llmap::tensor_data values = tensor("log_likelihood", llmap::dtype::f64, 2),
                           bytes = tensor("bytes", llmap::dtype::i32, 1);
  m.log_likelihood.resize(static_cast<std::size_t>(values.info.shape[0]),
                          static_cast<std::size_t>(values.info.shape[1]));
  std::memcpy(m.log_likelihood.data(), values.bytes.data(), values.bytes.size());
  std::vector<std::int32_t> sizes(static_cast<std::size_t>(bytes.info.elements()));
  std::memcpy(sizes.data(), bytes.bytes.data(), bytes.bytes.size());
  m.bytes.assign(sizes.begin(), sizes.end());
  const llmap::json names = llmap::read_json_file(names_path);
  for (const char* key : {"models", "texts"}) {
    const llmap::json* list = names.find(key);
    if (!list || !list->items()) llmap::fail(names_path, ": ", key, ": expected a list");
    for (const llmap::json& name : *list->items()) {
      if (!name.string()) llmap::fail(names_path, ": ", key, ": expected names, got ", canonical_text(name));
      (*key == 'm' ? m.models : m.texts).push_back(*name.string());
    }
  }
  check_score_matrix(m);
  return m;
}

void run(const std::string& matrix_path, const std::string& names_path, const std::string& page) {
  const llmap::map_data map = make_map(llmap::cpu_executor{}, read(matrix_path, names_path));
  std::printf("%zu models, %zu texts of %.1f bytes on average\n", map.models.size(), map.texts, map.mean_bytes);
  std::printf("values below %.4f nats (quantile %g) raised to it: %zu\n", map.clip_threshold, map.clip_quantile,
              map.clipped_entries);
  std::printf("two components of PCA hold %.1f %% of the variance\n\n",
              100 * (map.explained_variance_ratio[0] + map.explained_variance_ratio[1]));
  std::printf("%-18s  bits/byte  nearest, KL in bits/byte\n", "model");
  for (std::size_t i = 0; i < map.models.size(); ++i) {
    const std::size_t near = llmap::nearest_models(map, i).at(0);
    std::printf("%-18s  %9.4f  %s %.4f\n", map.models[i].c_str(), map.spent[i], map.models[near].c_str(),
                map.kl(i, near));
  }
  llmap::write_file(page, map_html(map, "The zoo"));
  std::printf("\npage written to %s\n", page.c_str());
}

} // namespace

int main(int count, char** values) {
  try {
    run(count > 2 ? values[1] : LLMAP_ZOO "/expected/likelihood.safetensors",
        count > 2 ? values[2] : LLMAP_ZOO "/expected/names.json", count > 3 ? values[3] : "map.html");
  } catch (const llmap::error& problem) {
    std::fprintf(stderr, "07_matrix_to_map: %s\n", problem.what());
    return 1;
  }
}
