// Every family's plan run by an executor that only counts: the pass is generic, and what it does is what the plan says
// it costs.
#include "llmap/architectures/all.hpp"
#include "llmap/architectures/plan_costs.hpp"
#include "llmap/cpu.hpp"
#include "llmap/weights/model_weights.hpp"
#include "support/counting_executor.hpp"
#include "support/golden.hpp"

using namespace llmap;

static_assert(forward_ops<cpu_executor, float> && forward_ops<cpu_executor, double>);
static_assert(forward_ops<counting::executor, float>);

namespace {
class counted : public testing::TestWithParam<std::string> {
protected:
  std::filesystem::path folder = golden::folder("models") / GetParam();
  model_weights weights{folder};
  decoder_plan plan = plan_of(config::load(folder));
  counting::counts total;
  counting::executor exec{&total};
  decoder<counting::executor, float> model =
      load_decoder<float>(exec, plan, weights.tensors(dtype::f32, plan.tied()), folder.string());
};
} // namespace

TEST_P(counted, operations_are_those_of_the_plan) {
  for (const std::size_t T : {2, 40, 90}) {
    ragged_batch batch;
    batch.add(std::vector<std::int32_t>(T));
    total = {};
    score_workspace<counting::executor, float> work;
    token_log_probabilities(exec, model, batch, work);
    EXPECT_NEAR(2 * (total.products + total.sequence), operations_of(model.plan, static_cast<double>(T)), 1e-6)
        << T << " tokens";
  }
}
TEST_P(counted, activations_are_those_of_the_plan) {
  constexpr std::size_t T = 84; // of a mixture, as many rows for each expert
  ragged_batch batch;
  batch.add(std::vector<std::int32_t>(T));
  score_workspace<counting::executor, float> work;
  token_log_probabilities(exec, model, batch, work);
  const auto& w = work.forward;
  std::size_t kept = w.hidden.most + w.embedded.most + w.projected.most, state = 0;
  for (const auto& a : w.angles) kept += a.most;
  for (const auto& k : w.kept) kept += k.most;
  kept += w.inputs.most;
  for (const auto& m : w.memory) kept += m.keys_values.most, state = std::max(state, m.carry.most + m.state.most);
  EXPECT_EQ(kept * sizeof(float), T * batch_bytes<float>(exec, model.plan));
  EXPECT_EQ(static_cast<std::int64_t>(state), detail::slab_room_of(model.plan).state);
  // Every buffer grows to what the plan says of it; an expert has fewer rows than the slab.
  const detail::slab_room room = detail::slab_room_of(model.plan);
  const auto C = static_cast<std::size_t>(model.plan.width);
  bool mixture = false;
  for (const layer_plan& layer : model.plan.layers)
    for (const branch_plan& b : layer.branches) mixture |= std::holds_alternative<mixture_plan>(b.mixer);
  const auto grows_to = [&](const char* name, std::size_t elements, std::int64_t columns) {
    if (mixture) EXPECT_LE(elements, T * static_cast<std::size_t>(columns)) << name;
    else EXPECT_EQ(elements, T * static_cast<std::size_t>(columns)) << name;
  };
  grows_to("wide", w.wide.most, room.most.wide);
  grows_to("mixed", w.mixed.most, room.most.mixed);
  grows_to("low", w.low.most, room.most.low);
  grows_to("gates", w.gates.most, room.most.gates);
  grows_to("activated", w.activated.most, room.most.activated);
  grows_to("gathered", w.gathered.most, room.most.gathered);
  EXPECT_EQ(w.plain.most, room.plain ? T * C : 0);
  EXPECT_EQ(w.branch.most, room.branch ? T * C : 0);
  EXPECT_EQ(w.sum.most, room.sum ? T * C : 0);
  // Their sum, with the input, the rows that linear packs and those of the head, is within what the plan asks for.
  const std::size_t all = w.guess.most + w.active.most + w.stream_gates.most + w.sum.most + w.branch.most +
                          w.plain.most + w.input.most + w.activated.most + w.gathered.most + w.wide.most +
                          w.mixed.most + w.low.most + w.gates.most + w.scratch.packed + work.head.rows.most;
  EXPECT_LE(all * sizeof(float), T * slab_bytes<float>(exec, model.plan));
  EXPECT_GE(static_cast<double>(all * sizeof(float)),
            0.6 * static_cast<double>(T * slab_bytes<float>(exec, model.plan)));
}
INSTANTIATE_TEST_SUITE_P(all, counted, testing::ValuesIn(golden::cases("models")),
                         [](const auto& i) { return i.param; });
