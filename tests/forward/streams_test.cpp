// The ops of streams against their plain loops, and the numbers beside them.
#include "llmap/architectures/normal_quantile.hpp"
#include "llmap/forward/cpu/pack.hpp"
#include "llmap/forward/cpu/rows.hpp"
#include "llmap/reference/streams_reference.hpp"
#include "support/golden.hpp"

using namespace llmap;

namespace {

template <class T> struct numbers {
  std::vector<T> narrow;
  std::vector<double> wide;
  numbers(std::size_t n, std::uint64_t stream, double spread = 1) {
    for (double x : golden::normals(n, stream, spread))
      narrow.push_back(static_cast<T>(x)), wide.push_back(static_cast<double>(narrow.back()));
  }
  matrix_view<const T> view(std::size_t cols) const { return {narrow.data(), narrow.size() / cols, cols}; }
};
template <class T> void expect_near(const std::vector<T>& got, const std::vector<double>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(got[i], want[i], 30 * std::numeric_limits<T>::epsilon() * (1 + std::abs(want[i]))) << i;
}

template <class T> void all_ops() {
  const cpu_executor exec{2};
  for (const auto& [S, n, C] : {std::array<std::size_t, 3>{1, 2, 1}, {5, 3, 7}, {70, 4, 33}}) {
    const numbers<T> x(S * n * C, 1), c(S * n * n, 2), own(S * C, 3), correction(S * n, 4), tiny(S * C, 5, 1e-4);
    std::vector<T> y(S * n * C);
    const matrix_view<T> to(y.data(), S, n * C);
    mix_streams(exec, c.view(n * n), x.view(n * C), to);
    expect_near(y, reference::mix_streams(c.wide, x.wide, S, n, C));
    for (const std::size_t active : {std::size_t{0}, n - 1}) {
      correct_streams(exec, correction.view(n), active, own.view(C), x.view(n * C), to);
      expect_near(y, reference::correct_streams(correction.wide, active, own.wide, x.wide, S, n, C));
    }
    for (const auto* from : {&own, &tiny}) { // of the tiny ones the size has its least value
      std::vector<T> sized = from->narrow;
      match_size(exec, x.view(n * C).column_range(0, C), matrix_view<T>(sized.data(), S, C));
      std::vector<double> first;
      for (std::size_t s = 0; s < S; ++s)
        for (std::size_t k = 0; k < C; ++k) first.push_back(x.wide[s * n * C + k]);
      expect_near(sized, reference::match_size(first, from->wide, S, C));
    }
    for (const double cut : {-0.3, 0.0, 1.6}) {
      std::vector<T> cut_off = x.narrow;
      cut_below(exec, cut, matrix_view<T>(cut_off.data(), S, n * C));
      expect_near(cut_off, reference::cut_below(x.wide, cut, S, n * C));
    }
    std::vector<T> scaled = own.narrow;
    const std::vector<T> factors(x.narrow.begin(), x.narrow.begin() + static_cast<std::ptrdiff_t>(C));
    scale_columns(exec, upload(exec, factors), matrix_view<T>(scaled.data(), S, C));
    for (std::size_t i = 0; i < scaled.size(); ++i) ASSERT_EQ(scaled[i], own.narrow[i] * factors[i % C]);
  }
}

} // namespace

TEST(streams, like_the_reference) { all_ops<double>(), all_ops<float>(); }
TEST(normal_quantile, known_values) {
  EXPECT_NEAR(normal_quantile(0.95), 1.64485362695147, 1e-13);
  EXPECT_NEAR(normal_quantile(0.5), 0, 1e-15);
  EXPECT_NEAR(normal_quantile(0.4), -0.25334710313579977, 1e-14);
}
TEST(embedding_rows, an_id_beyond_the_table_means_its_first_row) {
  const cpu_executor exec{1};
  const std::vector<float> rows{1, 2, 3, 4};
  ragged_batch batch;
  batch.add(std::vector<std::int32_t>{1, 0, 2, 9});
  std::vector<float> y(8);
  embedding_rows(exec, pack<float>(exec, matrix_view<const float>(rows.data(), 2, 2)), batch, 2.f,
                 matrix_view<float>(y.data(), 4, 2));
  EXPECT_EQ(y, (std::vector<float>{6, 8, 2, 4, 2, 4, 2, 4}));
}
