// Model folders as people have them: the hub's cache, and adapters, whose bases lie there.
#include "llmap/architectures/llama.hpp"
#include "llmap/kernels.hpp"
#include "llmap/model/fingerprint.hpp"
#include "llmap/model/language_model.hpp"
#include "llmap/weights/safetensors_writer.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"
#include <cstdlib>
#include <fstream>

using namespace llmap;
namespace fs = std::filesystem;

namespace {

const fs::path zoo = fs::path(LLMAP_SOURCE_DIR) / "examples/zoo";
const std::string first(40, 'a'), second(40, 'b');

void put(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

/// A cache with zoo/models/llama-s as lab/small, at main and at an older commit, its files links into blobs.
struct cache : temporary_folder {
  fs::path hub = path() / "hub", repository = hub / "models--lab--small";
  cache() {
    put(repository / "refs/main", first + "\n");
    for (const auto& entry : fs::directory_iterator(zoo / "models/llama-s")) {
      const fs::path name = entry.path().filename();
      fs::create_directories(repository / "blobs");
      fs::copy_file(entry.path(), repository / "blobs" / name);
      for (const std::string& commit : {first, second}) {
        fs::create_directories(repository / "snapshots" / commit);
        fs::create_symlink("../../blobs" / name, repository / "snapshots" / commit / name);
      }
    }
    ::setenv("HF_HUB_CACHE", hub.c_str(), 1);
  }
  ~cache() { ::unsetenv("HF_HUB_CACHE"); }
};

float a_of(std::size_t i) { return 0.1f * (static_cast<float>(i % 7) - 3); }
float b_of(std::size_t i) { return 0.2f * (static_cast<float>(i % 5) - 2); }

/// An adapter on the first layer's q_proj of llama-s: A (2, 40), B (40, 2), alpha / r = 2.
void write_adapter(const fs::path& folder, const std::string& base) {
  put(folder / "adapter_config.json", R"({"peft_type": "LORA", "r": 2, "lora_alpha": 4, "bias": "none",
    "base_model_name_or_path": ")" + base +
                                          R"("})");
  std::vector<float> a, b;
  for (std::size_t i = 0; i < 2 * 40; ++i) a.push_back(a_of(i)), b.push_back(b_of(i));
  const std::string name = "base_model.model.model.layers.0.self_attn.q_proj.lora_";
  memory_tensors tensors;
  tensors.add(name + "A.weight", {2, 40}, std::span<const float>(a));
  tensors.add(name + "B.weight", {40, 2}, std::span<const float>(b));
  write_safetensors(folder / "adapter_model.safetensors", tensors);
}

} // namespace

