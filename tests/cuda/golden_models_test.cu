// Golden checkpoints through the same pass on the device: log-probabilities per token in float64 within 1e-9 and in
// float32 within golden::float32_bound.
#include "cuda/support/cuda_test.hpp"
#include "llmap/architectures/all.hpp"
#include "llmap/cuda.cuh"
#include "llmap/forward/load.hpp"
#include "llmap/likelihood/score.hpp"
#include "llmap/weights/model_weights.hpp"
#include "support/golden.hpp"

#include <array>
#include <latch>

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
#ifdef LLMAP_EMULATED
namespace {
/// Texts of a golden model, cut short, and what one batch of them without an arena gives.
struct short_texts {
  std::vector<std::vector<std::int32_t>> ids;
  std::vector<double> nats;

  template <class T>
  short_texts(const decoder<cuda_executor, T>& model, const nlohmann::json& expected,
              const std::vector<std::size_t>& lengths) {
    for (const std::size_t length : lengths) {
      const std::vector<std::int32_t> all = expected["sequences"].back()["ids"];
      ids.emplace_back(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(length, all.size())));
    }
    ragged_batch batch;
    for (const auto& text : ids) batch.add(text);
    score_workspace<cuda_executor, T> work;
    nats = token_log_probabilities(cuda_executor{}, model, batch, work);
  }
};
} // namespace

/// The memory of all batches is one allocation, taken before the first and as large as was said before.
TEST_P(golden_model_cuda, takes_its_memory_once) {
  if (const char* const asked = std::getenv("LLMAP_GOLDEN"); asked && std::string_view(asked) == "few")
    GTEST_SKIP() << "no size depends on the order of threads";
  const auto model = load<float>();
  const short_texts texts(model, expected, {9, 5});
  synchronize(exec);
  stand_in::reset_memory();
  const std::uint64_t before = stand_in::memory().bytes;
  score_workspace<cuda_executor, float> work;
  const std::size_t planned = batch_memory(exec, model, 9, work);
  std::vector<double> got;
  for_batches(exec, model, texts.ids, {.batch_rows = 9}, [&](std::size_t, const ragged_batch&, auto nats) {
    got.insert(got.end(), nats.begin(), nats.end());
    EXPECT_EQ(stand_in::memory().allocations, 1u) << "after " << got.size() << " tokens";
  });
  EXPECT_EQ(stand_in::memory().most_bytes, before + planned);
  EXPECT_EQ(stand_in::memory().bytes, before);
  EXPECT_EQ(got, texts.nats);
  const std::size_t rounding = 40 * cuda_arena::unit;
  EXPECT_LE(planned, 3 * 9 * (batch_bytes<float>(exec, model.plan) + slab_bytes<float>(exec, model.plan)) +
                         static_cast<std::size_t>(detail::slab_room_of(model.plan).state) * 8 + rounding);
}
/// The host waits once a batch, however many slabs it has: results go back while the next slab runs. It chooses the
/// experts, for which it waits once a mixture and slab more.
TEST_P(golden_model_cuda, waits_once_a_batch) {
  if (const char* const asked = std::getenv("LLMAP_GOLDEN"); asked && std::string_view(asked) == "few")
    GTEST_SKIP() << "no wait depends on the order of threads";
  std::uint64_t mixtures = 0;
  for (const layer_plan& layer : plan.layers)
    for (const branch_plan& b : layer.branches) mixtures += std::holds_alternative<mixture_plan>(b.mixer);
  const auto model = load<float>();
  ragged_batch batch;
  const std::vector<std::int32_t> ids = expected["sequences"].back()["ids"];
  const std::size_t length = std::min<std::size_t>(ids.size(), 34);
  batch.add(std::span(ids).first(length));
  batch.add(std::span(ids).first(length / 2));
  std::vector<std::vector<double>> got;
  for (const std::size_t rows : {48u, 96u}) {
    const std::uint64_t slabs = rows == 48 ? 2 : 1;
    score_workspace<cuda_executor, float> work;
    work.forward.slab_rows = rows;
    const auto setup = set_up(exec, model, work, batch.rows(), length);
    synchronize(exec);
    const std::uint64_t before = stand_in::waits();
    got.push_back(token_log_probabilities(setup.exec, model, batch, work));
    EXPECT_EQ(stand_in::waits(), before + 1 + mixtures * slabs) << "slabs of " << rows;
  }
  EXPECT_EQ(got[0], got[1]);
}
TEST(cuda_head, results_go_where_a_device_writes) {
  const cuda_executor exec;
  cuda_rows<float> x;
  x.reshape(1, 1);
  cuda_matrix<float> w{.rows = 1, .cols = 1, .stride = 4};
  w.bytes.resize(exec, 16);
  cuda_head_room<float> room;
  cuda_scratch<float> scratch;
  const std::vector<std::int32_t> targets{0};
  std::vector<double> ordinary(1);
  EXPECT_THROW(linear_cross_entropy(exec, x, w, targets, {}, ordinary, room, scratch), contract_error);
}
TEST(cuda_support, too_many_states_are_refused) {
  const auto message = [](const auto& change, const char* name) -> std::string {
    decoder_plan plan = plan_of(config::load(golden::folder("models") / name));
    try {
      check_support<float>(cuda_executor{}, plan, compute_type::working, "m");
      for (branch_plan& branch : plan.layers[1].branches) change(branch.mixer);
      check_support<float>(cuda_executor{}, plan, compute_type::working, "m");
    } catch (const llmap::error& problem) {
      return problem.what();
    }
    return "";
  };
  EXPECT_EQ(message([](mixer_plan& m) { std::get<mamba_plan>(m).states = 129; }, "mamba_plain"),
            "m: layer 1: mamba: expected at most 128 states of a channel on CUDA, got 129");
  EXPECT_EQ(message([](mixer_plan& m) { std::get<mamba2_plan>(m).states = 257; }, "mamba2_groups"),
            "m: layer 1: mamba2: expected at most 256 states of a channel on CUDA, got 257");
  EXPECT_EQ(message(
                [](mixer_plan& m) {
                  if (auto* const d = std::get_if<delta_plan>(&m)) d->key_dim = 257;
                },
                "qwen3_next_default_pattern"),
            "m: layer 1: delta rule: expected at most 256 states of a channel on CUDA, got 257");
}
TEST(cuda_memory, too_little_is_said_with_sizes) {
  const cuda_executor exec;
  const std::filesystem::path folder = golden::folder("models") / "llama_mha";
  const model_weights weights{folder};
  const decoder_plan plan = plan_of(config::load(folder));
  const auto load = [&] {
    return load_decoder<float>(exec, plan, weights.tensors(dtype::f32, plan.tied()), folder.string(),
                               {.available = available_memory(exec)});
  };
  const auto message = [](const auto& body) -> std::string {
    try {
      body();
    } catch (const llmap::error& problem) {
      return problem.what();
    }
    return "";
  };
  const std::uint64_t all = available_memory(exec);
  stand_in::reset_memory();
  stand_in::set_memory(stand_in::memory().bytes + (1 << 20));
  EXPECT_EQ(message(load), folder.string() +
                               ": the model does not fit into memory: 2 MiB needed, 1 MiB available (weights 1 MiB, "
                               "activations of a small batch 1 MiB)");
  EXPECT_EQ(stand_in::memory().allocations, 0u);
  stand_in::set_memory(all);

  const auto model = load();
  const short_texts texts(model, golden::read(folder / "expected.json"), {9, 5, 14, 3});
  const std::uint64_t before = all - available_memory(exec);
  score_workspace<cuda_executor, float> work;
  const std::size_t of_31 = batch_memory(exec, model, 31, work), of_14 = batch_memory(exec, model, 14, work);
  const auto score = [&] {
    std::vector<double> got;
    for_batches(exec, model, texts.ids, {}, [&](std::size_t, const ragged_batch& batch, auto nats) {
      EXPECT_LE(batch.rows(), 15u);
      got.insert(got.end(), nats.begin(), nats.end());
    });
    EXPECT_EQ(got, texts.nats);
  };
  stand_in::set_memory(before + of_31 - cuda_arena::unit); // batches are smaller then
  EXPECT_EQ(message(score), "");
  stand_in::set_memory(before + of_14 - cuda_arena::unit);
  EXPECT_EQ(message(score).find("the texts do not fit into the device's memory beside the weights: 1 MiB of "
                                "activations needed for one of 14 tokens, 0 MiB available"),
            0u)
      << message(score);
  stand_in::set_memory(all);
}
#endif

