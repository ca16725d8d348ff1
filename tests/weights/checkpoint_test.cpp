#include "llmap/weights/checkpoint.hpp"
#include "llmap/weights/safetensors_writer.hpp"
#include "llmap/weights/tensor_table.hpp"
#include "llmap/weights/unused_weights.hpp"
#include "llmap/weights/widen.hpp"
#include "support/golden.hpp"

using namespace llmap;
namespace fs = std::filesystem;

static_assert(tensor_source<checkpoint> && tensor_source<safetensors_file> && tensor_source<memory_tensors>);

namespace {
struct sharded_copy : golden::scratch {
  sharded_copy() {
    for (const auto& entry : fs::directory_iterator(golden::folder("models") / "bloom_postln_residual"))
      fs::copy(entry.path(), path / entry.path().filename());
  }
  void edit_index(const std::function<void(nlohmann::json&)>& change) const {
    nlohmann::json index = golden::read(path / "model.safetensors.index.json");
    change(index);
    write("model.safetensors.index.json", index.dump());
  }
};
} // namespace

TEST(checkpoint, reads_shards_by_index) {
  const sharded_copy dir;
  const checkpoint c(dir.path);
  EXPECT_EQ(c.shards().size(), 2u);
  EXPECT_TRUE(c.find("transformer.ln_f.weight"));
  EXPECT_GT(c.read("transformer.ln_f.weight").bytes.size(), 0u);
  EXPECT_MESSAGE(c.read("nothing"), "missing");
}
TEST(checkpoint, checks_the_index) {
  const auto refused = [](const char* message, const std::function<void(nlohmann::json&)>& change) {
    const sharded_copy dir;
    dir.edit_index(change);
    EXPECT_MESSAGE(checkpoint{dir.path}, message);
  };
  const auto first = [](nlohmann::json& index) -> nlohmann::json& { return index["weight_map"].begin().value(); };
  refused("weight_map", [](nlohmann::json& i) { i.erase("weight_map"); });
  refused("is missing from the folder", [&](nlohmann::json& i) { first(i) = "model-00009-of-00009.safetensors"; });
  for (const char* name : {"../model.safetensors", "..", "", "a/../../m.safetensors", "/m.safetensors",
                           "a\\m.safetensors", "m.bin", "pytorch_model-00001-of-00002"})
    refused("expected a .safetensors file inside the folder, got ", [&](nlohmann::json& i) { first(i) = name; });
  refused("expected a .safetensors file inside the folder",
          [&](nlohmann::json& i) { first(i) = std::string("m\0.safetensors", 14); });
  refused("expected a file name", [&](nlohmann::json& i) { first(i) = 3; });
}
// As transformers does, which reads every shard that the index names, whole.
TEST(checkpoint, the_shards_say_what_they_hold) {
  const std::vector<std::string> names = checkpoint(golden::folder("models") / "bloom_postln_residual").names();
  const auto reads_all = [&](const std::function<void(nlohmann::json&)>& change) {
    const sharded_copy dir;
    dir.edit_index(change);
    EXPECT_EQ(checkpoint(dir.path).names(), names);
  };
  reads_all([](nlohmann::json& i) { i["weight_map"]["nobody"] = i["weight_map"].begin().value(); });
  reads_all([](nlohmann::json& i) { i["weight_map"].erase(i["weight_map"].begin()); });
  reads_all([](nlohmann::json& i) { // every tensor said to be where it is not
    for (auto& shard : i["weight_map"])
      shard = shard == "model-00001-of-00002.safetensors" ? "model-00002-of-00002.safetensors"
                                                          : "model-00001-of-00002.safetensors";
  });
}
TEST(checkpoint, shards_may_lie_in_folders) {
  const sharded_copy dir;
  const std::vector<std::string> names = checkpoint(dir.path).names();
  fs::create_directory(dir.path / "shards");
  fs::rename(dir.path / "model-00002-of-00002.safetensors", dir.path / "shards" / "b.safetensors");
  dir.edit_index([](nlohmann::json& i) {
    for (auto& shard : i["weight_map"])
      if (shard == "model-00002-of-00002.safetensors") shard = "shards/b.safetensors";
  });
  const checkpoint c(dir.path);
  EXPECT_EQ(c.names(), names);
  EXPECT_TRUE(unused_weights(dir.path, c).empty());
}
TEST(checkpoint, a_tensor_in_two_shards_is_refused_when_it_is_needed) {
  const sharded_copy dir;
  fs::copy(dir.path / "model-00002-of-00002.safetensors", dir.path / "copy.safetensors");
  dir.edit_index([](nlohmann::json& i) { i["weight_map"]["nobody"] = "copy.safetensors"; });
  const checkpoint c(dir.path);
  const std::string twice = safetensors_file(dir.path / "copy.safetensors").names().at(0);
  const std::string once = safetensors_file(dir.path / "model-00001-of-00002.safetensors").names().at(0);
  EXPECT_GT(c.read(once).bytes.size(), 0u);
  EXPECT_MESSAGE(c.read(twice), "tensor " + twice + ": expected in one shard, got it in ");
  EXPECT_MESSAGE(c.find(twice), "copy.safetensors");
}
TEST(checkpoint, a_single_file_wins_over_an_index) {
  const sharded_copy dir;
  fs::copy(golden::folder("models") / "gpt2_bare" / "model.safetensors", dir.path);
  const std::vector<std::string> single = safetensors_file(dir.path / "model.safetensors").names();
  EXPECT_EQ(checkpoint(dir.path).names(), single);
  EXPECT_EQ(checkpoint(dir.path).shards().size(), 1u);
  EXPECT_EQ(unused_weights(dir.path, checkpoint(dir.path)),
            (std::vector<std::string>{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                                      "model.safetensors.index.json"}));
  fs::remove(dir.path / "model-00001-of-00002.safetensors"); // the index of an older save, whose shards are gone
  EXPECT_EQ(checkpoint(dir.path).names(), single);
}
TEST(checkpoint, an_adapter_is_refused) {
  for (const char* name : {"adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"}) {
    const sharded_copy dir;
    dir.write(name, "{}");
    EXPECT_MESSAGE(checkpoint{dir.path}, std::string(name) + ": expected a model without an adapter");
  }
}
TEST(unused_weights, lists_other_forms_and_folders_inside) {
  const sharded_copy dir;
  fs::create_directory(dir.path / "original");
  for (const char* name :
       {"original/consolidated.00.pth", "pytorch_model.bin", "model-q4.gguf", "consolidated.safetensors",
        "model-00009-of-00009.safetensors", "pytorch_model.bin.index.json", "README.md", "generation_config.json"})
    dir.write(name, "");
  fs::create_symlink("nowhere", dir.path / "gone.safetensors");
  EXPECT_EQ(unused_weights(dir.path, checkpoint(dir.path)),
            (std::vector<std::string>{
                "consolidated.safetensors", "gone.safetensors", "model-00009-of-00009.safetensors", "model-q4.gguf",
                "original/consolidated.00.pth", "pytorch_model.bin", "pytorch_model.bin.index.json"}));
}
TEST(checkpoint, a_huge_index_is_refused_unread) {
  const sharded_copy dir;
  fs::resize_file(dir.path / "model.safetensors.index.json", large_file_bytes + 1);
  EXPECT_MESSAGE(checkpoint{dir.path},
                 "model.safetensors.index.json: expected at most 1073741824 bytes, got 1073741825");
}
TEST(checkpoint, refuses_folders_without_weights) {
  golden::scratch dir;
  EXPECT_MESSAGE(checkpoint{dir.path}, "found neither");
  EXPECT_MESSAGE(checkpoint{dir.path / "none"}, "no such file");
  EXPECT_MESSAGE(checkpoint{dir.write("file", "")}, "expected a checkpoint directory");
}
TEST(checkpoint, names_what_lies_there_instead) {
  for (const auto& [file, says] :
       {std::pair{"pytorch_model.bin", "found neither but pytorch_model.bin: perhaps save the model again"},
        {"model.Q4_K.gguf", "found neither but model.Q4_K.gguf: perhaps name that file"},
        {"consolidated.safetensors", "found neither but consolidated.safetensors: the publisher's own layout"},
        {"model.fp16.safetensors", "model.fp16.safetensors: perhaps call it model.safetensors"}}) {
    golden::scratch dir;
    dir.write(file, "");
    dir.write("training_args.bin", "");
    EXPECT_MESSAGE(checkpoint{dir.path}, says);
  }
  for (const auto& [content, says] :
       {std::pair{"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n", "got a pointer of Git LFS"},
        {"GGUF\3\0\0\0________", "got a GGUF file"},
        {"<!DOCTYPE html>\n<html>", "got a page of HTML; perhaps the download asked for a login"},
        {"PK\3\4_______", "got a file of PyTorch"}}) {
    golden::scratch dir;
    dir.write("model.safetensors", content);
    EXPECT_MESSAGE(checkpoint{dir.path}, std::string("model.safetensors: expected a safetensors file, ") + says);
    EXPECT_MESSAGE(parse_json(content, "config.json"), std::string("config.json: expected JSON, ") + says);
  }
}
TEST(checkpoint, names_that_training_code_wrapped) {
  const std::vector<float> values{1, 2};
  const auto with = [&](const std::vector<std::string>& names) {
    golden::scratch dir;
    memory_tensors tensors;
    for (const std::string& name : names) tensors.add<float>(name, {2}, values);
    write_safetensors(dir.path / "model.safetensors", tensors);
    const checkpoint read(dir.path);
    for (const std::string& name : read.names()) {
      EXPECT_EQ(read.find(name)->shape, std::vector<std::int64_t>{2});
      EXPECT_EQ(read_widened<float>(read, name), values);
    }
    return read.names();
  };
  using list = std::vector<std::string>;
  EXPECT_EQ(with({"_orig_mod.a", "_orig_mod.b.c"}), (list{"a", "b.c"}));
  EXPECT_EQ(with({"module.a", "module.b"}), (list{"a", "b"}));
  EXPECT_EQ(with({"module._orig_mod.base_model.model.a"}), list{"a"});
  EXPECT_EQ(with({"module.a", "b"}), (list{"b", "module.a"})); // not all: the names are the model's own
}
TEST(tensor_table, names_what_is_there_if_nothing_is_found) {
  memory_tensors source;
  const std::vector<float> two{1, 2};
  source.add<float>("encoder.a", {2}, two);
  source.add<float>("encoder.b", {2}, two);
  const std::vector<tensor_spec> table{{"a", {2}}, {"b", {2}}};
  EXPECT_MESSAGE(check_tensors(source, table, "model"), "model: none of 2 tensors is there under its name: a: missing, "
                                                        "expected [2]; there are encoder.a, encoder.b");
}
TEST(tensor_table, a_scalar_is_a_vector_of_one_element) {
  memory_tensors source;
  source.add<float>("beta", {}, std::vector<float>{0.5f});
  EXPECT_TRUE(tensor_problems(source, std::vector<tensor_spec>{{"beta", {1}}}).empty());
  EXPECT_EQ(tensor_problems(source, std::vector<tensor_spec>{{"beta", {2}}}),
            std::vector<std::string>{"beta: expected shape [2], got []"});
}
TEST(tensor_table, lists_every_problem_at_once) {
  memory_tensors source;
  const std::vector<float> two{1, 2};
  const std::vector<std::int32_t> whole{1, 2};
  source.add<float>("short", {2}, two);
  source.add<std::int32_t>("typed", {2}, whole);
  source.add<float>("good", {2}, two);
  const std::vector<tensor_spec> table{{"good", {2}}, {"short", {3}}, {"absent", {1, 4}}, {"typed", {2}}};
  const auto problems = tensor_problems(source, table);
  ASSERT_EQ(problems.size(), 3u);
  EXPECT_EQ(problems[0], "short: expected shape [3], got [2]");
  EXPECT_EQ(problems[1], "absent: missing, expected [1, 4]");
  EXPECT_EQ(problems[2], "typed: expected F64, F32, BF16 or F16, got I32");
  EXPECT_MESSAGE(check_tensors(source, table, "model"), "model: 3 tensors cannot be used: short");
  EXPECT_TRUE(has_prefix(source, "go"));
  EXPECT_FALSE(has_prefix(source, "model."));
}
