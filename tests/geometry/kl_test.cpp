#include "llmap/core/random.hpp"
#include "llmap/geometry/clip.hpp"
#include "llmap/geometry/gram.hpp"
#include "llmap/geometry/pairwise_kl.hpp"
#include "llmap/reference/map_reference.hpp"
#include "support/dense.hpp"
#include "support/golden_tensors.hpp"
#include "support/message_of.hpp"
#include <cstring>
#include <gtest/gtest.h>

using namespace llmap;

namespace {
const cpu_executor exec;
}

class golden_kl : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(cases, golden_kl, testing::Values("tiny", "small", "medium", "wide", "dup"));

TEST_P(golden_kl, clip_center_kl_and_errors) {
  const golden::map_case c(GetParam());
  const score_matrix m = golden::scores(c);
  const auto x = clip(exec, m.log_likelihood.view(), clip_threshold(exec, m.log_likelihood.view()));
  EXPECT_LE(golden::scalar_error(c, "clip_threshold", x.threshold), 1);
  EXPECT_EQ(static_cast<double>(x.raised), c.scalar("clipped_count"));
  EXPECT_LE(golden::scalar_error(c, "mean_bytes", mean_bytes(m.bytes)), 1);

  const auto q = center(exec, x.values.view());
  EXPECT_LE(golden::error_over_tolerance(c, "row_mean", q.row_mean), 1);
  EXPECT_LE(golden::error_over_tolerance(c, "column_mean", q.column_mean), 1);
  EXPECT_LE(golden::error_over_tolerance(c, "Q", q.q), 1);

  const kl_table t = kl(exec, x.values.view(), m.bytes);
  EXPECT_LE(golden::error_over_tolerance(c, "kl_nats", t.nats), 1);
  EXPECT_LE(golden::error_over_tolerance(c, "kl_bits_per_byte", kl_bits_per_byte(t)), 1);
  const kl_error_table e = kl_errors(exec, x.values.view(), t);
  EXPECT_LE(golden::error_over_tolerance(c, "kl_se", e.standard_error), 1);
  EXPECT_LE(golden::error_over_tolerance(c, "m4", e.fourth_moment), 1);
  EXPECT_LE(golden::error_over_tolerance(c, "delta_mean", e.mean_difference), 1);
  EXPECT_LE(golden::error_over_tolerance(c, "delta_mean_se", mean_difference_standard_error(t)), 1);
}

TEST(kl, by_hand) {
  // Rows differ by (0, -1, -2, 3) about their mean: V = 14/4, m4 = 98/4, SE(V) = sqrt((24.5 - 12.25)/4)
  // = 1.75.
  const matrix<double> l{{-10, -20, -30, -40}, {-10, -19, -28, -43}};
  const kl_table t = kl(exec, l.view(), {10, 10, 10, 10});
  EXPECT_DOUBLE_EQ(t.nats(0, 1), 1.75);
  EXPECT_DOUBLE_EQ(kl_errors(exec, l.view(), t).standard_error(0, 1), 0.875);
  EXPECT_DOUBLE_EQ(kl_bits_per_byte(t)(0, 1), 1.75 / (10 * std::log(2.0)));
  EXPECT_EQ(t.nats(0, 0), 0);
}

