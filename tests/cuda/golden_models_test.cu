// Golden checkpoints through the same pass on the device: log-probabilities per token in float64 within 1e-9 and in
// float32 within golden::float32_bound.
#include "cuda/support/cuda_test.hpp"
#include "llmap/architectures/all.hpp"
#include "llmap/cuda.cuh"
#include "llmap/forward/load.hpp"
#include "llmap/likelihood/score.hpp"
#include "llmap/weights/model_weights.hpp"
#include "support/golden.hpp"

using namespace llmap;

static_assert(forward_ops<cuda_executor, float> && forward_ops<cuda_executor, double>);

namespace {

class golden_model_cuda : public testing::TestWithParam<std::string> {
protected:
  std::filesystem::path folder = golden::folder("models") / GetParam();
  nlohmann::json expected = golden::read(folder / "expected.json");
  model_weights weights{folder};
  decoder_plan plan = plan_of(config::load(folder));
  const cuda_executor exec{};

  template <class T> decoder<cuda_executor, T> load() const {
    return load_decoder<T>(exec, plan, weights.tensors(dtype_of<T>, plan.tied()), folder.string());
  }
  template <class T, class Bound> void compare(const Bound& bound) const {
    const auto model = load<T>();
    score_workspace<cuda_executor, T> work;
    work.forward.slab_rows = 48; // texts go on from slab to slab
    ragged_batch batch;
    std::vector<double> want, bounds;
    for (const auto& s : expected["sequences"]) {
      batch.add(s["ids"].get<std::vector<std::int32_t>>());
      for (const double nats : s["logprob"].get<std::vector<double>>())
        want.push_back(nats), bounds.push_back(bound(s));
    }
    const auto got = token_log_probabilities(exec, model, batch, work);
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], bounds[i]) << "prediction " << i;
  }
};

} // namespace

TEST_P(golden_model_cuda, float64) {
  compare<double>([](const nlohmann::json&) { return 1e-9; });
}
TEST_P(golden_model_cuda, float32) { compare<float>(golden::float32_bound(expected)); }
/// On a device, or if LLMAP_GOLDEN is "all", every case; on the interpreter one for each mixer and kind of attention,
/// or a "few".
static std::vector<std::string> cases() {
  const char* const asked = std::getenv("LLMAP_GOLDEN");
  const std::string_view which = asked ? asked : cuda_test::emulated ? "" : "all";
  if (which == "all") return golden::cases("models");
  if (which == "few") return {"llama_mha", "mixtral_top2", "mamba2_groups"};
  return {"llama_mha",          "gpt2_bare",     "gpt_neox_parallel",       "gemma2_softcaps",     "mixtral_top2",
          "mamba2_groups",      "mamba_plain",   "deepseek_v2_lite",        "falcon_rw_like",      "rwkv_plain",
          "qwen3_next_variant", "gpt_oss_types", "recurrent_gemma_variant", "gemma3n_text_variant"};
}
INSTANTIATE_TEST_SUITE_P(models, golden_model_cuda, testing::ValuesIn(cases()), [](const auto& i) { return i.param; });
