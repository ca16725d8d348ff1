// write_one_layer CONFIG FOLDER: the model folder of a config.json cut down to its first layer, with random weights in
// BF16, whatever the config says of quantization. All other sizes stay.
#include "llmap/architectures/all.hpp"
#include "llmap/core/json_file.hpp"
#include "llmap/weights/safetensors_writer.hpp"
#include "random_model.hpp"

namespace {

/// The config, and within it that of the text part, with one layer.
llmap::json with_one_layer(const llmap::json& whole) {
  llmap::json::object cut;
  for (const llmap::json::member& m : *whole.members()) {
    if (m.name == "quantization_config") continue;
    if (m.name == "num_hidden_layers") cut.push_back({m.name, 1});
    else if (m.name == "layer_types") cut.push_back({m.name, llmap::json::array{m.value.items()->front()}});
    else if (m.name == "text_config") cut.push_back({m.name, with_one_layer(m.value)});
    else cut.push_back(m);
  }
  return cut;
}

} // namespace

int main(int count, char** values) {
  try {
    if (count != 3) llmap::fail("expected: write_one_layer CONFIG FOLDER");
    const std::filesystem::path from = values[1], folder = values[2];
    const llmap::json cut = with_one_layer(llmap::read_json_file(from));
    std::filesystem::create_directories(folder);
    llmap::write_file(folder / "config.json", canonical_text(cut));
    llmap::write_safetensors(folder / "model.safetensors",
                             bench::random_weights(plan_of(llmap::config(cut, from.string()))));
  } catch (const llmap::error& problem) {
    std::fprintf(stderr, "write_one_layer: %s\n", problem.what());
    return 1;
  }
}
