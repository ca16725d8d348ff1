#include "llmap/architectures/alibi.hpp"
#include "llmap/forward/cpu/attention.hpp"
#include "llmap/reference/forward_reference.hpp"
#include "support/golden.hpp"

using namespace llmap;

namespace {

/// An attention of the CPU with its slopes and sinks.
template <class T> struct layer {
  attention_shape shape;
  std::vector<T> alibi, sinks;
};

template <class T>
std::vector<T> run(const layer<T>& l, const ragged_batch& batch, const std::vector<T>& qkv, int threads,
                   std::size_t slab_rows = 4096) {
  const attention_shape& o = l.shape;
  const cpu_executor exec{threads};
  std::vector<T> out(batch.rows() * o.heads * o.value_dim);
  const matrix_view<const T> in(qkv.data(), batch.rows(),
                                (o.heads + o.kv_heads) * o.key_dim + o.kv_heads * o.value_dim);
  const matrix_view<T> to(out.data(), batch.rows(), o.heads * o.value_dim);
  cpu_keys_values<T> kept;
  cpu_scratch<T> scratch;
  for_slabs(batch.rows(), slab_rows, 1, [&](slab s) {
    attention(exec, o, upload(exec, l.alibi), upload(exec, l.sinks), batch, s, in.row_range(s.first, s.count),
              to.row_range(s.first, s.count), kept, scratch);
  });
  return out;
}
ragged_batch batch_of(const std::vector<std::size_t>& lengths) {
  ragged_batch b;
  for (std::size_t n : lengths) b.add(std::vector<std::int32_t>(n));
  return b;
}

template <class T> double rounded(double x) { return static_cast<double>(static_cast<T>(x)); }

/// Largest error over all elements, as a share of the largest possible output times epsilon.
template <class T>
void against_reference(attention_shape s, bool alibi, bool sinks, double spread = 1, double bound = 200) {
  const ragged_batch batch = batch_of({1, 2, 47, 48, 49, 130, 290});
  s.scale = rounded<T>(0.7);
  layer<T> l{s, {}, {}};
  reference::attention_options r{s.heads,  s.kv_heads, s.key_dim, s.value_dim, s.scale,        s.softcap,
                                 s.window, s.chunk,    {},        {},          s.rounded_alibi};
  if (alibi)
    for (double slope : alibi_slopes(static_cast<std::int64_t>(s.heads)))
      l.alibi.push_back(static_cast<T>(slope)), r.alibi.push_back(rounded<T>(slope));
  if (sinks)
    for (double sink : golden::normals(s.heads, 8, 2 * spread))
      l.sinks.push_back(static_cast<T>(sink)), r.sinks.push_back(rounded<T>(sink));
  const std::size_t width = (s.heads + s.kv_heads) * s.key_dim + s.kv_heads * s.value_dim,
                    out_width = s.heads * s.value_dim;
  std::vector<T> qkv;
  for (double x : golden::normals(batch.rows() * width, 4, spread)) qkv.push_back(static_cast<T>(x));
  const std::vector<T> got = run<T>(l, batch, qkv, 2);
  double worst = 0;
  for (std::size_t t = 0; t < batch.texts(); ++t) {
    const std::vector<double> one(qkv.begin() + static_cast<std::ptrdiff_t>(batch.offsets[t] * width),
                                  qkv.begin() + static_cast<std::ptrdiff_t>(batch.offsets[t + 1] * width));
    const auto expected = reference::attention(one, r, batch.length(t));
    for (std::size_t i = 0; i < expected.size(); ++i)
      worst = std::max(worst, std::abs(static_cast<double>(got[batch.offsets[t] * out_width + i]) - expected[i]));
  }
  EXPECT_LE(worst, bound * spread * std::numeric_limits<T>::epsilon())
      << s.heads << "/" << s.kv_heads << " heads of " << s.key_dim << ", " << s.value_dim;
}

} // namespace

