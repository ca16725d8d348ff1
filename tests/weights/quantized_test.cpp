// Every golden checkpoint in fewer bits, and every adapter: weights bit for bit, log-probabilities to 1e-9 in float64;
// and folders that must be refused.
#include "llmap/architectures/all.hpp"
#include "llmap/cpu.hpp"
#include "llmap/forward/load.hpp"
#include "llmap/likelihood/score.hpp"
#include "llmap/weights/model_weights.hpp"
#include "support/golden.hpp"
#include "support/own_json.hpp"
#include "support/peak_memory.hpp"
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

/// Tensors without their codes.
struct plain_tensors {
  any_tensors of;
  std::vector<std::string> names() const { return of.names(); }
  std::optional<tensor_info> find(const std::string& name) const { return of.find(name); }
  tensor_data read(const std::string& name) const { return of.read(name); }
};

/// Packs every matrix of a plan with and without codes, and compares all weights.
struct held_matrices {
  const any_tensors tensors;
  const tensor_naming names;
  int in_codes = 0, decoded = 0; // of those that are stored in codes

  void operator()(const linear_plan& p, tensor_use) {
    if (!p.present()) return;
    arena room;
    const auto held = pack<float>(cpu_executor{2}, tensors, p, names, compute_type::working, room),
               wide = pack<float>(cpu_executor{2}, plain_tensors{tensors}, p, names, compute_type::working, room);
    std::vector<float> row(held.cols), expected(held.cols);
    for (std::size_t r = 0; r < held.rows; ++r) {
      held.read_row(r, row.data()), wide.read_row(r, expected.data());
      ASSERT_EQ(std::memcmp(row.data(), expected.data(), row.size() * sizeof(float)), 0)
          << p.parts[0].weight << " row " << r;
    }
    const bool coded = std::all_of(p.parts.begin(), p.parts.end(), [&](const matrix_part& part) {
      return tensors.coding_of(names(part.weight)).has_value();
    });
    EXPECT_TRUE(coded || held.in_codes.empty());
    if (coded) ++(held.in_codes.empty() ? decoded : in_codes);
  }
  void operator()(const vector_plan&, tensor_use) {}
  void operator()(const norm_plan&, tensor_use) {}
};

} // namespace

