#include "llmap/forward/attention.hpp"
#include "llmap/reference/forward_reference.hpp"
#include "support/golden.hpp"

using namespace llmap;

namespace {

struct shape { std::size_t heads, kv_heads, head_dim; };

template <class T>
std::vector<T> run(const attention_options<T>& o, const ragged_batch& batch, const std::vector<T>& qkv, int threads, std::size_t slab_rows = 4096) {
  std::vector<T> out(batch.rows() * o.heads * o.head_dim);
  const matrix_view<const T> in(qkv.data(), batch.rows(), (o.heads + 2 * o.kv_heads) * o.head_dim);
  const matrix_view<T> to(out.data(), batch.rows(), o.heads * o.head_dim);
  attention_workspace<T> work;
  for_slabs(batch.rows(), slab_rows, 1, [&](slab s) {
    attention<T>({threads}, o, batch, s, in.row_range(s.first, s.count), to.row_range(s.first, s.count), work);
  });
  return out;
}
ragged_batch batch_of(const std::vector<std::size_t>& lengths) {
  ragged_batch b;
  for (std::size_t n : lengths) b.add(std::vector<std::int32_t>(n));
  return b;
}

template <class T> void against_reference(shape s, double softcap, std::size_t window, bool alibi) {
  const ragged_batch batch = batch_of({1, 2, 47, 48, 49, 130, 290});
  attention_options<T> o{s.heads, s.kv_heads, s.head_dim, static_cast<T>(0.7), static_cast<T>(softcap), window, {}};
  reference::attention_options r{s.heads, s.kv_heads, s.head_dim, static_cast<double>(static_cast<T>(0.7)), softcap, window, {}};
  if (alibi)
    for (double slope : alibi_slopes(s.heads)) o.alibi.push_back(static_cast<T>(slope)), r.alibi.push_back(static_cast<double>(static_cast<T>(slope)));
  const std::size_t width = (s.heads + 2 * s.kv_heads) * s.head_dim;
  std::vector<T> qkv;
  for (double x : golden::normals(batch.rows() * width, 4)) qkv.push_back(static_cast<T>(x));
  const std::vector<T> got = run<T>(o, batch, qkv, 2);
  double worst = 0;
  for (std::size_t t = 0; t < batch.texts(); ++t) {
    const std::vector<double> one(qkv.begin() + static_cast<std::ptrdiff_t>(batch.offsets[t] * width),
                                  qkv.begin() + static_cast<std::ptrdiff_t>(batch.offsets[t + 1] * width));
    const auto expected = reference::attention(one, r, batch.length(t));
    for (std::size_t i = 0; i < expected.size(); ++i)
      worst = std::max(worst, std::abs(static_cast<double>(got[batch.offsets[t] * s.heads * s.head_dim + i]) - expected[i]));
  }
  EXPECT_LE(worst, 200 * std::numeric_limits<T>::epsilon()) << s.heads << "/" << s.kv_heads << " heads of " << s.head_dim;
}

} // namespace

TEST(attention, like_the_reference) {
  for (const shape s : {shape{1, 1, 1}, {3, 1, 6}, {4, 2, 16}, {2, 2, 17}, {2, 1, 64}}) {
    against_reference<double>(s, 0, 0, false);
    against_reference<float>(s, 0, 0, false);
    against_reference<double>(s, 2, 20, false);
    against_reference<double>(s, 0, 129, true);
    against_reference<float>(s, 5, 1, true);
  }
}
TEST(attention, bits_of_a_text_do_not_depend_on_slabs_batch_or_threads) {
  const attention_options<float> o{4, 2, 24, 0.3f, 0, 60, {}};
  const std::vector<std::size_t> lengths{70, 3, 260, 1, 100};
  const ragged_batch batch = batch_of(lengths);
  const std::size_t width = 8 * 24;
  std::vector<float> qkv;
  for (double x : golden::normals(batch.rows() * width, 4)) qkv.push_back(static_cast<float>(x));
  const auto together = run<float>(o, batch, qkv, 1);
  EXPECT_EQ(together, run<float>(o, batch, qkv, 2));
  EXPECT_EQ(together, run<float>(o, batch, qkv, 3));
  for (std::size_t rows : {1, 7, 64, 100, 433}) EXPECT_EQ(together, run<float>(o, batch, qkv, 2, rows)) << "slabs of " << rows;
  for (std::size_t t = 0; t < lengths.size(); ++t) {
    const std::vector<float> own(qkv.begin() + static_cast<std::ptrdiff_t>(batch.offsets[t] * width),
                                 qkv.begin() + static_cast<std::ptrdiff_t>(batch.offsets[t + 1] * width));
    const auto alone = run<float>(o, batch_of({lengths[t]}), own, 2);
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + static_cast<std::ptrdiff_t>(batch.offsets[t] * 96)));
  }
}
TEST(attention, large_scores_do_not_overflow) {
  const attention_options<float> o{1, 1, 8, 1.f, 0, 0, {}};
  const ragged_batch batch = batch_of({140});
  std::vector<float> qkv;
  for (double x : golden::normals(140 * 24, 6, 60)) qkv.push_back(static_cast<float>(x)); // scores of thousands
  for (float x : run<float>(o, batch, qkv, 1)) ASSERT_TRUE(std::isfinite(x));
}
TEST(attention, alibi_slopes_of_any_head_count) {
  EXPECT_EQ(alibi_slopes(4), (std::vector<double>{0.25, 0.0625, 0.015625, 0.00390625}));
  const auto five = alibi_slopes(5);
  EXPECT_EQ(five.size(), 5u);
  EXPECT_DOUBLE_EQ(five[4], 0.5);
}
