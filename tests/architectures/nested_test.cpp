// Text parts of larger models: their config lies inside the other, their tensors have longer names, and others lie
// beside them. The scores have the bits of the text model by itself.
#include "llmap/architectures/all.hpp"
#include "llmap/cpu.hpp"
#include "llmap/forward/load.hpp"
#include "llmap/likelihood/score.hpp"
#include "llmap/weights/checkpoint.hpp"
#include "support/golden.hpp"

using namespace llmap;

namespace {

/// The golden text model in a folder as a part of a larger one: "model." is written `base`, other names `front` + name.
struct wrapped {
  checkpoint weights;
  std::string base, front;

  wrapped(const std::filesystem::path& folder, std::string base_, std::string front_)
      : weights(folder), base(std::move(base_)), front(std::move(front_)) {}
  std::string inner(const std::string& name) const {
    if (name.starts_with(base)) return "model." + name.substr(base.size());
    return name.starts_with(front) ? name.substr(front.size()) : "";
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all{"vision_tower.layers.0.self_attn.q_proj.weight"};
    for (const std::string& n : weights.names())
      all.push_back(n.starts_with("model.") ? base + n.substr(6) : front + n);
    return all;
  }
  std::optional<tensor_info> find(const std::string& name) const { return weights.find(inner(name)); }
  tensor_data read(const std::string& name) const { return weights.read(inner(name)); }
};

template <class Source> std::vector<double> scores(decoder_plan plan, const Source& source) {
  const cpu_executor exec{1};
  ragged_batch batch;
  batch.add(std::vector<std::int32_t>{1, 5, 9, 2, 7});
  score_workspace<cpu_executor, double> work;
  return token_log_probabilities(exec, load_decoder<double>(exec, std::move(plan), source, "case"), batch, work);
}

} // namespace

TEST(text_config, gemma3_in_both_spellings) {
  for (const char* name : {"gemma3_text_pattern", "gemma3_text_types"}) { // a tied head, and one of its own
    const auto folder = golden::folder("models") / name;
    json::object outer{{"model_type", json("gemma3")}, {"text_config", read_json_file(folder / "config.json")}};
    const std::vector<double> expected = scores(plan_of(config::load(folder)), checkpoint(folder));
    const decoder_plan plan = plan_of(config(json(std::move(outer)), "config.json"));
    EXPECT_EQ(scores(plan, wrapped(folder, "model.language_model.", "")), expected) << name;
    EXPECT_EQ(scores(plan, wrapped(folder, "language_model.model.", "language_model.")), expected) << name;
  }
}
TEST(text_config, a_text_model_saved_alone_by_the_class_of_the_larger_one) {
  const auto folder = golden::folder("models") / "gemma3n_text_variant";
  const decoder_plan plan = plan_of(config::load(folder));
  EXPECT_EQ(scores(plan, wrapped(folder, "model.language_model.", "")), scores(plan, checkpoint(folder)));
}
TEST(text_config, what_is_not_known_is_refused) {
  const auto plan = [](const char* text) { return plan_of(config(parse_json(text, "config.json"), "config.json")); };
  EXPECT_MESSAGE(plan(R"({"model_type": "new_vl", "text_config": {"model_type": "llama"}})"),
                 "config.json: model_type: expected one of ");
  EXPECT_MESSAGE(plan(R"({"model_type": "gemma3"})"), "config.json: text_config: missing");
  EXPECT_MESSAGE(plan(R"({"model_type": "gemma3", "text_config": {"model_type": "new"}})"),
                 "config.json: text_config: model_type: expected one of ");
}
TEST(tensor_naming, prefixes_of_larger_models) {
  const auto source = [](const std::string& name) {
    memory_tensors tensors;
    tensors.add<float>(name, {1}, std::vector<float>{1});
    return tensors;
  };
  const std::vector<std::string> nested{"model.language_model.", "language_model.model."};
  const tensor_naming inside(source("model.language_model.norm.weight"), "model.", nested);
  EXPECT_EQ(inside("model.norm.weight"), "model.language_model.norm.weight");
  EXPECT_EQ(inside("lm_head.weight"), "lm_head.weight");
  const tensor_naming outside(source("language_model.model.norm.weight"), "model.", nested);
  EXPECT_EQ(outside("model.norm.weight"), "language_model.model.norm.weight");
  EXPECT_EQ(outside("lm_head.weight"), "language_model.lm_head.weight");
  const tensor_naming plain(source("model.norm.weight"), "model.", nested);
  EXPECT_EQ(plain("model.norm.weight"), "model.norm.weight");
}