TEST(kl, missing_texts) {
  const golden::map_case c("medium_nan");
  score_matrix m = golden::scores(c);
  const double threshold = clip_threshold(exec, m.log_likelihood.view());
  EXPECT_LE(golden::scalar_error(c, "clip_threshold", threshold), 1);
  m.log_likelihood = clip(exec, m.log_likelihood.view(), threshold).values;

  const pairwise_kl_table p = pairwise_kl(exec, m);
  EXPECT_EQ(matrix<double>(p.texts.view()), c.expected.at("pairwise_count").matrix());
  EXPECT_LE(golden::error_over_tolerance(c, "pairwise_kl_nats", p.nats), 1);
  EXPECT_LE(golden::error_over_tolerance(c, "pairwise_kl_bits_per_byte", p.bits_per_byte), 1);
  EXPECT_LE(golden::error_over_tolerance(c, "pairwise_kl_se", p.standard_error), 1);
  EXPECT_LE(golden::error_over_tolerance(c, "pairwise_delta_mean", p.mean_difference), 1);

  const text_selection s = complete_texts(m);
  EXPECT_EQ(s.kept, c.expected.at("complete_texts").indexes());
  EXPECT_EQ(s.kept.size() + s.excluded.size(), m.texts.size());
  for (const excluded_text& e : s.excluded) {
    EXPECT_EQ(e.name, m.texts[e.text]);
    EXPECT_GE(e.models, 1u);
    EXPECT_FALSE(e.first.empty());
  }
  const score_matrix kept = take_texts(m, s.kept);
  EXPECT_LE(golden::scalar_error(c, "complete_mean_bytes", mean_bytes(kept.bytes)), 1);
  EXPECT_LE(golden::error_over_tolerance(c, "complete_Q", center(exec, kept.log_likelihood.view()).q), 1);
  const kl_table t = kl(exec, kept.log_likelihood.view(), kept.bytes);
  EXPECT_LE(golden::error_over_tolerance(c, "complete_kl_nats", t.nats), 1);
  EXPECT_LE(golden::error_over_tolerance(c, "complete_kl_bits_per_byte", kl_bits_per_byte(t)), 1);
  EXPECT_THROW(kl(exec, m.log_likelihood.view(), m.bytes), error);
  EXPECT_THROW(center(exec, m.log_likelihood.view()), error);
}

namespace {
matrix<double> random_scores(std::size_t K, std::size_t N) {
  const counter_random r{7};
  matrix<double> l(K, N);
  for (std::size_t i = 0; i < K; ++i)
    for (std::size_t s = 0; s < N; ++s) l(i, s) = -900 + 200 * r.normal(0, s) + 30 * r.normal(i + 1, s);
  return l;
}
} // namespace

TEST(kl, agrees_with_the_plain_loops_on_every_small_shape) {
  for (const std::size_t K : {1u, 2u, 3u, 8u, 9u, 17u})
    for (const std::size_t N : {2u, 3u, 7u, 8u, 9u, 16u, 31u}) {
      const matrix<double> l = random_scores(K, N);
      const double q = 0.02;
      const double threshold = clip_threshold(exec, l.view(), q);
      EXPECT_NEAR(threshold, reference::clip_threshold(reference::rows_of(l), q), 1e-11);
      const matrix<double> x = clip(exec, l.view(), threshold).values;
      const auto centered = reference::double_center(reference::rows_of(x));
      const kl_table t = kl(exec, x.view(), std::vector<std::int64_t>(N, 100));
      const kl_error_table e = kl_errors(exec, x.view(), t);
      for (std::size_t i = 0; i < K; ++i)
        for (std::size_t j = 0; j < K; ++j) {
          EXPECT_NEAR(t.nats(i, j), reference::kl_nats(centered, i, j), 1e-10 * (1 + t.nats(i, j)));
          if (N == 2 && i != j) EXPECT_TRUE(std::isnan(e.standard_error(i, j)));
          else
            EXPECT_NEAR(e.standard_error(i, j), reference::kl_standard_error(centered, i, j),
                        1e-9 * (1 + t.nats(i, j)));
        }
    }
}

TEST(kl, one_text_gives_no_distance_and_two_no_error) {
  const matrix<double> one = random_scores(3, 1), two = random_scores(3, 2);
  EXPECT_MESSAGE(kl(exec, one.view(), {100}), "kl: expected at least 2 texts, got 1");
  EXPECT_MESSAGE(center(exec, one.view()), "center: expected at least 2 texts, got 1");
  const kl_table t = kl(exec, two.view(), {100, 100});
  const kl_error_table e = kl_errors(exec, two.view(), t);
  EXPECT_GT(t.nats(0, 1), 0);
  EXPECT_TRUE(std::isnan(e.standard_error(0, 1)) && std::isnan(e.standard_error(2, 1)));
  EXPECT_EQ(e.standard_error(1, 1), 0);                  // a model and itself
  EXPECT_GT(mean_difference_standard_error(t)(0, 1), 0); // that of a mean needs no more
}

