#include "llmap/weights/checkpoint.hpp"
#include "llmap/weights/tensor_table.hpp"
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
  refused("plain file name", [&](nlohmann::json& i) { first(i) = "../model.safetensors"; });
  refused("plain file name", [&](nlohmann::json& i) { first(i) = ".."; });
  refused("expected a file name", [&](nlohmann::json& i) { first(i) = 3; });
  refused("not in shard", [](nlohmann::json& i) { i["weight_map"]["nobody"] = i["weight_map"].begin().value(); });
  refused("is not in weight_map", [](nlohmann::json& i) { i["weight_map"].erase(i["weight_map"].begin()); });
}
TEST(checkpoint, a_huge_index_is_refused_unread) {
  const sharded_copy dir;
  fs::resize_file(dir.path / "model.safetensors.index.json", large_file_bytes + 1);
  EXPECT_MESSAGE(checkpoint{dir.path}, "model.safetensors.index.json: expected at most 1073741824 bytes, got 1073741825");
}
TEST(checkpoint, refuses_folders_without_weights) {
  golden::scratch dir;
  EXPECT_MESSAGE(checkpoint{dir.path}, "found neither");
  EXPECT_MESSAGE(checkpoint{dir.path / "none"}, "no such file");
  EXPECT_MESSAGE(checkpoint{dir.write("file", "")}, "expected a checkpoint directory");
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