/// Two executors share the texts of a model, on two devices where there are two.
TEST(cuda_workers, give_the_bits_of_one) {
#ifdef LLMAP_EMULATED
  stand_in::set_devices(2);
#endif
  const std::vector<cuda_device> devices = cuda_devices();
  const std::array execs{use_device(devices.front()), use_device(devices.back())};
  const std::filesystem::path folder = golden::folder("models") / "llama_mha";
  const model_weights weights{folder};
  const decoder_plan plan = plan_of(config::load(folder));
  const auto load = [&](const cuda_executor& exec) {
    return load_decoder<float>(exec, plan, weights.tensors(dtype::f32, plan.tied()), folder.string());
  };
  std::vector<std::vector<std::int32_t>> texts;
  const nlohmann::json expected = golden::read(folder / "expected.json");
  for (const auto& s : expected["sequences"]) texts.push_back(s["ids"]);
  while (texts.size() < 4) texts.push_back(texts[texts.size() - 2]);
  std::vector<std::vector<double>> got(texts.size()), want(texts.size());
  const auto into = [](std::vector<std::vector<double>>& all) {
    return [&all](std::size_t first, const ragged_batch& batch, std::span<const double> nats) {
      for (std::size_t t = 0; t < batch.texts(); ++t) {
        all[first + t].assign(nats.begin(), nats.begin() + static_cast<std::ptrdiff_t>(batch.length(t) - 1));
        nats = nats.subspan(batch.length(t) - 1);
      }
    };
  };
  enter(execs[0]);
  for_batches(execs[0], load(execs[0]), texts, {}, into(want));
#ifdef LLMAP_EMULATED
  enter(execs[1]);
  stand_in::reset_memory();
  enter(execs[0]); // where a worker that forgets to enter its own would stay
#endif
  texts_to_take left(texts);
  std::latch both(2);
  with_workers(std::span<const cuda_executor>(execs), left, [&](const cuda_executor& exec) {
    bool came = false;
    for_batches(exec, load(exec), left, {.batch_rows = 1},
                [&](std::size_t first, const ragged_batch& batch, std::span<const double> nats) {
                  if (!std::exchange(came, true)) both.arrive_and_wait(); // so that each has a text
                  into(got)(first, batch, nats);
                });
  });
  EXPECT_EQ(got, want);
  EXPECT_FALSE(want.back().empty());
#ifdef LLMAP_EMULATED
  enter(execs[1]);
  EXPECT_GT(stand_in::memory().allocations, 0u) << "nothing was done on the other device";
  enter(execs[0]);
  stand_in::set_devices(1);
#endif
}

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