TEST(attention, like_the_reference) {
  for (const attention_shape& s : {attention_shape{1, 1, 1, 1},
                                   {3, 1, 6, 6},
                                   {4, 2, 16, 16},
                                   {2, 2, 17, 17},
                                   {2, 1, 64, 64},
                                   {4, 2, 24, 10},
                                   {2, 2, 6, 33}}) {
    const auto with = [&](double softcap, std::size_t window) {
      attention_shape o = s;
      o.softcap = softcap, o.window = window;
      return o;
    };
    against_reference<double>(s, false, false);
    against_reference<float>(s, false, false);
    against_reference<double>(with(2, 20), false, false);
    against_reference<double>(with(0, 129), true, false);
    against_reference<float>(with(5, 1), true, false);
    against_reference<double>(s, false, true);
    against_reference<float>(with(0, 20), false, true);
  }
}
TEST(attention, chunks_like_the_reference) {
  for (attention_shape s : {attention_shape{1, 1, 8, 8}, {4, 2, 16, 16}, {2, 1, 64, 64}})
    for (const std::size_t chunk : {1, 24, 48, 131}) {
      s.chunk = chunk;
      against_reference<double>(s, false, false);
      against_reference<float>(s, false, true);
    }
}
// A layer that brings queries alone sees what an earlier one has left, whatever the slabs.
TEST(attention, keys_of_an_earlier_call) {
  const layer<double> o{{4, 2, 24, 24, 0.3, 0, 60}, {}, {}};
  const ragged_batch batch = batch_of({70, 3, 130});
  const std::size_t width = 8 * 24;
  std::vector<double> qkv = golden::normals(batch.rows() * width, 4), other = golden::normals(batch.rows() * width, 5);
  cpu_keys_values<double> kept;
  cpu_scratch<double> scratch;
  const cpu_executor exec{2};
  const matrix_view<const double> first(qkv.data(), batch.rows(), width), second(other.data(), batch.rows(), width);
  std::vector<double> out(batch.rows() * 96), mixed = other;
  const matrix_view<double> to(out.data(), batch.rows(), 96);
  const auto call = [&](matrix_view<const double> in, std::size_t slab_rows) {
    for_slabs(batch.rows(), slab_rows, 1, [&](slab s) {
      attention(exec, o.shape, {}, {}, batch, s, in.row_range(s.first, s.count), to.row_range(s.first, s.count), kept,
                scratch);
    });
  };
  call(first, 4096);
  for (std::size_t r = 0; r < batch.rows(); ++r) // queries of the second, keys and values of the first
    std::copy_n(first.row(r) + 96, 96, &mixed[r * width + 96]);
  const auto expected = run<double>(o, batch, mixed, 1);
  for (const std::size_t rows : {4096, 50}) {
    call(second.column_range(0, 96), rows);
    EXPECT_EQ(out, expected) << "slabs of " << rows;
  }
}
TEST(attention, rounded_alibi_like_the_reference) { // positions beyond 256 are rounded as well
  for (attention_shape s :
       {attention_shape{3, 1, 6, 6}, {10, 5, 16, 16}, {4, 2, 16, 16}}) { // of ten heads two have odd slopes
    s.rounded_alibi = true;
    against_reference<double>(s, true, false);
    against_reference<float>(s, true, false);
    s.window = 20;
    against_reference<float>(s, true, true);
  }
}
TEST(attention, bits_of_a_text_do_not_depend_on_slabs_batch_or_threads) {
  const layer<float> o{{4, 2, 24, 24, 0.3, 0, 60}, {}, {}};
  const std::vector<std::size_t> lengths{70, 3, 260, 1, 100};
  const ragged_batch batch = batch_of(lengths);
  const std::size_t width = 8 * 24;
  std::vector<float> qkv;
  for (double x : golden::normals(batch.rows() * width, 4)) qkv.push_back(static_cast<float>(x));
  const auto together = run<float>(o, batch, qkv, 1);
  EXPECT_EQ(together, run<float>(o, batch, qkv, 2));
  EXPECT_EQ(together, run<float>(o, batch, qkv, 3));
  for (std::size_t rows : {1, 7, 64, 100, 433})
    EXPECT_EQ(together, run<float>(o, batch, qkv, 2, rows)) << "slabs of " << rows;
  for (std::size_t t = 0; t < lengths.size(); ++t) {
    const std::vector<float> own(qkv.begin() + static_cast<std::ptrdiff_t>(batch.offsets[t] * width),
                                 qkv.begin() + static_cast<std::ptrdiff_t>(batch.offsets[t + 1] * width));
    const auto alone = run<float>(o, batch_of({lengths[t]}), own, 2);
    EXPECT_TRUE(
        std::equal(alone.begin(), alone.end(), together.begin() + static_cast<std::ptrdiff_t>(batch.offsets[t] * 96)));
  }
}
// Scores of thousands, which no exponential holds: the error of a score is a share of it, and moves the weights by as
// much.
TEST(attention, large_scores_like_the_reference) {
  for (const attention_shape& s : {attention_shape{1, 1, 8, 8}, {4, 2, 16, 16}}) {
    against_reference<double>(s, false, false, 40, 2e5);
    against_reference<double>(s, false, true, 40, 2e5);
    against_reference<float>(s, false, false, 40, 2e5);
  }
}
TEST(attention, alibi_slopes_of_any_head_count) {
  EXPECT_EQ(alibi_slopes(4), (std::vector<double>{0.25, 0.0625, 0.015625, 0.00390625}));
  const auto five = alibi_slopes(5);
  EXPECT_EQ(five.size(), 5u);
  EXPECT_DOUBLE_EQ(five[4], 0.5);
}
