// Routing against plain loops: scores, groups, corrections, weights; and the rows that each expert gets.
#include "llmap/forward/cpu/linear.hpp"
#include "llmap/forward/cpu/pack.hpp"
#include "llmap/forward/cpu/route.hpp"
#include "llmap/forward/cpu/rows.hpp"
#include "llmap/reference/recurrence_reference.hpp"
#include "support/golden.hpp"

using namespace llmap;

namespace {

template <class T>
void against_reference(const router_plan& plan, bool corrected, std::size_t ranked, bool scaled = false) {
  const std::size_t E = 12, S = 50;
  std::vector<T> logits, correction;
  for (double x : golden::normals(S * E, 1, 2)) logits.push_back(static_cast<T>(x));
  if (corrected)
    for (double x : golden::normals(E, 2, 0.3)) correction.push_back(static_cast<T>(x));
  std::vector<T> expert_scale;
  if (scaled)
    for (double x : golden::normals(E, 3, 0.3)) expert_scale.push_back(static_cast<T>(1 + x));
  expert_rows<T> routing;
  route(cpu_executor{2}, plan, matrix_view<const T>(logits.data(), S, E), upload(cpu_executor{1}, correction),
        upload(cpu_executor{1}, expert_scale), routing);
  std::vector<double> got(S * E, 0.0);
  for (std::size_t e = 0; e < E; ++e) {
    EXPECT_TRUE(std::is_sorted(routing.rows(e).begin(), routing.rows(e).end()));
    for (std::size_t i = 0; i < routing.count(e); ++i)
      got[routing.rows(e)[i] * E + e] = static_cast<double>(routing.weights(e)[i]);
  }
  for (std::size_t r = 0; r < S; ++r) {
    auto want = reference::route({logits.begin() + static_cast<std::ptrdiff_t>(r * E),
                                  logits.begin() + static_cast<std::ptrdiff_t>((r + 1) * E)},
                                 {correction.begin(), correction.end()}, plan.scores == router_plan::score::softmax,
                                 static_cast<std::size_t>(plan.chosen), static_cast<std::size_t>(plan.groups),
                                 static_cast<std::size_t>(plan.chosen_groups), ranked, plan.normalized, plan.epsilon,
                                 plan.scale);
    if (plan.scores == router_plan::score::banded)
      want = reference::banded_route({logits.begin() + static_cast<std::ptrdiff_t>(r * E),
                                      logits.begin() + static_cast<std::ptrdiff_t>((r + 1) * E)},
                                     plan.band);
    for (std::size_t e = 0; e < expert_scale.size(); ++e) want[e] *= static_cast<double>(expert_scale[e]);
    for (std::size_t e = 0; e < E; ++e)
      ASSERT_NEAR(got[r * E + e], want[e], 4 * std::numeric_limits<T>::epsilon()) << "row " << r << " expert " << e;
  }
}
template <class T> void all() {
  using score = router_plan::score;
  using rank = router_plan::group_rank;
  against_reference<T>({.chosen = 2}, false, 1);
  against_reference<T>({.chosen = 3, .normalized = true}, false, 1);
  against_reference<T>({.chosen = 2, .groups = 4, .chosen_groups = 2, .rank = rank::best, .scale = 1.7}, false, 1);
  against_reference<T>({.scores = score::sigmoid,
                        .chosen = 4,
                        .groups = 3,
                        .chosen_groups = 2,
                        .rank = rank::best_two,
                        .normalized = true,
                        .epsilon = 1e-20,
                        .scale = 2.5},
                       true, 2);
  against_reference<T>({.scores = score::sigmoid, .chosen = 12, .normalized = true}, true, 1);
  against_reference<T>({.chosen = 3, .normalized = true}, false, 1, true);
  for (const double band : {0.01, 0.2, 2.0})
    against_reference<T>({.scores = score::banded, .chosen = 2, .band = band}, false, 1);
}

} // namespace

