// Every golden checkpoint: log-probabilities per token in float64 within 1e-9 and in float32 within 4 times the
// float32 error recorded with it (golden::float32_bound); the first layer that disagrees is named by the trace.
// The properties of the results make docs/models.md (docs/tables.sh).
#include "llmap/architectures/all.hpp"
#include "llmap/cpu.hpp"
#include "llmap/forward/load.hpp"
#include "llmap/likelihood/score.hpp"
#include "llmap/weights/model_weights.hpp"
#include "support/golden.hpp"

using namespace llmap;

namespace {
class golden_model : public testing::TestWithParam<std::string> {
protected:
  std::filesystem::path folder = golden::folder("models") / GetParam();
  nlohmann::json expected = golden::read(folder / "expected.json");
  model_weights weights{folder};
  decoder_plan plan = plan_of(config::load(folder));
  const cpu_executor exec{2};

  template <class T> decoder<cpu_executor, T> load() const {
    return load_decoder<T>(exec, plan, weights.tensors(dtype_of<T>, plan.tied()), folder.string());
  }
  template <class T, class Bound> void compare(const Bound& bound) const {
    const auto model = load<T>();
    score_workspace<cpu_executor, T> work;
    double largest = 0, share = 0; // of errors; of an error in its bound
    for (const auto& s : expected["sequences"]) {
      ragged_batch batch;
      batch.add(s["ids"].get<std::vector<std::int32_t>>());
      const auto got = token_log_probabilities(exec, model, batch, work);
      const auto want = s["logprob"].get<std::vector<double>>();
      ASSERT_EQ(got.size(), want.size());
      for (std::size_t i = 0; i < got.size(); ++i) {
        ASSERT_NEAR(got[i], want[i], bound(s)) << "token " << i << " of " << batch.rows();
        const double error = std::abs(got[i] - want[i]);
        largest = std::max(largest, error), share = std::max(share, error / bound(s));
      }
    }
    RecordProperty("model_type", plan.model_type);
    RecordProperty("largest_error", golden::short_number(largest));
    RecordProperty("share_of_bound", golden::short_number(share));
  }
};
} // namespace

TEST_P(golden_model, float64) {
  compare<double>([](const nlohmann::json&) { return 1e-9; });
}
TEST_P(golden_model, float32) { // without fused multiply-add every term rounds twice: twice the bound there
  const double looser = simd::active_isa() == simd::isa::baseline ? 2 : 1;
  const golden::float32_bound bound(expected);
  compare<float>([&](const nlohmann::json& s) { return looser * bound(s); });
}
TEST_P(golden_model, trace) {
  const nlohmann::json trace = golden::read(folder / "trace.json");
  const auto model = load<double>();
  ragged_batch batch;
  for (const auto& s : expected["sequences"])
    if (s["ids"].size() == 17) batch.add(s["ids"].get<std::vector<std::int32_t>>());
  ASSERT_EQ(batch.rows(), 17u);
  std::size_t layer = 0;
  forward_workspace<cpu_executor, double> work;
  forward(exec, model, batch, work, [&](const std::string& name, matrix_view<const double> x) {
    // rwkv's first norm belongs to its first layer there, and a layer's output is taken before it is scaled.
    if (name == "input" && model.plan.model_type == "rwkv") return;
    const double scale = name == "layer" ? model.plan.layers[layer].scale : 1;
    const auto& want = name == "layer" ? trace["layers"][layer++] : trace[name];
    double mean = 0, square = 0;
    const double n = static_cast<double>(x.rows * x.cols);
    for (std::size_t r = 0; r < x.rows; ++r)
      for (std::size_t k = 0; k < x.cols; ++k)
        mean += x(r, k) / scale / n, square += x(r, k) * x(r, k) / (scale * scale * n);
    EXPECT_NEAR(mean, want["mean"].get<double>(), 1e-9) << name << " " << layer;
    EXPECT_NEAR(std::sqrt(square), want["rms"].get<double>(), 1e-9) << name << " " << layer;
  });
  EXPECT_EQ(layer, trace["layers"].size());
}
INSTANTIATE_TEST_SUITE_P(all, golden_model, testing::ValuesIn(golden::cases("models")),
                         [](const auto& i) { return i.param; });
