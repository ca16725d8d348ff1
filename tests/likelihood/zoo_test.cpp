// The 30 trained models of the zoo over its texts, against the likelihoods kept with it: float64 on every fifth text
// within 1e-7 nats a text, float32 on every text within 1e-3; token counts equal.
#include "llmap/architectures/all.hpp"
#include "llmap/cpu.hpp"
#include "llmap/forward/load.hpp"
#include "llmap/likelihood/score.hpp"
#include "llmap/text/text_set.hpp"
#include "llmap/text/tokenizer.hpp"
#include "llmap/weights/checkpoint.hpp"
#include "support/golden.hpp"

using namespace llmap;

namespace {
struct zoo_test : testing::Test {
  text_set texts = load_text_set(golden::zoo() / "texts.jsonl");
  safetensors_file expected{golden::zoo() / "expected" / "likelihood.safetensors"};
  std::vector<std::string> models =
      golden::read(golden::zoo() / "expected" / "names.json")["models"].get<std::vector<std::string>>();

  template <class T> double worst(std::size_t step) const {
    const auto nats = expected.read("log_likelihood"), tokens = expected.read("tokens_scored");
    double worst = 0;
    for (std::size_t k = 0; k < models.size(); ++k) {
      const auto folder = golden::zoo() / "models" / models[k];
      const tokenizer tokenize = tokenizer::load(folder);
      const auto model = load_decoder<T>(cpu_executor{default_threads()}, plan_of(config::load(folder)),
                                         checkpoint(folder), folder.string());
      std::vector<std::vector<std::int32_t>> ids;
      for (std::size_t i = k % step; i < texts.items.size(); i += step)
        ids.push_back(tokenize.encode(texts.items[i].text));
      score_texts(cpu_executor{default_threads()}, model, ids, {},
                  [&](std::size_t first, std::span<const text_score> scores) {
                    for (std::size_t i = 0; i < scores.size(); ++i) {
                      const std::size_t at = k * texts.items.size() + k % step + (first + i) * step;
                      worst = std::max(worst, std::abs(scores[i].log_likelihood -
                                                       detail::load_element<double>(nats.bytes.data(), at)));
                      EXPECT_EQ(scores[i].tokens_scored, detail::load_element<std::int32_t>(tokens.bytes.data(), at));
                      EXPECT_EQ(scores[i].flags, 0);
                    }
                  });
    }
    return worst;
  }
};
} // namespace

TEST_F(zoo_test, float64) {
  const double error = worst<double>(5);
  std::printf("largest error, float64: %.3g nats a text\n", error);
  EXPECT_LE(error, 1e-7);
}
TEST_F(zoo_test, float32) {
  const double error = worst<float>(1);
  std::printf("largest error, float32: %.3g nats a text\n", error);
  EXPECT_LE(error, 1e-3);
}