TEST(route, like_the_reference) { all<double>(), all<float>(); }
TEST(route, of_equal_scores_the_lower_number_wins) {
  const std::vector<float> logits(8, 1.f);
  expert_rows<float> routing;
  route(cpu_executor{1}, {.chosen = 3}, matrix_view<const float>(logits.data(), 1, 8), {}, {}, routing);
  for (std::size_t e = 0; e < 8; ++e) EXPECT_EQ(routing.count(e), e < 3 ? 1u : 0u);
}
TEST(route, no_rows) {
  expert_rows<float> routing;
  route(cpu_executor{2}, {.chosen = 1}, matrix_view<const float>(nullptr, 0, 4), {}, {}, routing);
  for (std::size_t e = 0; e < 4; ++e) EXPECT_EQ(routing.count(e), 0u);
}
TEST(route, the_sum_of_weights_has_a_least_value) {
  const std::vector<double> logits{0, 0, 0, 0};
  for (const double least : {0.25, 0.5, 1.0}) { // the two chosen have a quarter each
    expert_rows<double> routing;
    route(cpu_executor{1}, {.chosen = 2, .normalized = true, .least_sum = least},
          matrix_view<const double>(logits.data(), 1, 4), {}, {}, routing);
    EXPECT_DOUBLE_EQ(routing.weights(0)[0], 0.25 / std::max(0.5, least));
  }
}
TEST(rows, grow_with_their_positions) {
  ragged_batch batch;
  batch.add(std::vector<std::int32_t>(7));
  batch.add(std::vector<std::int32_t>(5));
  for (const std::int64_t offset : {0, 1}) {
    std::vector<double> y(24, 1.0);
    for_slabs(12, 5, 1, [&](slab s) {
      grow(cpu_executor{2}, query_growth{0.5, 3, offset}, batch, s, matrix_view<double>(&y[s.first * 2], s.count, 2));
    });
    for (std::size_t r = 0; r < 12; ++r) {
      const double position = static_cast<double>(r < 7 ? r : r - 7) + static_cast<double>(offset);
      EXPECT_DOUBLE_EQ(y[2 * r + 1], 1 + 0.5 * std::log(1 + std::floor(position / 3))) << r;
    }
  }
}
TEST(rows, gathered_with_weights_and_added_without) {
  const cpu_executor exec{2};
  const std::vector<float> x{1, 2, 3, 4, 5, 6}, weights{2, 10};
  const std::vector<std::size_t> rows{2, 0};
  packed_rows<float> packed;
  cpu_scratch<float> scratch;
  gather_weighted_rows(exec, matrix_view<const float>(x.data(), 3, 2), std::span<const std::size_t>(rows),
                       std::span<const float>(weights), packed, scratch);
  const std::vector<float> eye{1, 0, 0, 1};
  std::vector<float> y(4), sum{1, 1, 1, 1, 1, 1};
  linear(exec, packed, pack<float>(exec, matrix_view<const float>(eye.data(), 2, 2)),
         matrix_view<float>(y.data(), 2, 2), store_mode::overwrite, scratch);
  EXPECT_EQ(y, (std::vector<float>{10, 12, 10, 20}));
  add_weighted_rows(exec, matrix_view<const float>(y.data(), 2, 2), std::span<const std::size_t>(rows),
                    std::span<const float>(), matrix_view<float>(sum.data(), 3, 2));
  EXPECT_EQ(sum, (std::vector<float>{11, 21, 1, 1, 11, 13}));
}
TEST(rows, placed_gathered_clamped_and_added) {
  const cpu_executor exec{2};
  // Two heads of 2 into heads of 3, from column 1 on; then one head into both.
  const std::vector<float> x{1, 2, 3, 4, 5, 6, 7, 8};
  std::vector<float> y(12, 0.f);
  place_heads(exec, matrix_view<const float>(x.data(), 2, 4), 2, matrix_view<float>(y.data(), 2, 6), 2, 1);
  EXPECT_EQ(y, (std::vector<float>{0, 1, 2, 0, 3, 4, 0, 5, 6, 0, 7, 8}));
  const std::vector<float> one{9, 10};
  place_heads(exec, matrix_view<const float>(one.data(), 2, 1), 1, matrix_view<float>(y.data(), 2, 6), 2, 0);
  EXPECT_EQ(y, (std::vector<float>{9, 1, 2, 9, 3, 4, 10, 5, 6, 10, 7, 8}));
  clamp(exec, 8.5f, matrix_view<float>(y.data(), 2, 6));
  EXPECT_EQ(y, (std::vector<float>{8.5, 1, 2, 8.5, 3, 4, 8.5, 5, 6, 8.5, 7, 8}));
  add_scaled(exec, matrix_view<const float>(x.data(), 2, 4), 2.f, matrix_view<float>(y.data(), 2, 4, 6),
             store_mode::overwrite);
  EXPECT_EQ(y, (std::vector<float>{2, 4, 6, 8, 3, 4, 10, 12, 14, 16, 7, 8}));
  const std::vector<std::size_t> rows{1, 0};
  const std::vector<float> weights{10, 100};
  add_weighted_rows(exec, matrix_view<const float>(x.data(), 2, 4), std::span<const std::size_t>(rows),
                    std::span<const float>(weights), matrix_view<float>(y.data(), 2, 4, 6));
  EXPECT_EQ(y, (std::vector<float>{502, 604, 706, 808, 3, 4, 20, 32, 44, 56, 7, 8}));
  const std::vector<float> gate{0, 1000};
  scale_rows_by_sigmoid(exec, matrix_view<const float>(gate.data(), 2, 1), matrix_view<float>(y.data(), 2, 6));
  EXPECT_EQ(y[0], 251);
  EXPECT_EQ(y[6], 20);
}
