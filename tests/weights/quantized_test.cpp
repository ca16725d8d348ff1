// Every golden checkpoint in fewer bits, and every adapter: weights bit for bit, log-probabilities to 1e-9 in float64;
// and folders that must be refused.
#include "llmap/architectures/all.hpp"
#include "llmap/cpu.hpp"
#include "llmap/forward/load.hpp"
#include "llmap/likelihood/score.hpp"
#include "llmap/weights/model_weights.hpp"
#include "support/golden.hpp"
#include <cstdio>

using namespace llmap;
namespace fs = std::filesystem;

namespace {

const fs::path checkpoints = golden::folder("checkpoints");

/// A case is a model folder, or holds a base and an adapter.
struct opened {
  model_weights weights;
  decoder_plan plan;
  explicit opened(const fs::path& folder)
      : weights(fs::exists(folder / "adapter") ? model_weights(folder / "adapter", folder / "base")
                                               : model_weights(folder)),
        plan(plan_of(config::load(weights.base()))) {}
  any_tensors tensors(dtype decoded) const { return weights.tensors(decoded, plan.tied()); }
};

std::string sha256(std::span<const std::byte> bytes) {
  const golden::scratch dir;
  const fs::path file = dir.write("bytes", std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  std::string sum(64, ' ');
  FILE* pipe = ::popen(("sha256sum " + file.string()).c_str(), "r");
  EXPECT_EQ(std::fread(sum.data(), 1, 64, pipe), 64u);
  ::pclose(pipe);
  return sum;
}

class stored_in_fewer_bits : public testing::TestWithParam<std::string> {
protected:
  fs::path folder = checkpoints / GetParam();
  nlohmann::json expected = golden::read(folder / "expected.json");
  opened model{folder};
};

std::vector<std::string> cases() {
  std::vector<std::string> names = golden::cases("checkpoints");
  std::erase(names, "malformed");
  return names;
}

} // namespace

TEST_P(stored_in_fewer_bits, weights) {
  const any_tensors narrow = model.tensors(dtype::f32), wide = model.tensors(dtype::f64);
  ASSERT_FALSE(expected["weights"].empty());
  for (const auto& [name, want] : expected["weights"].items()) {
    const tensor_data data = narrow.read(name);
    EXPECT_EQ(data.info.type, dtype::f32) << name;
    EXPECT_EQ(data.info.shape, want["shape"].get<std::vector<std::int64_t>>()) << name;
    EXPECT_EQ(sha256(data.bytes), want["sha256_f32"].get<std::string>()) << name;
    double sum = 0, squares = 0;
    for (const double w : read_widened<double>(wide, name)) sum += w, squares += w * w;
    EXPECT_NEAR(sum, want["sum"].get<double>(), 1e-11 * std::sqrt(static_cast<double>(data.info.elements()) * squares));
    EXPECT_NEAR(squares, want["sum_of_squares"].get<double>(), 1e-11 * squares) << name;
  }
}
TEST_P(stored_in_fewer_bits, log_probabilities) {
  const cpu_executor exec{2};
  const auto network = load_decoder<double>(exec, model.plan, model.tensors(dtype::f64), folder.string());
  score_workspace<cpu_executor, double> work;
  double largest = 0;
  for (const auto& s : expected["sequences"]) {
    ragged_batch batch;
    batch.add(s["ids"].get<std::vector<std::int32_t>>());
    const auto got = token_log_probabilities(exec, network, batch, work);
    const auto want = s["logprob"].get<std::vector<double>>();
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], want[i], 1e-9) << "token " << i;
      largest = std::max(largest, std::abs(got[i] - want[i]));
    }
  }
  const std::string scheme = model.weights.quantization();
  RecordProperty("scheme", scheme.empty() ? "LoRA" : scheme);
  RecordProperty("largest_error", golden::short_number(largest));
}
INSTANTIATE_TEST_SUITE_P(all, stored_in_fewer_bits, testing::ValuesIn(cases()), [](const auto& i) { return i.param; });

