// Which files are read ahead, how much of them, and that nothing that is wrong with a folder shows.
#include "llmap/model/read_ahead.hpp"
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <sys/stat.h>

using namespace llmap;

namespace {
class a_folder : public testing::Test {
protected:
  std::filesystem::path root = std::filesystem::path(testing::TempDir()) / "read_ahead", model = root / "model";
  void SetUp() override {
    std::filesystem::remove_all(root);
    std::filesystem::create_directories(model);
    write("config.json", 100), write("b.safetensors", 3000), write("a.safetensors", 5000);
  }
  void TearDown() override { std::filesystem::remove_all(root); }
  void write(const std::string& name, std::size_t bytes) const {
    std::ofstream(model / name) << std::string(bytes, ' ');
  }
};
} // namespace

TEST_F(a_folder, has_its_weights_read_ahead) {
  EXPECT_EQ(weight_files(model), (std::vector{model / "a.safetensors", model / "b.safetensors"}));
  EXPECT_EQ(weight_files(model / "a.safetensors"), std::vector{model / "a.safetensors"}); // as a GGUF file
  read_ahead ahead;
  ahead.start(model);
  EXPECT_EQ(ahead.wait(), 8000u);
  ahead.start(model / "b.safetensors");
  EXPECT_EQ(ahead.wait(), 3000u);
  EXPECT_EQ(ahead.wait(), 3000u);
}
TEST_F(a_folder, within_a_bound) {
  read_ahead ahead;
  ahead.start(model, {}, 7999);
  EXPECT_EQ(ahead.wait(), 5000u);
  ahead.start(model, {}, 0);
  EXPECT_EQ(ahead.wait(), 0u);
}
TEST_F(a_folder, of_an_adapter_and_its_base) {
  const auto adapter = root / "adapter";
  std::filesystem::create_directories(adapter);
  std::ofstream(adapter / "adapter_config.json") << R"({"base_model_name_or_path": "missing"})";
  std::ofstream(adapter / "adapter_model.safetensors") << "ten bytes.";
  read_ahead ahead;
  ahead.start(adapter);
  EXPECT_EQ(ahead.wait(), 10u);
  ahead.start(adapter, model);
  EXPECT_EQ(ahead.wait(), 8010u);
}
TEST_F(a_folder, that_is_not_right_is_left_alone) {
  read_ahead ahead;
  ahead.start(root / "missing");
  EXPECT_EQ(ahead.wait(), 0u);
  ahead.start({});
  EXPECT_EQ(ahead.wait(), 0u);
  ASSERT_EQ(::mkfifo((model / "c.safetensors").c_str(), 0600), 0); // would wait for a writer
  std::filesystem::create_directory(model / "d.safetensors");
  std::filesystem::create_symlink("nowhere", model / "e.safetensors");
  ahead.start(model);
  EXPECT_EQ(ahead.wait(), 8000u);
  std::ofstream(model / "adapter_config.json") << "no JSON";
  std::filesystem::remove(model / "config.json");
  ahead.start(model);
  EXPECT_EQ(ahead.wait(), 8000u);
}