TEST(kl, pairs_that_share_too_few_texts) {
  score_matrix m;
  m.models = {"a", "b", "c"};
  m.log_likelihood = random_scores(3, 4);
  for (const char* name : {"s", "t", "u", "v"}) m.texts.push_back(name), m.bytes.push_back(100);
  m.log_likelihood(1, 0) = m.log_likelihood(1, 1) = m.log_likelihood(2, 3) = NAN; // a b: 2, a c: 3, b c: 1
  const pairwise_kl_table p = pairwise_kl(exec, m);
  EXPECT_TRUE(p.nats(0, 1) > 0 && std::isnan(p.standard_error(0, 1)));
  EXPECT_TRUE(p.nats(0, 2) > 0 && p.standard_error(0, 2) > 0);
  for (const matrix<double>* table : {&p.nats, &p.bits_per_byte, &p.standard_error, &p.mean_difference})
    EXPECT_TRUE(std::isnan((*table)(1, 2)));
  EXPECT_EQ(p.texts(1, 2), 1u);
  EXPECT_MESSAGE(complete_texts(m),
                 "map: expected at least 2 texts that are usable for every model, got 1; b lacks 2 of 4");
  m.log_likelihood(0, 2) = NAN;
  EXPECT_MESSAGE(complete_texts(m), "got 0; b lacks 2 of 4; perhaps leave it out");
}

TEST(center, models_that_are_equal_lie_at_the_origin) {
  for (const std::size_t K : {2u, 3u, 5u, 7u, 17u, 40u})
    for (const std::size_t N : {2u, 3u, 50u}) {
      const matrix<double> one = random_scores(1, N);
      matrix<double> copies(K, N);
      for (std::size_t i = 0; i < K; ++i) std::ranges::copy(one.row(0), copies.row(i).begin());
      EXPECT_EQ(center(exec, copies.view()).q, matrix<double>(K, N, 0)) << K << " models, " << N << " texts";
      EXPECT_EQ(center(exec, matrix<float>(copies.view()).view()).q, matrix<float>(K, N, 0))
          << K << " models, " << N << " texts";
    }
}

TEST(clip, raises_what_is_below_in_a_copy_and_in_place) {
  for (const std::size_t N : {1u, 3u, 8u, 9u, 31u}) {
    matrix<double> l = random_scores(5, N);
    l(1, N - 1) = std::numeric_limits<double>::quiet_NaN();
    l(2, 0) = -std::numeric_limits<double>::infinity();
    const double threshold = row_mean(l.view(), 0);
    std::size_t below = 0;
    matrix<double> wanted = l;
    for (double& x : wanted.span())
      if (x < threshold) x = threshold, ++below;
    const clipped_matrix<double> copy = clip(exec, l.view(), threshold), moved = clip(exec, std::move(l), threshold);
    for (const clipped_matrix<double>* c : {&copy, &moved}) {
      EXPECT_EQ(c->raised, below);
      EXPECT_EQ(std::memcmp(c->values.data(), wanted.data(), wanted.size() * sizeof(double)), 0);
    }
  }
}