TEST(quantized, malformed_folders_are_refused) {
  const std::map<std::string, std::string> messages{
      {"fp8_scale_missing", "weight_scale_inv: missing, expected"},
      {"fp8_scale_short", "weight_scale_inv: expected F32"},
      {"fp8_scale_nan", "weight_scale_inv: expected finite"},
      {"fp8_scale_e8m0_nan", "weight_scale_inv: expected finite"},
      {"fp8_not_declared", "expected F64, F32, BF16 or F16, got F8_E4M3"},
      {"fp8_block_zero", "weight_block_size: expected two positive numbers"},
      {"ct_format_unknown", "format: expected float-"},
      {"ct_scale_missing", "weight_scale: missing"},
      {"ct_zero_point_missing", "weight_zero_point: missing"},
      {"ct_shape_lies", "weight_packed: expected I32"},
      {"ct_groups_short", "weight_scale: expected F32"},
      {"ct_global_scale_zero", "weight_global_scale: expected a positive number, got 0"},
      {"ct_no_group", "no group of config_groups covers"},
      {"gptq_groups_short", "scales: expected F32"},
      {"gptq_g_idx_high", "g_idx: expected groups from 0 to 1, got 2"},
      {"gptq_g_idx_negative", "g_idx: expected groups from 0 to 1, got -1"},
      {"gptq_g_idx_missing", "g_idx: missing, desc_act is true"},
      {"gptq_bits_5", "bits: expected 2, 3, 4 or 8, got 5"},
      {"gptq_format_unknown", "checkpoint_format: expected gptq or gptq_v2, got \"marlin\""},
      {"gptq_scale_inf", "scales: expected finite"},
      {"awq_gemv", "version: expected gemm, got \"gemv\""},
      {"awq_zeros_short", "qzeros: expected I32"},
      {"bnb_absmax_nan", "absmax: expected finite"},
      {"bnb_absmax_short", "absmax: expected F32"},
      {"bnb_nested_missing", "nested_absmax: missing"},
      {"bnb_state_missing", "without which the shape is lost"},
      {"bnb_state_shape", "bytes for ["},
      {"bnb_blocksize_zero", "blocksize: expected an integer from 1"},
      {"bnb_scb_short", "SCB: expected F32"},
      {"mlx_biases_missing", "biases: missing"},
      {"hqq_bits_3", "nbits: expected 2, 4 or 8, got 3"},
      {"method_unknown", "quant_method: expected fp8, fbgemm_fp8"},
      {"method_missing", "quant_method: missing"},
      {"lora_dora", "use_dora: expected nothing"},
      {"lora_rank", "lora_A.weight: expected shape"},
      {"lora_b_missing", "lora_B.weight: missing, expected it beside"},
      {"lora_module_unknown", "which the base does not have"},
      {"lora_nan", "lora_A.weight: expected finite"},
      {"lora_shape", "lora_B.weight: expected shape"},
      {"lora_tied_embedding", "the base's head is its embedding"},
      {"lora_ia3", "peft_type: expected LORA, got \"IA3\""}};
  const nlohmann::json reasons = golden::read(checkpoints / "malformed" / "reasons.json");
  for (const auto& [name, reason] : reasons.items()) {
    ASSERT_TRUE(messages.contains(name)) << name;
    const std::string message = golden::message_of([&, folder = checkpoints / "malformed" / name] {
      const opened model(folder);
      load_decoder<double>(cpu_executor{1}, model.plan, model.tensors(dtype::f64), folder.string());
    });
    EXPECT_NE(message.find(messages.at(name)), std::string::npos) << name << ": " << reason << "\n  got " << message;
    EXPECT_NE(message.find(checkpoints.string()), std::string::npos) << "no place: " << message;
  }
}
// A folder whose config asks for bits that its weights do not have.
TEST(quantized, a_wish_is_no_scheme) {
  const golden::scratch dir;
  const fs::path plain = golden::folder("models") / "llama_mha";
  fs::copy(plain / "model.safetensors", dir.path / "model.safetensors");
  nlohmann::json c = golden::read(plain / "config.json");
  c["quantization_config"] = {{"quant_method", "bitsandbytes"}, {"load_in_4bit", true}};
  dir.write("config.json", c.dump());
  EXPECT_MESSAGE(opened(dir.path).tensors(dtype::f32), "no matrix of the checkpoint is stored as bitsandbytes");
}
TEST(quantized, a_tensor_that_the_scheme_does_not_explain_is_refused) {
  const any_tensors base = any_tensors::of(checkpoint(checkpoints / "gptq4_sym"));
  struct with_one_more {
    any_tensors base;
    std::vector<std::string> names() const {
      auto all = base.names();
      all.push_back("model.layers.0.mlp.down_proj.pre_quant_scale");
      return all;
    }
    std::optional<tensor_info> find(const std::string& n) const { return base.find(n); }
    tensor_data read(const std::string& n) const { return base.read(n); }
  };
  EXPECT_MESSAGE(quantized_tensors(any_tensors::of(with_one_more{base}), config::load(checkpoints / "gptq4_sym"),
                                   dtype::f32, "folder"),
                 "folder: tensor model.layers.0.mlp.down_proj.pre_quant_scale: gptq, 4 bits, groups of 32 does not");
}
TEST(quantized, is_described) {
  const auto described = [](const char* name) { return model_weights(checkpoints / name).quantization(); };
  EXPECT_EQ(described("gptq4_g128"), "gptq, 4 bits, groups of 128");
  EXPECT_EQ(described("fp8_block128"), "fp8, tiles of 128 x 128");
  EXPECT_EQ(described("ct_mixed"), "compressed-tensors float-quantized and pack-quantized");
  EXPECT_EQ(described("mlx4"), "mlx, 4 bits, groups of 32");
}