TEST(model_folders, of_the_hub_cache) {
  const cache c;
  const fs::path main = c.repository / "snapshots" / first, older = c.repository / "snapshots" / second;
  for (const fs::path& named : {fs::path("lab/small"), fs::path("lab/small@main"), fs::path("lab/small@" + first),
                                c.repository, c.repository / "", c.hub, main})
    EXPECT_EQ(model_folders(named), std::vector{main}) << named;
  EXPECT_EQ(model_folders("lab/small@" + second), std::vector{older});
  EXPECT_EQ(model_folders(c.repository / "snapshots"), (std::vector{main, older}));
  EXPECT_EQ(model_name(main), "lab/small");
  EXPECT_EQ(model_name(main / ""), "lab/small");
  EXPECT_EQ(model_name(older), "lab/small@bbbbbbb");
  EXPECT_EQ(model_name(zoo / "models/llama-s"), "llama-s");
  EXPECT_MESSAGE(model_folders("lab/small@v2"),
                 "expected a snapshot of revision v2; get it with: hf download lab/small");
  EXPECT_MESSAGE(model_folders("lab/large"), "lab/large: no such file or directory, nor a model in the cache");
  EXPECT_MESSAGE(model_folders("../small"), "no such file or directory");
  fs::remove_all(older);
  EXPECT_MESSAGE(model_folders("lab/small@" + second), "expected a snapshot of revision bbb");
}
TEST(model_folders, a_local_folder_wins) {
  const cache c;
  const fs::path before = fs::current_path();
  fs::current_path(c.path());
  put(c.path() / "lab/small/config.json", "{}");
  EXPECT_EQ(model_folders("lab/small"), std::vector{fs::path("lab/small")});
  fs::current_path(before);
}
TEST(model_folders, names_tell_models_apart) {
  const temporary_folder place;
  for (const char* folder : {"lab/small", "lab/large", "other/small", "deep/er/small"})
    put(place.path() / folder / "config.json", "{}");
  const auto names = [&](const std::vector<fs::path>& arguments) {
    std::vector<found_model> found;
    for (const fs::path& argument : arguments)
      for (const found_model& m : find_models(place.path() / argument)) found.push_back(m);
    std::vector<std::string> out;
    for (const found_model& m : tell_apart(found)) out.push_back(m.name());
    return out;
  };
  using list = std::vector<std::string>;
  EXPECT_EQ(names({"lab"}), (list{"large", "small"}));
  EXPECT_EQ(names({""}), (list{"lab/large", "lab/small", "other/small"})); // a folder of organizations
  EXPECT_EQ(names({"lab", "other"}), (list{"large", "lab/small", "other/small"}));
  EXPECT_EQ(names({"lab/small", "deep/er/small"}), (list{"lab/small", "er/small"}));
  EXPECT_EQ(names({"lab/small", "lab/small", "lab/../lab/small/"}), list{"small"});
}
TEST(model_folders, where_the_cache_lies) {
  const auto with = [](const char* name, const char* value) {
    const temporary_folder none;
    for (const char* v : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"}) ::unsetenv(v);
    ::setenv("HOME", "/users/x", 1);
    ::setenv(name, value, 1);
    const std::string path = hub_cache().lexically_normal().string();
    ::unsetenv(name);
    return path;
  };
  EXPECT_EQ(with("HF_HUB_CACHE", "~/c/"), "/users/x/c/");
  EXPECT_EQ(with("HUGGINGFACE_HUB_CACHE", "/c/"), "/c/");
  EXPECT_EQ(with("HF_HOME", "/hf"), "/hf/hub");
  EXPECT_EQ(with("XDG_CACHE_HOME", "/cache"), "/cache/huggingface/hub");
  EXPECT_EQ(with("HOME", "/users/y"), "/users/y/.cache/huggingface/hub");
}

TEST(adapter, is_a_model) {
  const cache c;
  const fs::path folder = c.path() / "tuned";
  write_adapter(folder, "lab/small");
  EXPECT_EQ(model_folders(c.path() / "tuned"), std::vector{folder});
  EXPECT_EQ(base_folder(folder), c.repository / "snapshots" / first);

  // The same update made by hand, in a checkpoint of its own.
  const fs::path merged = c.path() / "merged", original = zoo / "models/llama-s";
  fs::create_directories(merged);
  for (const char* file : {"config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"})
    fs::copy_file(original / file, merged / file);
  const checkpoint base(original);
  memory_tensors tensors;
  for (const std::string& name : base.names()) {
    std::vector<double> w = read_widened<double>(base, name);
    if (name == "model.layers.0.self_attn.q_proj.weight")
      for (std::size_t o = 0; o < 40; ++o)
        for (std::size_t i = 0; i < 40; ++i)
          for (std::size_t r = 0; r < 2; ++r) w[o * 40 + i] += 2.0 * b_of(o * 2 + r) * a_of(r * 40 + i);
    tensors.add(name, base.find(name)->shape, std::span<const double>(w));
  }
  write_safetensors(merged / "model.safetensors", tensors);

  const cpu_executor exec;
  text_set texts = load_text_set((zoo / "texts.jsonl").string());
  texts.items.resize(3);
  const auto scores = [&](const fs::path& model, const fs::path& below = {}) {
    const decoder_plan plan = llama_plan(config::load(base_folder(model, below)));
    return score(exec, load_model<double>(exec, model, plan, {}, below), texts,
                 {.overlong = overlong_policy::truncate});
  };
  const auto got = scores(folder), want = scores(merged), untouched = scores(original);
  for (std::size_t i = 0; i < texts.items.size(); ++i) {
    EXPECT_NEAR(got[i].log_likelihood, want[i].log_likelihood, 1e-9) << i;
    EXPECT_GT(std::abs(got[i].log_likelihood - untouched[i].log_likelihood), 1e-2) << i;
  }
  // The base may be named; an adapter whose base is nowhere is refused.
  const fs::path lost = c.path() / "lost";
  write_adapter(lost, "lab/lost");
  EXPECT_EQ(scores(lost, original)[0].log_likelihood, got[0].log_likelihood);
  EXPECT_MESSAGE(base_folder(lost), "base_model_name_or_path: expected the folder of a model, or one in the hub cache, "
                                    "got lab/lost");
  // Config and weights of the adapter count in the fingerprint.
  const auto print = [&](const fs::path& model) { return fingerprint_of(model_weights(model), "t", "p"); };
  EXPECT_NE(print(folder), print(original));
  const std::string before = print(folder);
  put(folder / "adapter_config.json", R"({"peft_type": "LORA", "r": 2, "lora_alpha": 8, "bias": "none",
    "base_model_name_or_path": "lab/small"})");
  EXPECT_NE(print(folder), before);
}