namespace {
struct exact_moments {
  double kl, fourth, standard_error, mean;
};
template <class T> exact_moments in_long_double(const matrix<T>& l, std::size_t i, std::size_t j) {
  const auto N = static_cast<long double>(l.cols());
  long double mean = 0, v = 0, fourth = 0, spread = 0;
  for (std::size_t s = 0; s < l.cols(); ++s) mean += static_cast<long double>(l(i, s)) - l(j, s);
  mean /= N;
  const auto square = [&](std::size_t s) {
    const long double d = static_cast<long double>(l(i, s)) - l(j, s) - mean;
    return d * d;
  };
  for (std::size_t s = 0; s < l.cols(); ++s) v += square(s) / N, fourth += square(s) * square(s) / N;
  for (std::size_t s = 0; s < l.cols(); ++s) spread += (square(s) - v) * (square(s) - v) / N;
  const auto as_double = [](long double x) { return static_cast<double>(x); };
  return {as_double(v / 2), as_double(fourth), as_double(std::sqrt(spread / N) / 2), as_double(mean)};
}
/// Every pair of models at the contract's 1e-12, the errors at 1e-11.
template <class T> void expect_digits(const matrix<T>& l) {
  const kl_table t = kl(exec, l.view(), std::vector<std::int64_t>(l.cols(), 950));
  const kl_error_table e = kl_errors(exec, l.view(), t);
  double worst = 0, worst_error = 0, largest = 0;
  for (const T x : l.span()) largest = std::max(largest, std::abs(static_cast<double>(x)));
  for (std::size_t i = 0; i < l.rows(); ++i)
    for (std::size_t j = 0; j < l.rows(); ++j) {
      const exact_moments wanted = in_long_double(l, i, j);
      EXPECT_NEAR(t.nats(i, j), wanted.kl, squared_distance_error * wanted.kl) << i << " " << j;
      EXPECT_NEAR(e.standard_error(i, j), wanted.standard_error, 1e-11 * wanted.standard_error) << i << " " << j;
      EXPECT_NEAR(e.fourth_moment(i, j), wanted.fourth, 1e-11 * wanted.fourth) << i << " " << j;
      EXPECT_NEAR(e.mean_difference(i, j), wanted.mean, 1e-15 * largest) << i << " " << j;
      if (i == j) continue;
      worst = std::max(worst, std::abs(t.nats(i, j) / wanted.kl - 1));
      worst_error = std::max(worst_error, std::abs(e.standard_error(i, j) / wanted.standard_error - 1));
    }
  std::cout << (sizeof(T) == 4 ? "float" : "double") << ", largest relative error: KL " << worst
            << ", its standard error " << worst_error << "\n";
}
} // namespace

TEST(kl, twins_keep_their_digits) {
  // Twins about 1e-11 bits/byte apart.
  matrix<double> l = random_scores(6, 500);
  const counter_random r{11};
  for (std::size_t s = 0; s < 500; ++s) {
    l(1, s) = l(0, s) + 1e-4 * r.normal(0, s);
    l(2, s) = l(0, s) + 3 + 1e-4 * r.normal(1, s);
  }
  EXPECT_LT(kl_bits_per_byte(kl(exec, l.view(), std::vector<std::int64_t>(500, 950)))(0, 1), 2e-11);
  expect_digits(l);
  expect_digits(matrix<float>(l.view()));
}

TEST(kl, digits_at_every_distance) {
  // Two families, their members from 1e-6 to 1 of their norm apart, on both sides of where the product gives
  // way to the rows; several blocks of texts, several panels of models. Then the same with texts that differ
  // more than the models do.
  constexpr std::size_t K = 61, N = 1500;
  const counter_random r{12};
  for (const double texts : {0.0, 1e4}) {
    matrix<double> l = random_scores(K, N);
    for (std::size_t i = 2; i < K; ++i)
      for (std::size_t s = 0; s < N; ++s) {
        const auto text = s;
        const double apart = std::pow(10.0, -6 + 6.0 * static_cast<double>(i) / K);
        l(i, s) = l(i % 2, s) + 60 * apart * r.normal(i, text);
      }
    for (std::size_t i = 0; i < K; ++i)
      for (std::size_t s = 0; s < N; ++s) l(i, s) += texts * r.normal(100, s);
    expect_digits(l);
    expect_digits(matrix<float>(l.view()));
  }
}

