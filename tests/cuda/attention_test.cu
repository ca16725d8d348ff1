// Attention on the device against plain loops in double, by text: every variant, odd widths, and the bits of a text
// whatever else is in the batch and wherever it is cut.
#include "cuda/support/device_matrix.hpp"
#include "llmap/forward/cuda/attention.cuh"
#include "llmap/forward/cuda/pack.cuh"
#include "llmap/reference/forward_reference.hpp"

using namespace llmap;
using namespace cuda_test;

namespace {

struct variant {
  const char* name;
  std::size_t heads = 2, kv_heads = 1, D = 8, Dv = 8;
  double scale = 0.5, softcap = 0;
  std::size_t window = 0, chunk = 0;
  bool alibi = false, rounded = false, sinks = false;
};

template <class T> struct problem {
  variant v;
  ragged_batch batch;
  std::vector<double> qkv, slopes, sinks;
  cuda_executor exec{};

  std::size_t columns() const { return (v.heads + v.kv_heads) * v.D + v.kv_heads * v.Dv; }
  problem(const variant& v, const std::vector<std::size_t>& lengths) : v(v), batch(texts_of(lengths)) {
    qkv = normals<T>(3, batch.rows() * columns());
    if (v.alibi)
      for (std::size_t h = 0; h < v.heads; ++h) slopes.push_back(static_cast<double>(static_cast<T>(0.3 / (1.0 + h))));
    if (v.sinks) sinks = normals<T>(4, v.heads, 2);
  }
  std::vector<double> run(std::size_t slab_rows) const {
    const attention_shape shape{v.heads, v.kv_heads, v.D, v.Dv, v.scale, v.softcap, v.window, v.rounded, v.chunk};
    const device_matrix<T> x(exec, batch.rows(), columns(), qkv),
        y(exec, batch.rows(), v.heads * v.Dv, std::vector<double>(batch.rows() * v.heads * v.Dv));
    const auto alibi = upload(exec, in<T>(slopes)), further = upload(exec, in<T>(sinks));
    cuda_keys_values<T> kept;
    cuda_scratch<T> scratch;
    for (std::size_t first = 0; first < batch.rows(); first += slab_rows) {
      const slab rows{first, std::min(slab_rows, batch.rows() - first)};
      attention(exec, shape, alibi, further, batch, rows, x.view().row_range(rows.first, rows.count),
                y.view().row_range(rows.first, rows.count), kept, scratch);
    }
    return y.numbers(exec);
  }
  std::vector<double> expected() const {
    const reference::attention_options o{v.heads,  v.kv_heads, v.D,    v.Dv,  v.scale,  v.softcap,
                                         v.window, v.chunk,    slopes, sinks, v.rounded};
    std::vector<double> all;
    for (std::size_t t = 0; t < batch.texts(); ++t) {
      const auto from = qkv.begin() + static_cast<std::ptrdiff_t>(batch.offsets[t] * columns());
      const std::vector<double> own(from, from + static_cast<std::ptrdiff_t>(batch.length(t) * columns()));
      const auto out = reference::attention(own, o, batch.length(t));
      all.insert(all.end(), out.begin(), out.end());
    }
    return all;
  }
  /// Scores of |q k| <= 6 D are off by (D + 5) eps of that, weights by as much and 8 eps; values are below 6.
  double bound() const {
    return 6 * eps<T> * (v.scale * 6 * static_cast<double>(v.D) * static_cast<double>(v.D + 5) / 4 + 140);
  }
};

const variant variants[] = {
    {.name = "plain"},
    {.name = "all heads alike", .heads = 3, .kv_heads = 3, .D = 17, .Dv = 5},
    {.name = "softcap", .softcap = 1.5},
    {.name = "window", .window = 9},
    {.name = "window of a tile", .window = 64},
    {.name = "chunk", .chunk = 20},
    {.name = "alibi", .alibi = true},
    {.name = "rounded alibi", .alibi = true, .rounded = true},
    {.name = "sinks", .sinks = true},
    {.name = "wide values", .D = 20, .Dv = 133, .sinks = true},
    {.name = "three chunks of a head", .D = 150, .Dv = 64, .scale = 0.08},
    {.name = "all at once",
     .heads = 4,
     .kv_heads = 2,
     .D = 6,
     .Dv = 70,
     .softcap = 2,
     .window = 33,
     .alibi = true,
     .sinks = true},
};

template <class T> class cuda_attention : public testing::Test {};
using types = testing::Types<float, double>;
TYPED_TEST_SUITE(cuda_attention, types);

} // namespace