TEST_P(stored_in_fewer_bits, stay_in_codes_where_that_takes_less) {
  const any_tensors tensors = model.tensors(dtype::f32);
  held_matrices held{tensors, {tensors, model.plan.prefix, model.plan.nested}};
  visit_tensors(model.plan, held);
  const std::string name = GetParam();
  // Inputs that are not in the order of their groups; rows that blocks of 64 run across.
  const bool scattered = name == "gptq4_desc_act" || name == "ct_w4a16_gidx",
             across = name == "bnb_nf4" || name == "bnb_fp4_double";
  EXPECT_EQ(held.in_codes > 0, !scattered && !name.starts_with("lora"));
  EXPECT_EQ(held.decoded > 0, scattered || across);
}
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
// Inputs rounded as deployed: where a rule is known, and where none is followed.
TEST_P(stored_in_fewer_bits, log_probabilities_as_deployed) {
  const cpu_executor exec{2};
  const std::string name = GetParam();
  const auto load = [&] {
    return load_decoder<double>(exec, model.plan, model.tensors(dtype::f64), folder.string(),
                                {.activations = activation_mode::deployed});
  };
  const std::map<std::string, std::string> refused{{"bnb_int8", "LLM.int8 chooses the columns"},
                                                   {"fbgemm_fp8", "those of fbgemm_fp8 are not followed"},
                                                   {"fp8_tensor", "those of fp8 are not followed"},
                                                   {"modelopt_nvfp4", "those of modelopt NVFP4 are not followed"}};
  if (const auto why = refused.find(name); why != refused.end()) {
    EXPECT_MESSAGE(load(), why->second);
    return;
  }
  const auto network = load();
  score_workspace<cpu_executor, double> work;
  for (const auto& s : expected["sequences"]) {
    ragged_batch batch;
    batch.add(s["ids"].get<std::vector<std::int32_t>>());
    const auto got = token_log_probabilities(exec, network, batch, work);
    std::vector<double> want = s["logprob"].get<std::vector<double>>();
    if (expected.contains("rounded_activations")) {
      const std::string rule = expected["rounded_activations"].begin().key();
      ASSERT_TRUE(s.contains("logprob_" + rule));
      want = s["logprob_" + rule].get<std::vector<double>>();
    } else if (name == "ct_mixed" || name == "fp8_block128") {
      continue; // a rule without expected values
    }
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], 1e-9) << "token " << i;
  }
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
// PEFT saves whole every module whose name ends like one of the list, and what lies inside it.
TEST(lora, modules_are_saved_by_the_end_of_their_names) {
  const std::vector<float> two{1, 2}, other{5, 6};
  memory_tensors base, adapter;
  for (const char* name : {"model.layers.0.input_layernorm.weight", "model.layers.0.mlp.up_proj.weight"})
    base.add<float>(name, {2}, two), adapter.add<float>(std::string("base_model.model.") + name, {2}, other);
  const auto read = [&](const char* list, const char* name) {
    const config c(parse_json(std::string(R"({"peft_type": "LORA", "r": 1, "modules_to_save": )") + list + "}", "a"),
                   "a");
    return read_widened<double>(
        lora_tensors(any_tensors::referring_to(base), any_tensors::referring_to(adapter), c, {}, dtype::f64, "folder"),
        name);
  };
  for (const char* name : {"model.layers.0.input_layernorm.weight", "model.layers.0.mlp.up_proj.weight"})
    EXPECT_EQ(read(R"(["norm", "mlp"])", name), (std::vector<double>{5, 6})) << name;
  EXPECT_MESSAGE(read(R"(["norm"])", ""), "expected model.layers.0.mlp.up_proj in modules_to_save of a");
}
TEST(lora, patterns_match_the_end_of_a_name_from_a_dot_on) {
  const std::vector<float> zero{0}, one{1};
  memory_tensors base, adapter;
  for (const char* name : {"model.q_proj", "model.q_proj_x", "model.xq_proj", "q_proj"}) {
    base.add<float>(std::string(name) + ".weight", {1, 1}, zero);
    for (const char* side : {".lora_A.weight", ".lora_B.weight"})
      adapter.add<float>(std::string("base_model.model.") + name + side, {1, 1}, one);
  }
  const auto read = [&](const char* patterns, const char* name) {
    const config c(
        parse_json(std::string(R"({"peft_type": "LORA", "r": 1, "lora_alpha": 3, "alpha_pattern": )") + patterns + "}",
                   "a"),
        "a");
    return read_widened<double>(
        lora_tensors(any_tensors::referring_to(base), any_tensors::referring_to(adapter), c, {}, dtype::f64, "folder"),
        std::string(name) + ".weight")[0];
  };
  const char* patterns = R"({"q_proj": 5, "model": 7, ".*_x": 9})";
  EXPECT_EQ(read(patterns, "model.q_proj"), 5);
  EXPECT_EQ(read(patterns, "q_proj"), 5);
  EXPECT_EQ(read(patterns, "model.q_proj_x"), 9);
  EXPECT_EQ(read(patterns, "model.xq_proj"), 3);
  EXPECT_MESSAGE(read(R"({"(q_proj": 5})", "q_proj"), "a: alpha_pattern: expected a regular expression, got ");
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
TEST(quantized, blocks_of_old_files_are_text) {
  const golden::scratch dir;
  nlohmann::json c = golden::read(checkpoints / "ct_fp8_block" / "config.json");
  fs::copy(checkpoints / "ct_fp8_block" / "model.safetensors", dir.path / "model.safetensors");
  auto& groups = c["quantization_config"]["config_groups"];
  auto& block = groups.begin().value()["weights"]["block_structure"];
  const std::string sides = std::to_string(block[0].get<int>()) + "x" + std::to_string(block[1].get<int>());
  const auto read = [&](const std::string& text) {
    block = text;
    dir.write("config.json", c.dump());
    return read_widened<float>(opened(dir.path).tensors(dtype::f32), "model.layers.0.mlp.down_proj.weight");
  };
  EXPECT_EQ(read(sides), read_widened<float>(opened(checkpoints / "ct_fp8_block").tensors(dtype::f32),
                                             "model.layers.0.mlp.down_proj.weight"));
  for (const std::string wrong : {"", "x", "128", "128x", "128x128x", " 128x128", "128x-128", "0x128", "12a x128"})
    EXPECT_MESSAGE(read(wrong), "block_structure: expected two positive numbers") << wrong;
}
TEST(quantized, expressions_begin_where_a_name_does) {
  const auto matches = [](const char* name, const char* expression) {
    return llmap::detail::begins_with_match(name, expression, "file: targets");
  };
  EXPECT_TRUE(matches("model.layers.1.mlp", "model\\.layers"));
  EXPECT_TRUE(matches("model.layers.1.mlp", ".*mlp$"));
  EXPECT_FALSE(matches("model.layers.1.mlp", "layers"));
  EXPECT_FALSE(matches("model.layers.1.mlp", "model.*layers$"));
  EXPECT_MESSAGE(matches("model", "a["), "file: targets: expected a regular expression, got a[");
}
namespace {
/// Matrices of the layers in 4 bits, groups of 128 with an f16 scale; the embedding in bf16; made when they are read.
struct four_bit_weights {
  std::map<std::string, std::vector<std::int64_t>> shapes;

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [name, shape] : shapes) all.push_back(name);
    return all;
  }
  bool in_codes(const std::string& name) const { return name.ends_with("_proj.weight"); }
  std::optional<tensor_info> find(const std::string& name) const {
    const auto it = shapes.find(name);
    if (it == shapes.end()) return std::nullopt;
    return tensor_info{in_codes(name) ? dtype::f32 : dtype::bf16, it->second};
  }
  tensor_data read(const std::string& name) const {
    const tensor_info info = *find(name);
    auto ones = std::make_shared<std::vector<bf16>>(static_cast<std::size_t>(info.elements()), bf16(0.5f));
    return {info, std::as_bytes(std::span(*ones)), ones};
  }
  std::optional<coding> coding_of(const std::string& name) const {
    if (!in_codes(name)) return std::nullopt;
    return coding{.bits = 4, .group = 128, .scale = dtype::f16, .same = {.zero = 8}};
  }
  coded_rows read_coded(const std::string& name) const {
    const std::int64_t cols = shapes.at(name)[1];
    return {*coding_of(name), cols,
            [=](std::int64_t first, std::int64_t count, std::uint8_t* codes) {
              for (std::int64_t i = 0; i < count * cols; ++i)
                codes[i] = static_cast<std::uint8_t>((first * cols + i) * 2654435761 >> 20 & 15);
            },
            [](std::int64_t row, std::int64_t) {
              return group_numbers{.scale = 0x1p-9 * static_cast<double>(1 + row % 3), .zero = 8};
            }};
  }
  std::uint64_t stored() const {
    std::uint64_t bytes = 0;
    for (const auto& [name, shape] : shapes) {
      const auto elements = static_cast<std::uint64_t>(find(name)->elements());
      bytes += in_codes(name) ? elements / 2 + elements / 128 * 2 : elements * 2;
    }
    return bytes;
  }
};
} // namespace
// 1.15 times what is stored: packed otherwise, each of the 4 bits would take 32.
TEST(quantized, a_loaded_model_takes_the_memory_of_its_codes) {
  nlohmann::json json = golden::read(golden::folder("models") / "llama_mha" / "config.json");
  json["hidden_size"] = 2048, json["intermediate_size"] = 8192, json["num_hidden_layers"] = 2;
  json["num_attention_heads"] = 16, json["num_key_value_heads"] = 4, json["vocab_size"] = 2000;
  json.erase("head_dim");
  const decoder_plan plan = plan_of(config(golden::own(json), "config.json"));
  four_bit_weights source;
  for (const tensor_spec& t : tensor_table(plan)) source.shapes[t.name] = t.shape;
  const double stored = static_cast<double>(source.stored()), allowed = 1.15 * stored;
  EXPECT_GT(stored, 64e6);
  ASSERT_LE(static_cast<double>(weight_bytes<float>(cpu_executor{}, plan, source)), allowed);
  const bool measured = set_back_peak_memory();
  const long before = peak_memory();
  const auto model = load_decoder<double>(cpu_executor{2}, plan, any_tensors::of(source), "folder");
  const double mib = 1 << 20;
  const auto grown = [&] { return measured ? static_cast<double>(peak_memory() - before) * 1024 : 0; };
  EXPECT_LE(grown(), allowed + 16 * mib);
  // A batch widens panels in room that each thread keeps.
  ragged_batch batch;
  batch.add(std::vector<std::int32_t>{1, 5, 9, 2});
  score_workspace<cpu_executor, double> work;
  for (const double p : token_log_probabilities(cpu_executor{2}, model, batch, work)) EXPECT_TRUE(std::isfinite(p));
  EXPECT_LE(grown(), allowed + 64 * mib);
}