TEST(kl, same_bits_for_any_thread_count_and_order_of_models) {
  const matrix<double> l = random_scores(37, 203);
  const std::vector<std::int64_t> bytes(203, 900);
  const cpu_executor alone{1}, crowd{4};
  const kl_table one = kl(alone, l.view(), bytes);
  const kl_table four = kl(crowd, l.view(), bytes);
  EXPECT_EQ(one.nats, four.nats);
  const kl_error_table errors = kl_errors(alone, l.view(), one);
  EXPECT_EQ(errors.standard_error, kl_errors(crowd, l.view(), four).standard_error);
  EXPECT_EQ(center(alone, l.view()).q, center(crowd, l.view()).q);
  EXPECT_EQ(squared_distances(alone, l.view()), squared_distances(crowd, l.view()));
  EXPECT_EQ(gram(alone, l.view()), gram(crowd, l.view()));
  const matrix<double> reversed = as_matrix(as_eigen(l).colwise().reverse());
  const auto back = [](const matrix<double>& table) { return as_matrix(as_eigen(table).reverse()); };
  const kl_table turned = kl(exec, reversed.view(), bytes);
  EXPECT_EQ(back(turned.nats), one.nats);
  const kl_error_table turned_errors = kl_errors(exec, reversed.view(), turned);
  EXPECT_EQ(back(turned_errors.mean_difference), errors.mean_difference);
  EXPECT_EQ(back(turned_errors.fourth_moment), errors.fourth_moment);
  EXPECT_EQ(back(squared_distances(exec, reversed.view())), squared_distances(exec, l.view()));
}

TEST(clip, quantile_of_a_matrix_is_that_of_its_sorted_entries) {
  const counter_random r{21};
  for (const std::size_t size : {1u, 2u, 3u, 50u, 1000u})
    for (const double scale : {0.0, 1e-300, 1e-3, 1.0, 1e4, 1e300}) {
      // Both signs, zeros of both, equal values, and what is not finite.
      matrix<double> l(1, size + 3);
      for (std::size_t k = 0; k < size; ++k) {
        const auto i = k;
        l(0, k) = i % 7 == 3 ? -0.0 : i % 5 == 4 ? -scale : scale * r.normal(0, i);
      }
      l(0, size) = NAN, l(0, size + 1) = INFINITY, l(0, size + 2) = -INFINITY;
      for (const double q : {0.0, 0.02, 0.5, 0.777, 0.98, 1.0}) {
        std::vector<double> values(l.data(), l.data() + l.size());
        const double wanted = linear_quantile(values, q);
        // A row, and the same numbers as a column, which threads have in parts.
        EXPECT_EQ(clip_threshold(cpu_executor{1}, l.view(), q), wanted) << size << " " << scale << " " << q;
        EXPECT_EQ(clip_threshold(cpu_executor{3}, matrix_view<const double>(l.data(), l.cols(), 1), q), wanted)
            << size << " " << scale << " " << q;
      }
    }
}

TEST(kl, refuses_what_it_cannot_use) {
  score_matrix m;
  EXPECT_THROW(check_score_matrix(m), error);
  m.models = {"a", "b"};
  m.texts = {"s", "t"};
  m.bytes = {3, 3};
  m.log_likelihood = matrix<double>(2, 2, -1.0);
  EXPECT_NO_THROW(check_score_matrix(m));
  m.log_likelihood(1, 0) = -INFINITY;
  m.flags = matrix<std::uint8_t>(2, 2, 0);
  m.flags(1, 1) = 1;
  try {
    complete_texts(m);
    FAIL();
  } catch (const error& e) {
    EXPECT_NE(std::string(e.what()).find("b lacks 2 of 2"), std::string::npos) << e.what();
  }
  EXPECT_THROW(clip_threshold(exec, m.log_likelihood.view(), 1.5), error);
  EXPECT_THROW(clip_threshold(exec, matrix<double>(1, 1, NAN).view()), error);
  m.bytes = {3};
  EXPECT_THROW(check_score_matrix(m), error);
}
