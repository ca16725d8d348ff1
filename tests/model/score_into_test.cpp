// Scoring into a store: stopped at any batch and taken up again, it ends with the bits of a run that was never stopped.
#include "llmap/architectures/gpt2.hpp"
#include "llmap/kernels.hpp"
#include "llmap/model/language_model.hpp"
#include "llmap/model/score_into.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"

using namespace llmap;

namespace {

const std::filesystem::path zoo = std::filesystem::path(LLMAP_SOURCE_DIR) / "examples/zoo";
const cpu_executor exec;

text_set some_texts(std::size_t n) {
  text_set texts = load_text_set((zoo / "texts.jsonl").string());
  texts.items.resize(n);
  return texts;
}
opened_model gpt2() {
  const auto folder = zoo / "models/gpt2";
  return {folder, gpt2_plan(config::load(folder))};
}
store_scoring_options small_batches() {
  store_scoring_options options{.policy = {.overlong = overlong_policy::truncate}};
  options.batches.batch_rows = 20;
  return options;
}

void expect_same(const std::vector<text_score>& want, score_store& store, const score_store::stored_model& model) {
  const auto got = store.scores(model);
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    ASSERT_TRUE(got[i].has_value()) << i;
    EXPECT_EQ(got[i]->log_likelihood, want[i].log_likelihood) << i;
    EXPECT_EQ(got[i]->tokens_scored, want[i].tokens_scored) << i;
    EXPECT_EQ(got[i]->flags, want[i].flags) << i;
  }
}

} // namespace

TEST(score_into, goes_on_where_it_was_stopped) {
  const temporary_folder dir;
  const text_set texts = some_texts(10);
  const opened_model model = gpt2();
  const auto whole = score(exec, load_model<float>(exec, model.folder, model.plan), texts, small_batches().policy);

  score_store store(dir.path() / "s.sqlite", texts);
  std::size_t in_store = 0, runs = 0;
  std::vector<std::string> phases;
  for (bool complete = false; !complete; ++runs) {
    ASSERT_LT(runs, 20u);
    const auto watch = [&](const scoring_progress& p) {
      if (p.texts_done == 0) phases.push_back(name_of(p.now));
      EXPECT_LE(p.tokens_done, p.tokens);
      return p.texts_done < 3; // ends after the batch that brings the third text
    };
    const scoring_report report = score_into<float>(store, exec, model, texts, small_batches(), watch);
    EXPECT_EQ(report.model, "gpt2");
    EXPECT_EQ(report.present, in_store);
    in_store += report.scored;
    EXPECT_LE(in_store, texts.items.size());
    complete = report.complete;
    EXPECT_EQ(complete, in_store == texts.items.size() && report.scored < 3);
  }
  EXPECT_EQ(runs, 4u);
  EXPECT_EQ(phases[0], "tokenizing");
  EXPECT_EQ(phases[1], "packing the weights");
  EXPECT_EQ(phases[2], "scoring");
  const std::string policy = policy_line<float>(compute_type::working, small_batches().policy);
  const auto stored =
      store.open_model({"gpt2", fingerprint_of(model.weights, model.words.canonical(), policy), "gpt2", policy});
  expect_same(whole, store, stored);
}

TEST(score_into, reports_bits_per_byte_of_unflagged_texts) {
  const temporary_folder dir;
  text_set texts = some_texts(5);
  texts.items[4].text = "a"; // one token: nothing to predict, flagged
  const opened_model model = gpt2();
  score_store store(dir.path() / "s.sqlite", texts);
  store_scoring_options options = small_batches();
  options.policy.bos = bos_policy::never;
  const scoring_report report = score_into<float>(store, exec, model, texts, options);
  double nats = 0, bytes = 0;
  const auto scores = score(exec, load_model<float>(exec, model.folder, model.plan), texts, options.policy);
  for (std::size_t i = 0; i < 4; ++i)
    nats += scores[i].log_likelihood, bytes += static_cast<double>(texts.items[i].text.size());
  EXPECT_DOUBLE_EQ(report.bits_per_byte, -nats / (bytes * std::numbers::ln2));
  EXPECT_EQ(report.flagged, std::vector<std::string>{texts.items[4].id});
  EXPECT_TRUE(report.complete);
  const scoring_report again = score_into<float>(store, exec, model, texts, options);
  EXPECT_EQ(again.scored, 0u);
  EXPECT_EQ(again.present, 5u);
  EXPECT_EQ(again.bits_per_byte, report.bits_per_byte);
}

TEST(score_into, never_mixes_policies_or_precisions) {
  const temporary_folder dir;
  const text_set texts = some_texts(2);
  const opened_model model = gpt2();
  score_store store(dir.path() / "s.sqlite", texts);
  score_into<float>(store, exec, model, texts, small_batches());
  store_scoring_options other = small_batches();
  other.policy.bos = bos_policy::never;
  EXPECT_MESSAGE(score_into<float>(store, exec, model, texts, other), "model gpt2 is already there with other",
                 "bos never");
  EXPECT_MESSAGE(score_into<double>(store, exec, model, texts, small_batches()),
                 "model gpt2 is already there with other", "precision f64");
}