TYPED_TEST(cuda_attention, like_the_reference) {
  for (const variant& v : variants) {
    const problem<TypeParam> p(v, {1, 70, 0, 30});
    expect_near(
        p.run(101), p.expected(), [&](std::size_t) { return p.bound(); }, v.name);
  }
}
TYPED_TEST(cuda_attention, bits_do_not_depend_on_slabs_or_neighbors) {
  for (const std::size_t which : {0, 3, 10, 11}) {
    const variant& v = variants[which];
    const problem<TypeParam> p(v, {5, 70, 40});
    const auto whole = p.run(115);
    for (const std::size_t slab_rows : {48, 7}) EXPECT_EQ(p.run(slab_rows), whole) << v.name << ' ' << slab_rows;
    problem<TypeParam> alone(v, {70});
    const std::size_t width = p.columns(), out = v.heads * v.Dv;
    std::copy_n(p.qkv.begin() + static_cast<std::ptrdiff_t>(5 * width), 70 * width, alone.qkv.begin());
    const auto got = alone.run(70);
    for (std::size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], whole[5 * out + i]) << v.name;
  }
}
TYPED_TEST(cuda_attention, what_is_not_finite_stays_in_its_text) {
  problem<TypeParam> p({.name = "nan"}, {5, 70, 40});
  const auto good = p.run(48);
  p.qkv[(5 + 66) * p.columns() + 17] = std::numeric_limits<double>::quiet_NaN(); // a key of the second text
  const auto got = p.run(48);
  const std::size_t out = 16;
  for (std::size_t r = 0; r < 115; ++r)
    for (std::size_t k = 0; k < out; ++k)
      if (r < 5 || r >= 75 || r < 5 + 64) ASSERT_EQ(got[r * out + k], good[r * out + k]) << r;
      else if (r >= 5 + 66) ASSERT_TRUE(std::isnan(got[r * out + k])) << r;
  p.v.sinks = true; // a sink of -infinity is none
  p.sinks.assign(2, -std::numeric_limits<double>::infinity());
  p.qkv = normals<TypeParam>(3, 115 * p.columns());
  EXPECT_EQ(p.run(48), good);
}
/// Numbers of 24 bits whose last ones decide: two keys, of which the second has the score 0.
TYPED_TEST(cuda_attention, all_bits_of_a_float) {
  problem<TypeParam> p({.name = "bits", .heads = 1, .D = 2, .Dv = 1, .scale = 4096}, {2});
  const auto second_row = [&](std::vector<double> q, std::vector<double> k, double value) {
    p.qkv = {0, 0, k[0], k[1], value, q[0], q[1], 0, 0, 0};
    return p.run(2)[1];
  };
  const double third = 1 + 0x1p-9 + 0x1p-19, two = 1 + 0x1p-9;
  const auto sigmoid = [](double z) { return 1 / (1 + std::exp(-z)); };
  EXPECT_NEAR(second_row({third, -two}, {1, 1}, 1), sigmoid(0x1p-7), 1e-6);
  EXPECT_NEAR(second_row({1, 1}, {third, -two}, 1), sigmoid(0x1p-7), 1e-6);
  EXPECT_NEAR(second_row({two, 1}, {two, -1 - 0x1p-8}, 1), sigmoid(0x1p-6), 1e-6);
  for (int i = 1; i < 64; ++i) { // the weights' own bits, and those of values
    const double z = -i / 16.0, value = i % 2 ? 1 : static_cast<double>(static_cast<float>(1 + i * 0x1.235p-8));
    EXPECT_NEAR(second_row({1, 0}, {z / 4096, 0}, value), value * sigmoid(z), 5e-7) << z;
    p.qkv[4] = value * third;
    EXPECT_EQ(p.run(2)[0], static_cast<double>(static_cast<TypeParam>(p.qkv[4]))) << "the first row has one key";
  }
}
TYPED_TEST(cuda_attention, keys_that_another_layer_kept) {
  const problem<TypeParam> p(variants[0], {5, 70});
  const std::size_t width = p.columns(), rows = p.batch.rows();
  const attention_shape shape{2, 1, 8, 8, 0.5};
  const device_matrix<TypeParam> x(p.exec, rows, width, p.qkv), y(p.exec, rows, 16, std::vector<double>(rows * 16));
  const cuda_buffer<TypeParam> none;
  cuda_keys_values<TypeParam> kept;
  cuda_scratch<TypeParam> scratch;
  EXPECT_THROW(
      attention(p.exec, shape, none, none, p.batch, {0, rows}, x.view().column_range(0, 16), y.view(), kept, scratch),
      contract_error);
  attention(p.exec, shape, none, none, p.batch, {0, rows}, x.view(), y.view(), kept, scratch);
  const auto own = y.numbers(p.exec);
  gpu::each_element(p.exec, rows, 16, gpu::keep_columns<TypeParam>{x.view().column_range(0, 16), y.view()});
  attention(p.exec, shape, none, none, p.batch, {0, rows}, x.view().column_range(0, 16), y.view(), kept, scratch);
  EXPECT_EQ(y.numbers(p.exec), own);
}
TYPED_TEST(cuda_attention, nothing) { EXPECT_TRUE(problem<TypeParam>(variants[0], {}).run(1).empty()); }

