// Models in GGUF files: block formats against the values of the Python package gguf, whole models against transformers,
// and hostile files.
#include "llmap/likelihood/score.hpp"
#include "llmap/model.hpp"
#include "llmap/weights/safetensors.hpp"
#include "support/golden.hpp"

namespace {
std::string little(std::uint64_t value, int bytes) {
  std::string s;
  for (int i = 0; i < bytes; ++i) s += static_cast<char>(value >> (8 * i) & 255);
  return s;
}
std::string text(const std::string& s) { return little(s.size(), 8) + s; }
/// magic, version 3, tensors, metadata
std::string head(std::uint64_t tensors, std::uint64_t metadata) {
  return "GGUF" + little(3, 4) + little(tensors, 8) + little(metadata, 8);
}
} // namespace

TEST(gguf, blocks_have_the_values_of_the_reference) {
  const llmap::safetensors_file golden_file(golden::folder("gguf") / "blocks.safetensors");
  int checked = 0;
  for (const llmap::gguf::block_format& format : llmap::gguf::block_formats) {
    const std::string name(format.name);
    if (!golden_file.find(name + ".blocks")) continue;
    ++checked;
    const auto blocks = golden_file.read(name + ".blocks"), values = golden_file.read(name + ".values");
    std::vector<float> got(static_cast<std::size_t>(values.info.elements())), want(got.size());
    std::memcpy(want.data(), values.bytes.data(), values.bytes.size());
    llmap::gguf::dequantize(format, blocks.bytes, got);
    for (std::size_t i = 0; i < got.size(); ++i)
      ASSERT_NEAR(got[i], want[i], 2e-7f * (1 + std::abs(want[i]))) << name << " " << i;
  }
  EXPECT_EQ(checked, 10);
}
TEST(gguf, models_have_the_log_probabilities_of_transformers) {
  const llmap::cpu_executor exec{2};
  const std::map<std::string, std::string> schemes{
      {"llama_q4_k_m", "GGUF Q4_K"}, {"llama_q8_0", "GGUF Q8_0"}, {"qwen2_q5_1", "GGUF Q5_1"}, {"qwen3_f16", ""}};
  for (const auto& [name, scheme] : schemes) {
    const auto path = golden::folder("gguf") / (name + ".gguf");
    const nlohmann::json expected = golden::read(golden::folder("gguf") / (name + ".json"));
    EXPECT_EQ(llmap::model_weights(path).quantization(), scheme);
    const auto model = llmap::load_model<double>(exec, path);
    EXPECT_EQ(model.name, name);
    EXPECT_EQ(model.words.adds_bos(), name.starts_with("llama"));
    llmap::score_workspace<llmap::cpu_executor, double> work;
    llmap::ragged_batch batch;
    batch.add(expected["ids"].get<std::vector<std::int32_t>>());
    const auto got = token_log_probabilities(exec, model.network, batch, work);
    const auto want = expected["log_probabilities"].get<std::vector<double>>();
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], 1e-9) << name << ", token " << i;
  }
}
TEST(gguf, weights_stay_in_the_codes_of_their_blocks) {
  struct comparison {
    const llmap::gguf::tensors& tensors;
    const llmap::tensor_naming names{};
    int in_codes = 0;
    void operator()(const llmap::linear_plan& p, llmap::tensor_use) {
      if (!p.present()) return;
      llmap::arena room;
      const auto held = llmap::pack<float>(llmap::cpu_executor{2}, tensors, p, names, {}, room);
      std::size_t row = 0;
      std::vector<float> got(held.cols);
      for (const llmap::matrix_part& part : p.parts) {
        std::vector<float> all;
        append_widened(tensors.read(part.weight), part.weight, all);
        for (std::size_t r = 0; r < static_cast<std::size_t>(part.rows); ++r) {
          held.read_row(row++, got.data());
          const float* want = all.data() + llmap::detail::stored_row(part, r) * held.cols;
          ASSERT_TRUE(std::equal(got.begin(), got.end(), want)) << part.weight << " row " << r;
        }
      }
      in_codes += !held.in_codes.empty();
    }
    void operator()(const llmap::vector_plan&, llmap::tensor_use) {}
    void operator()(const llmap::norm_plan&, llmap::tensor_use) {}
  };
  for (const std::string name : {"llama_q4_k_m", "llama_q8_0", "qwen2_q5_1", "qwen3_f16"}) {
    const auto path = golden::folder("gguf") / (name + ".gguf");
    const llmap::gguf::tensors tensors(std::make_shared<const llmap::gguf::file>(path));
    comparison all{tensors};
    visit_tensors(llmap::plan_of(llmap::model_config(path)), all);
    EXPECT_EQ(all.in_codes > 0, name != "qwen3_f16") << name;
  }
}
TEST(gguf, what_is_not_understood_is_refused_by_name) {
  golden::scratch dir;
  const auto string_entry = [](const std::string& key, const std::string& value) {
    return text(key) + little(8, 4) + text(value);
  };
  const auto tensor = [](const std::string& name, int type) { // 256 numbers
    return text(name) + little(1, 4) + little(256, 8) + little(static_cast<std::uint64_t>(type), 4) + little(0, 8);
  };
  const auto file = [&](const std::string& content) { return dir.write("m.gguf", content + std::string(2048, 0)); };
  const auto config = [](const std::filesystem::path& path) { return llmap::model_config(path); };
  const std::string llama = string_entry("general.architecture", "llama");
  EXPECT_MESSAGE(llmap::gguf::file{file(head(1, 0) + tensor("w", 16))},
                 "tensor w: type: expected F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 or Q2_K to Q6_K, got IQ2_XXS");
  EXPECT_MESSAGE(llmap::gguf::file{file(head(0, 1) + text("split.count") + little(2, 4) + little(3, 2))},
                 "split.count: expected a model in one file, got one of 3");
  EXPECT_MESSAGE(config(file(head(0, 1) + string_entry("general.architecture", "rwkv6"))),
                 "general.architecture: expected llama, qwen2 or qwen3, got rwkv6");
  EXPECT_MESSAGE(config(file(head(0, 2) + llama + string_entry("llama.expert_count", "8"))),
                 "llama.expert_count: not understood");
  const auto whole =
      std::make_shared<const llmap::gguf::file>(file(head(1, 1) + llama + tensor("blk.0.attn_q.bias", 0)));
  EXPECT_MESSAGE(llmap::gguf::tensors{whole}, "tensor blk.0.attn_q.bias: not understood");
}
TEST(gguf, hostile_files_are_refused) {
  golden::scratch dir;
  const std::string huge = little(~std::uint64_t{0}, 8);
  const std::string table[] = {"",
                               "GGUF",
                               "GGML" + std::string(40, '\0'),
                               "GGUF" + little(9, 4) + std::string(40, '\0'),
                               "GGUF" + little(3, 4) + huge + huge,
                               head(0, 1) + huge,
                               head(0, 1) + text("key") + little(99, 4),
                               head(0, 1) + text("key") + little(9, 4) + little(8, 4) + huge,
                               head(1, 0) + text("w") + little(2, 4) + huge + huge,
                               head(1, 0) + text("w") + little(1, 4) + little(32, 8) + little(2, 4) + huge};
  for (const std::string& content : table) {
    const auto path = dir.write("h.gguf", content);
    EXPECT_MESSAGE(llmap::gguf::file{path}, "h.gguf");
  }
}
TEST(gguf, what_lies_in_place_of_a_file_is_named) {
  golden::scratch dir;
  EXPECT_MESSAGE(llmap::gguf::file{dir.write("m.gguf", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n")},
                 "m.gguf: expected a GGUF file, got a pointer of Git LFS");
  EXPECT_MESSAGE(llmap::gguf::file{dir.write("m.gguf", "something else")},
                 "m.gguf: expected a GGUF file, got something else");
}
TEST(gguf, its_lists_make_a_tokenizer) {
  golden::scratch dir;
  const auto strings = [](const std::vector<std::string>& all) {
    std::string s = little(9, 4) + little(8, 4) + little(all.size(), 8);
    for (const std::string& one : all) s += text(one);
    return s;
  };
  const auto numbers = [](const std::vector<int>& all) { // int32
    std::string s = little(9, 4) + little(5, 4) + little(all.size(), 8);
    for (const int one : all) s += little(static_cast<std::uint32_t>(one), 4);
    return s;
  };
  const auto load = [&](const std::string& model, const std::vector<std::string>& tokens,
                        const std::vector<int>& types) {
    return llmap::tokenizer::from_files(llmap::gguf::tokenizer_files_of(llmap::gguf::file(dir.write(
        "t.gguf", head(0, 7) + text("tokenizer.ggml.model") + little(8, 4) + text(model) +
                      text("tokenizer.ggml.tokens") + strings(tokens) + text("tokenizer.ggml.token_type") +
                      numbers(types) + text("tokenizer.ggml.merges") + strings({"a b"}) + text("tokenizer.ggml.pre") +
                      little(8, 4) + text("gpt-2") + text("tokenizer.ggml.bos_token_id") + little(4, 4) + little(3, 4) +
                      text("tokenizer.ggml.add_bos_token") + little(7, 4) + little(1, 1)))));
  };
  const std::vector<std::string> tokens{"a", "b", "ab", "<s>"};
  const auto tokenizer = load("gpt2", tokens, {1, 1, 1, 3});
  EXPECT_EQ(tokenizer.encode("ab<s>b"), (std::vector<std::int32_t>{3, 2, 3, 1}));
  EXPECT_EQ(tokenizer.bos_id(), 3);
  EXPECT_MESSAGE(load("bert", tokens, {1, 1, 1, 3}), "tokenizer.ggml.model: expected gpt2 or llama, got bert");
  EXPECT_MESSAGE(load("gpt2", {}, {}), "tokenizer.ggml.tokens: missing or empty");
  EXPECT_MESSAGE(load("gpt2", tokens, {1, 1, 1, -3}), "tokenizer.ggml.token_type: entry 3: expected 1 to 6, got -3");
  EXPECT_MESSAGE(load("gpt2", tokens, {1, 1}), "tokenizer.ggml: token types: expected 4 as many as tokens, got 2");
  EXPECT_MESSAGE(load("llama", tokens, {1, 1, 1, 3}), "tokenizer.ggml: scores: expected 4 as many as tokens, got 0");
}
TEST(gguf, row_order_is_undone) { // stored: pairs side by side; wanted: first halves, then second halves
  const std::vector<std::uint8_t> rows{0, 1, 2, 3, 4, 5, 6, 7}; // two heads of four rows of one byte
  const auto got = llmap::gguf::unpermute_rows(std::as_bytes(std::span(rows)), 8, 2);
  const int expected[] = {0, 2, 1, 3, 4, 6, 5, 7};
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(static_cast<int>(got[i]), expected[i]) << i;
}
