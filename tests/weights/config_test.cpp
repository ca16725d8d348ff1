#include "llmap/architectures/all.hpp"
#include "support/golden.hpp"
#include <set>

using namespace llmap;

namespace {
decoder_plan plan_from(const std::string& text) {
  return plan_of(config(parse_json(text, "config.json"), "config.json"));
}
} // namespace

TEST(config, fields_have_types_limits_and_other_names) {
  const config c(
      parse_json(R"({"n": 3, "f": 10000, "g": 4.0, "b": true, "s": "x", "z": null, "big": 1e30, "n_embd": 8})", "c"),
      "c");
  EXPECT_EQ(c.integer("n", 1), 3);
  EXPECT_EQ(c.integer("absent", 7), 7);
  EXPECT_EQ(c.integer("hidden_size|n_embd", 1), 8);
  EXPECT_EQ(c.integer("g", 1), 4);
  EXPECT_EQ(c.real("f", 0), 10000);
  EXPECT_TRUE(c.absent("z") && c.is_null("z") && c.has("z") && !c.has("absent"));
  EXPECT_MESSAGE(c.integer("n", 1, 4, 5), "c: n: expected an integer from 4 to 5, got 3");
  EXPECT_MESSAGE(c.integer("s", 1), "c: s: expected an integer, got \"x\"");
  EXPECT_MESSAGE(c.integer("big", 1), "integer");
  EXPECT_MESSAGE(c.boolean("n", true), "true or false");
  EXPECT_MESSAGE(c.text("n", ""), "a string");
  EXPECT_MESSAGE(c.positive("z", 1), "finite number");
}
TEST(config, python_numbers_are_carried) {
  golden::scratch dir;
  dir.write("config.json", R"({"limit": [0.0, Infinity], "text": "Infinity \" NaN", "nan": NaN, "minus": -Infinity})");
  const config c = config::load(dir.path);
  EXPECT_EQ(c.text("text", ""), "Infinity \" NaN");
  EXPECT_MESSAGE(c.real("nan", 0), "finite number");
  dir.write("config.json", "{\"a\": 1, \"a\": 2}");
  EXPECT_MESSAGE(config::load(dir.path), "appears twice");
  dir.write("config.json", "[1]");
  EXPECT_MESSAGE(config::load(dir.path), "expected a JSON object");
}
TEST(architectures, refuse_what_they_do_not_know) {
  EXPECT_MESSAGE(plan_from("{}"), "model_type: missing");
  EXPECT_MESSAGE(plan_from(R"({"model_type": "gpt9"})"), "expected one of apertus, arcee, biogpt");
  EXPECT_MESSAGE(plan_from(R"({"model_type": "llama", "hidden_act": "snake"})"), "hidden_act");
  EXPECT_MESSAGE(plan_from(R"({"model_type": "llama", "rope_scaling": {"type": "spiral"}})"), "rope_scaling: type");
  EXPECT_MESSAGE(plan_from(R"({"model_type": "llama", "rope_scaling": {"type": "linear"}})"), "factor: missing");
  EXPECT_MESSAGE(plan_from(R"({"model_type": "llama", "hidden_size": 10, "num_attention_heads": 3})"), "multiple");
  EXPECT_MESSAGE(plan_from(R"({"model_type": "llama", "num_hidden_layers": 1000000000})"), "num_hidden_layers");
  EXPECT_MESSAGE(plan_from(R"({"model_type": "qwen2", "use_sliding_window": true, "layer_types": ["round"]})"),
                 "layer_types");
}
// Every golden config with 0 for its number of layers, under whatever name it has there.
TEST(architectures, a_model_has_layers) {
  std::set<std::string> seen;
  for (const std::string& name : golden::cases("models")) {
    std::string text = read_file(golden::folder("models") / name / "config.json");
    if (const auto at = text.find("Infinity"); at != std::string::npos) text.replace(at, 8, "1e300"); // no JSON
    nlohmann::json c = nlohmann::json::parse(text);
    nlohmann::json& own = c.contains("text_config") ? c["text_config"] : c;
    const char* key = "num_hidden_layers";
    for (const char* other : {"n_layer", "n_layers", "num_layers"})
      if (own.contains(other)) key = other;
    own[key] = 0;
    for (const char* list : {"layer_types", "layers_block_type", "hybrid_override_pattern"}) own.erase(list);
    EXPECT_MESSAGE(plan_from(c.dump()), std::string(key) + ": expected an integer from 1 to 4096, got 0") << name;
    seen.insert(c["model_type"].get<std::string>());
  }
  EXPECT_GE(seen.size(), 70u);
}
namespace {
attention_plan attention_in(const decoder_plan& plan, std::size_t layer) {
  return std::get<attention_plan>(plan.layers[layer].branches[0].mixer);
}
} // namespace
TEST(architectures, defaults_are_those_of_the_class) {
  const decoder_plan mistral = plan_from(R"({"model_type": "mistral", "num_hidden_layers": 1})");
  EXPECT_EQ(attention_in(mistral, 0).window, 4096);
  EXPECT_EQ(attention_in(mistral, 0).kv_heads, 8);
  EXPECT_EQ(
      attention_in(plan_from(R"({"model_type": "mistral", "sliding_window": null, "num_hidden_layers": 1})"), 0).window,
      0);
  const decoder_plan gemma = plan_from(R"({"model_type": "gemma2", "num_hidden_layers": 2})");
  EXPECT_EQ(attention_in(gemma, 0).window, 4096);
  EXPECT_EQ(attention_in(gemma, 1).window, 0);
  EXPECT_TRUE(gemma.tied());
  EXPECT_FALSE(plan_from(R"({"model_type": "llama", "num_hidden_layers": 1})").tied());
}