#ifdef LLMAP_EMULATED
TYPED_TEST(cuda_attention, counted) {
  using T = TypeParam;
  const problem<T> p({.name = "wide", .D = 64, .Dv = 64}, {130});
  const std::vector<T> x = in<T>(p.qkv);
  const cuda_buffer<T> qkv(p.exec, std::span<const T>(x)), y(p.exec, 130 * 128), none;
  cuda_keys_values<T> kept;
  cuda_scratch<T> scratch;
  const auto run = [&] {
    attention(p.exec, attention_shape{2, 1, 64, 64, 0.125}, none, none, p.batch, slab{0, 130},
              matrix_view<const T>(qkv.data(), 130, 256), matrix_view<T>(y.data(), 130, 128), kept, scratch);
    synchronize(p.exec);
  };
  expect_contiguous(run, 1.01, 4, "attention");
  if constexpr (std::is_same_v<T, float>) {
    const auto did = cuda_test::count(run);
    for (const auto& [place, conflicts] : did.conflict_places) ADD_FAILURE() << conflicts << " conflicts, " << place;
    // Each 16 queries with 32 keys, and weights of 16 keys with 64 columns, that one of them sees: six products of
    // parts
    std::size_t products = 0;
    for (std::size_t first = 0; first < 130; first += 16)
      for (const std::size_t last = std::min(first + 16, std::size_t{130}); const std::size_t step : {32, 16})
        products += (last + step - 1) / step * step * 16 * 64;
    EXPECT_EQ(did.mma_operations, 2 * 6 * products);
    const auto kernel = reinterpret_cast<const void*>(gpu::attention_tensor_kernel<1>);
    for (const std::string& which : stand_in::in_loops(kernel, "f64")) ADD_FAILURE() << "in a loop: " << which;
  }
}
#endif
