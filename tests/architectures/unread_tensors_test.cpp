// What lies in the files beside what a plan reads: nothing in a model that its config describes; and why that matters
// where a publisher brings code of its own.
#include "llmap/architectures/all.hpp"
#include "llmap/architectures/settle_plan.hpp"
#include "llmap/weights/model_weights.hpp"
#include "support/golden.hpp"

using namespace llmap;

namespace {

/// Names only.
struct named_tensors {
  std::vector<std::string> all;

  std::vector<std::string> names() const { return all; }
  std::optional<tensor_info> find(const std::string& name) const {
    return std::find(all.begin(), all.end(), name) == all.end() ? std::nullopt : std::optional(tensor_info{});
  }
  tensor_data read(const std::string& name) const { fail("tensor ", name, ": only its name is here"); }
};

const char* const small_llama = R"({"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 8, "vocab_size": 16,
  "intermediate_size": 8, "num_attention_heads": 2, "auto_map": {"AutoModelForCausalLM": "modeling_own.OwnForCausalLM"}})";

decoder_plan plan_of_text(const std::string& text) {
  return plan_of(config(parse_json(text, "config.json"), "config.json"));
}

named_tensors tensors_of(const decoder_plan& plan) {
  named_tensors t;
  for (const tensor_spec& spec : tensor_table(plan)) t.all.push_back(spec.name);
  return t;
}

/// Gemma 3n and 4 have parts that are never used: the keys and values of layers that share those of another.
bool is_unused_by_its_family(const std::string& model, const std::string& tensor) {
  if (!model.starts_with("gemma3n") && !model.starts_with("gemma4")) return false;
  for (const char* part : {"self_attn.k_norm", "self_attn.k_proj", "self_attn.v_proj", "altup.correct_output_scale"})
    if (tensor.find(part) != std::string::npos) return true;
  return false;
}

} // namespace

TEST(unread_tensors, golden_models_have_none) {
  int seen = 0;
  for (const std::string kind : {"models", "checkpoints"})
    for (const std::string& name : golden::cases(kind)) {
      const std::filesystem::path folder = golden::folder(kind) / name;
      if (!std::filesystem::exists(folder / "config.json")) continue; // no adapters
      const model_weights weights(folder);
      const auto tensors = weights.tensors(dtype::f32, false);
      const decoder_plan plan = settle_plan(plan_of(weights.read_config()), weights.base_tensors(dtype::f32), name);
      for (const std::string& unread : unread_tensors(plan, tensors))
        EXPECT_TRUE(is_unused_by_its_family(name, unread)) << kind << "/" << name << ": " << unread;
      seen += 1;
    }
  EXPECT_GE(seen, 150);
}

TEST(unread_tensors, names_those_that_may_matter) {
  const decoder_plan plan = plan_of_text(small_llama);
  named_tensors t = tensors_of(plan);
  for (const char* name : {"model.layers.0.self_attn.rotary_emb.inv_freq", "model.layers.2.mlp.up_proj.weight",
                           "model.layers.10.mlp.up_proj.weight", "mtp.norm.weight", "model.layers.0.attn.bias"})
    t.all.push_back(name);
  EXPECT_TRUE(unread_tensors(plan, t).empty());
  t.all.push_back("model.layers.1.self_attn.q_proj.bias");
  t.all.push_back("model.layers.1.attn.c_attn.bias"); // no mask
  t.all.push_back("model.layers.0.mlp.router.weight");
  EXPECT_EQ(unread_tensors(plan, t),
            (std::vector<std::string>{"model.layers.0.mlp.router.weight", "model.layers.1.attn.c_attn.bias",
                                      "model.layers.1.self_attn.q_proj.bias"}));
}

TEST(custom_code, is_not_run_and_not_needed_where_every_tensor_is_read) {
  const decoder_plan plan = plan_of_text(small_llama);
  EXPECT_EQ(plan.custom_code, "modeling_own.OwnForCausalLM");
  named_tensors t = tensors_of(plan);
  EXPECT_EQ(settle_plan(plan, t, "folder").custom_code, plan.custom_code);
  t.all.push_back("model.layers.0.mlp.router.weight");
  EXPECT_MESSAGE(settle_plan(plan, t, "folder"),
                 "folder: auto_map: modeling_own.OwnForCausalLM, the publisher's own code, decides what this llama "
                 "computes, and it cannot be run here; the class of this name does not read 1 of the tensors: "
                 "model.layers.0.mlp.router.weight");
  decoder_plan own = plan;
  own.custom_code.clear();
  EXPECT_NO_THROW(settle_plan(own, t, "folder"));
}

TEST(custom_code, of_a_tokenizer_alone_is_none) {
  std::string text = small_llama;
  text.replace(text.find("AutoModelForCausalLM"), 20, "AutoTokenizer");
  EXPECT_EQ(plan_of_text(text).custom_code, "");
}
