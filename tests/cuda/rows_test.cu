// Ops on rows on the device against plain loops in double: bounds are those their headers state.
#include "cuda/support/device_matrix.hpp"
#include "llmap/forward/cuda/activate.cuh"
#include "llmap/forward/cuda/embedding.cuh"
#include "llmap/forward/cuda/moves.cuh"
#include "llmap/forward/cuda/norm.cuh"
#include "llmap/forward/cuda/pack.cuh"
#include "llmap/forward/cuda/rope.cuh"
#include "llmap/forward/cuda/route.cuh"
#include "llmap/forward/cuda/row_statistics.cuh"
#include "llmap/forward/cuda/rows.cuh"
#include "llmap/forward/cuda/streams.cuh"
#include "llmap/reference/forward_reference.hpp"
#include "llmap/reference/recurrence_reference.hpp"
#include <array>
#include <functional>

using namespace llmap;
using namespace cuda_test;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
const std::vector<std::array<std::size_t, 2>> shapes{{1, 1}, {9, 33}, {3, 130}, {0, 7}};

/// 4 eps of the number and its terms, which are below `size`.
template <class T> auto within(const std::vector<double>& want, double size = 4) {
  return [&want, size](std::size_t i) { return 4 * eps<T> * (std::abs(want[i]) + size); };
}

template <class T> class cuda_rows_ops : public testing::Test {};
using types = testing::Types<float, double>;
TYPED_TEST_SUITE(cuda_rows_ops, types);

/// y after op(y) against `element(row, column, y)`.
template <class T, class Op, class Element> void in_place(const Op& op, const Element& element, const char* what) {
  const cuda_executor exec;
  for (const auto [rows, cols] : shapes) {
    const auto before = normals<T>(1, rows * cols);
    const device_matrix<T> y(exec, rows, cols, before);
    op(exec, y.view());
    std::vector<double> want(before.size());
    for (std::size_t i = 0; i < want.size(); ++i) want[i] = element(i / cols, i % cols, before[i]);
    expect_near(y.numbers(exec), want, within<T>(want), what);
  }
}

} // namespace

TYPED_TEST(cuda_rows_ops, sums_factors_and_limits) {
  using T = TypeParam;
  in_place<T>([](const auto& exec, auto y) { scale(exec, T(1.5), y); },
              [](std::size_t, std::size_t, double v) { return 1.5 * v; }, "scale");
  in_place<T>([](const auto& exec, auto y) { scale(exec, upload(exec, std::vector<T>{T(-3)}), y); },
              [](std::size_t, std::size_t, double v) { return -3 * v; }, "scale by one number");
  in_place<T>([](const auto& exec, auto y) { scale_columns(exec, upload(exec, in<T>(normals<T>(2, y.cols))), y); },
              [](std::size_t, std::size_t k, double v) { return v * normals<T>(2, k + 1)[k]; }, "scale_columns");
  in_place<T>([](const auto& exec, auto y) { clamp(exec, T(0.5), y); },
              [](std::size_t, std::size_t, double v) { return std::fmin(std::fmax(v, -0.5), 0.5); }, "clamp");
  in_place<T>([](const auto& exec, auto y) { clear(exec, y); }, [](std::size_t, std::size_t, double) { return 0.0; },
              "clear");
  const cuda_executor exec;
  for (const auto [rows, cols] : shapes)
    for (const store_mode mode : {store_mode::add, store_mode::overwrite}) {
      const auto x = normals<T>(5, rows * cols), before = normals<T>(6, rows * cols);
      const device_matrix<T> from(exec, rows, cols, x), y(exec, rows, cols, before);
      add_scaled<T>(exec, from, T(0.75), y.view(), mode);
      std::vector<double> want(x.size());
      for (std::size_t i = 0; i < x.size(); ++i) want[i] = (mode == store_mode::add ? before[i] : 0) + 0.75 * x[i];
      expect_near(y.numbers(exec), want, within<T>(want), "add_scaled");
    }
  const device_matrix<T> special(exec, 1, 3, {not_a_number, inf, -inf});
  clamp(exec, T(2), special.view());
  EXPECT_TRUE(std::isnan(special.numbers(exec)[0]));
  EXPECT_EQ(special.numbers(exec)[1], 2);
  EXPECT_EQ(special.numbers(exec)[2], -2);
}

TYPED_TEST(cuda_rows_ops, embedding_and_positions) {
  using T = TypeParam;
  const cuda_executor exec;
  const std::size_t C = 35;
  const auto stored = [&]<class Stored>() {
    std::vector<Stored> w;
    for (const double v : normals<double>(1, 20 * C)) w.push_back(Stored(static_cast<float>(v)));
    memory_tensors source;
    source.add<Stored>("w", {20, 35}, w);
    cuda_executor::weights_room room;
    const auto table = pack<T>(exec, source, linear_plan{35, {{"w", "", 20, 20, 0, 20, 20}}}, tensor_naming{},
                               compute_type::working, room);
    ragged_batch batch = texts_of({3, 5}, 20);
    batch.ids[2] = 20, batch.ids[4] = -1; // beyond the table: its first row
    const auto positions = normals<T>(2, 9 * C);
    const device_matrix<T> y(exec, 8, C, std::vector<double>(8 * C));
    embedding_rows(exec, table, batch, T(2), y.view());
    add_positions<T>(exec, upload(exec, in<T>(positions)), 2, batch, y.view());
    std::vector<double> want;
    for (std::size_t r = 0; r < 8; ++r)
      for (std::size_t k = 0; k < C; ++k) {
        const std::size_t id = r == 2 || r == 4 ? 0 : static_cast<std::size_t>(batch.ids[r]), p = r < 3 ? r : r - 3;
        want.push_back(2 * static_cast<double>(w[id * C + k]) + positions[(p + 2) * C + k]);
      }
    expect_near(y.numbers(exec), want, within<T>(want), "embedding");
  };
  stored.template operator()<float>();
  stored.template operator()<bf16>();
  stored.template operator()<f16>();
}

TYPED_TEST(cuda_rows_ops, norms) {
  using T = TypeParam;
  const cuda_executor exec;
  for (const std::size_t C : {1, 33, 130, 515, 2100, 8300}) // a warp, 128 and 512 threads, more than they keep
    for (const std::size_t groups : {1, 3})
      for (const bool layer : {false, true})
        for (const int weights : {0, 1, 2}) { // none, of a group, of the row
          if (C > 2048 && groups > 1) continue;
          const std::size_t M = 5, n = weights == 0 ? 0 : weights == 1 ? C : groups * C;
          const auto x = normals<T>(1, M * groups * C, 3), w = normals<T>(2, n), b = normals<T>(3, n);
          norm_weights<cuda_executor, T> weight{layer ? norm_kind::layer : norm_kind::rms, 1e-3, C,
                                                upload(exec, in<T>(w)),
                                                upload(exec, in<T>(layer ? b : std::vector<double>{}))};
          std::vector<double> want;
          for (std::size_t g = 0; g < M * groups; ++g) {
            const std::vector<double> row(x.begin() + static_cast<std::ptrdiff_t>(g * C),
                                          x.begin() + static_cast<std::ptrdiff_t>((g + 1) * C));
            const std::size_t first = weights == 2 ? g % groups * C : 0;
            std::vector<double> own(C, 1), shift(C, 0);
            for (std::size_t k = 0; k < C && n; ++k) own[k] = w[first + k], shift[k] = layer ? b[first + k] : 0;
            const auto y =
                layer ? reference::layer_norm(row, own, shift, 1e-3, 1, C) : reference::rms_norm(row, own, 1e-3, 1, C);
            want.insert(want.end(), y.begin(), y.end());
          }
          const double size = 16 + (sizeof(T) == 8 ? static_cast<double>(C) / 100 : 0); // the reference's own sum
          const device_matrix<T> from(exec, M, groups * C, x), y(exec, M, groups * C, x);
          norm<T>(exec, from, weight, y.view());
          expect_near(y.numbers(exec), want, within<T>(want, size), "norm");
          norm<T>(exec, from, weight, from.view());
          EXPECT_EQ(from.numbers(exec), y.numbers(exec)) << "in place";
          if (weights != 1 || groups != 1) continue;
          weight.rounded = true;
          norm<T>(exec, device_matrix<T>(exec, M, C, x), weight, y.view());
          const auto steps = reference::round_rows(want, M, C);
          expect_near(y.numbers(exec), steps, within<T>(steps, size), "rounded norm");
        }
  norm_weights<cuda_executor, T> plain{norm_kind::rms, 1e-3, 33, {}, {}};
  auto x = normals<T>(1, 2 * 33);
  x[40] = not_a_number;
  const device_matrix<T> y(exec, 2, 33, x), none(exec, 0, 33, {});
  norm<T>(exec, none, plain, none.view());
  norm<T>(exec, y, plain, y.view());
  for (std::size_t i = 0; i < 66; ++i) EXPECT_EQ(std::isnan(y.numbers(exec)[i]), i >= 33);
}

// A team takes several rows where there are many: each gets the bits that it gets in a call of its own.
TYPED_TEST(cuda_rows_ops, norms_of_many_rows) {
  using T = TypeParam;
  const cuda_executor exec;
  struct shape {
    std::size_t rows, width, groups; // of 4 multiprocessors: 2 to 32 rows a team, the last team with fewer
  };
  for (const auto& [M, C, groups] :
       {shape{1000, 33, 3}, shape{2500, 2, 1}, shape{75, 600, 2}, shape{45, 2100, 1}, shape{17, 8300, 1}})
    for (const bool layer : {false, true}) {
      const auto x = normals<T>(1, M * groups * C, 3), w = normals<T>(2, groups * C), b = normals<T>(3, groups * C);
      norm_weights<cuda_executor, T> weight{layer ? norm_kind::layer : norm_kind::rms, 1e-3, C, upload(exec, in<T>(w)),
                                            upload(exec, in<T>(layer ? b : std::vector<double>{}))};
      weight.rounded = layer && groups == 1;
      const device_matrix<T> from(exec, M, groups * C, x), together(exec, M, groups * C, x),
          alone(exec, M, groups * C, x);
      norm<T>(exec, from, weight, together.view());
      for (std::size_t r = 0; r < M; ++r)
        norm<T>(exec, from.view().row_range(r, 1), weight, alone.view().row_range(r, 1));
      EXPECT_EQ(together.numbers(exec), alone.numbers(exec)) << M << " rows of " << groups << " x " << C;
    }
}

TYPED_TEST(cuda_rows_ops, statistics_of_rows) {
  using T = TypeParam;
  const cuda_executor exec;
  const std::size_t M = 6;
  for (const std::size_t C : {70, 600, 2100, 8300}) { // a warp, 128 and 512 threads, more than they keep
    const auto x = normals<T>(1, M * C), before = normals<T>(2, M * C, 3);
    const device_matrix<T> from(exec, M, C, x), y(exec, M, C, before), cut(exec, M, C, x);
    match_size<T>(exec, from, y.view());
    cut_below(exec, 0.5, cut.view());
    std::vector<double> matched, kept;
    for (std::size_t r = 0; r < M; ++r) {
      double wanted = 0, own = 0, mean = 0, square = 0;
      for (std::size_t k = 0; k < C; ++k)
        wanted += std::pow(x[r * C + k], 2), own += std::pow(before[r * C + k], 2), mean += x[r * C + k] / C;
      for (std::size_t k = 0; k < C; ++k) square += std::pow(x[r * C + k] - mean, 2) / C;
      for (std::size_t k = 0; k < C; ++k) {
        matched.push_back(before[r * C + k] * std::sqrt(wanted / std::max(own, 1e-5)));
        kept.push_back(std::max(x[r * C + k] - mean - 0.5 * std::sqrt(square), 0.0));
      }
    }
    const double size = 16 + (sizeof(T) == 8 ? static_cast<double>(C) / 100 : 0); // the reference's own sum
    expect_near(y.numbers(exec), matched, within<T>(matched, size), "match_size");
    expect_near(cut.numbers(exec), kept, within<T>(kept, size), "cut_below");
  }
}

TYPED_TEST(cuda_rows_ops, activations) {
  using T = TypeParam;
  const cuda_executor exec;
  const auto sigmoid = reference::sigmoid;
  const std::vector<std::pair<activation, std::function<double(double)>>> all{
      {activation::gelu, reference::gelu},
      {activation::gelu_tanh, reference::gelu_tanh},
      {activation::gelu_bloom,
       [](double x) { return 0.5 * x * (1 + std::tanh(0.79788456 * x * (1 + 0.044715 * x * x))); }},
      {activation::quick_gelu, [=](double x) { return x * sigmoid(1.702 * x); }},
      {activation::silu, reference::silu},
      {activation::relu, [](double x) { return std::max(x, 0.0); }},
      {activation::relu_squared, [](double x) { return x < 0 ? 0 : x * x; }},
      {activation::tanh, [](double x) { return std::tanh(x); }},
      {activation::sigmoid, sigmoid},
      {activation::identity, [](double x) { return x; }},
      {activation::clamped_swiglu, [=](double x) {
         const double g = std::min(x, 7.0);
         return g * sigmoid(1.702 * g);
       }}};
  const std::size_t M = 3, I = 45;
  const auto x = normals<T>(1, M * 2 * I, 5);
  for (const auto& [act, f] : all)
    for (const bool gated : {false, true}) {
      if (!gated && act == activation::clamped_swiglu) continue;
      const std::size_t width = gated ? I : 2 * I;
      std::vector<double> want, bounds;
      for (std::size_t r = 0; r < M; ++r)
        for (std::size_t k = 0; k < width; ++k) {
          const double v = x[r * 2 * I + k];
          double up = gated ? x[r * 2 * I + I + k] : 1;
          if (act == activation::clamped_swiglu) up = std::min(std::max(up, -7.0), 7.0) + 1;
          want.push_back(f(v) * up);
          bounds.push_back(8 * eps<T> * (1 + std::abs(v) + (act == activation::relu_squared ? v * v : 0)) *
                           std::max(1.0, std::abs(up)));
        }
      const device_matrix<T> from(exec, M, 2 * I, x);
      cuda_rows<T> y;
      cuda_scratch<T> scratch;
      activate<T>(exec, act, gated, from, y, scratch);
      const auto got = numbers<T>(exec, y.view());
      expect_near(
          got, want, [&](std::size_t i) { return bounds[i]; }, "activate");
      activate<T>(exec, act, gated, from, from.view().column_range(0, width)); // in place
      for (std::size_t i = 0; i < got.size(); ++i)
        ASSERT_EQ(from.numbers(exec)[i / width * 2 * I + i % width], got[i]) << "in place";
    }
  const std::vector<double> parameters{0.25, -0.5, 0.5, -1e-6};
  cuda_rows<T> y;
  cuda_scratch<T> scratch;
  xielu<T>(exec, upload(exec, in<T>(parameters)), device_matrix<T>(exec, M, 2 * I, x), y, scratch);
  std::vector<double> want;
  for (const double v : x) want.push_back(reference::xielu(v, parameters));
  expect_near(
      numbers<T>(exec, y.view()), want, [&](std::size_t i) { return 16 * eps<T> * (1 + std::abs(want[i])); }, "xielu");
}

TYPED_TEST(cuda_rows_ops, rotations) {
  using T = TypeParam;
  const cuda_executor exec;
  const ragged_batch batch = texts_of({3, 7});
  rope_plan plan;
  plan.dims = 10, plan.theta = 500;
  const std::size_t M = 10, heads = 19, first = 2; // a thread takes 16 heads
  const std::vector<double> frequency = rope_frequencies(plan, 0);
  for (const auto& [width, cols] : {std::pair<std::size_t, std::size_t>{13, 19 * 13}, {14, 19 * 14 + 1}})
    for (const bool interleaved : {false, true}) { // the second has rows of an even stride: pairs may be read at once
      const auto x = normals<T>(1, M * cols);
      const device_matrix<T> angles(exec, M, 10, std::vector<double>(100)), y(exec, M, cols, x);
      fill_angles(exec, plan, batch, angles.view());
      rope<T>(exec, y.view(), rotated_heads{heads, width, first, interleaved}, angles);
      std::vector<double> want = x;
      for (std::size_t r = 0; r < M; ++r)
        for (std::size_t h = 0; h < heads; ++h) {
          double* const head = want.data() + r * cols + h * width + first;
          double pairs[10];
          for (std::size_t i = 0; i < 10; ++i) pairs[i] = head[interleaved ? i % 5 * 2 + i / 5 : i];
          reference::rope(pairs, frequency, static_cast<double>(r < 3 ? r : r - 3));
          for (std::size_t i = 0; i < 10; ++i) head[interleaved ? i % 5 * 2 + i / 5 : i] = pairs[i];
        }
      expect_near(y.numbers(exec), want, within<T>(want), "rope");
    }
  plan.kind = rope_plan::scaling::dynamic, plan.factor = 2, plan.original_positions = 4; // each text has its own
  const device_matrix<T> angles(exec, M, 10, std::vector<double>(100));
  fill_angles(exec, plan, batch, angles.view());
  std::vector<double> want;
  for (std::size_t r = 0; r < M; ++r) {
    const auto own = rope_frequencies(plan, r < 3 ? 3 : 7);
    const double position = static_cast<double>(r < 3 ? r : r - 3);
    for (const double f : own) want.push_back(std::cos(position * f));
    for (const double f : own) want.push_back(std::sin(position * f));
  }
  expect_near(angles.numbers(exec), want, within<T>(want, 0.5), "angles");
}

TYPED_TEST(cuda_rows_ops, queries_that_grow) {
  using T = TypeParam;
  const cuda_executor exec;
  const ragged_batch batch = texts_of({3, 30});
  const auto x = normals<T>(1, 20 * 9);
  const device_matrix<T> y(exec, 20, 9, x);
  grow(exec, query_growth{0.5, 10, 3}, batch, slab{5, 20}, y.view());
  std::vector<double> want;
  for (std::size_t i = 0; i < x.size(); ++i)
    want.push_back(x[i] * (1 + 0.5 * std::log1p(std::floor(static_cast<double>(i / 9 + 2 + 3) / 10))));
  expect_near(y.numbers(exec), want, within<T>(want), "grow");
}

TYPED_TEST(cuda_rows_ops, moves) {
  using T = TypeParam;
  const cuda_executor exec;
  const std::size_t C = 37;
  const auto x = normals<T>(1, 6 * C), before = normals<T>(2, 6 * C);
  const device_matrix<T> from(exec, 6, C, x), y(exec, 6, C, before);
  const std::vector<std::size_t> rows{5, 0, 3};
  const std::vector<T> weights{T(0.5), T(-2), T(1.25)};
  cuda_rows<T> gathered, weighted;
  cuda_scratch<T> scratch;
  gather_rows<T>(exec, from, rows, gathered, scratch);
  gather_weighted_rows<T>(exec, from, rows, weights, weighted, scratch);
  add_weighted_rows<T>(exec, gathered.view(), rows, weights, y.view());
  std::vector<double> plain, scaled, sum = before;
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t k = 0; k < C; ++k) {
      const double v = x[rows[i] * C + k], w = static_cast<double>(weights[i]);
      plain.push_back(v), scaled.push_back(w * v), sum[rows[i] * C + k] += w * v;
    }
  EXPECT_EQ(numbers<T>(exec, gathered.view()), plain);
  expect_near(numbers<T>(exec, weighted.view()), scaled, within<T>(scaled), "gather_weighted_rows");
  expect_near(y.numbers(exec), sum, within<T>(sum), "add_weighted_rows");
  gather_rows<T>(exec, from, std::span<const std::size_t>(rows).first(0), gathered, scratch);
  EXPECT_EQ(gathered.rows, 0u);

  for (const std::size_t x_heads : {1, 2}) { // heads of 5 into heads of 9, from column 3 on
    const device_matrix<T> heads(exec, 4, 5 * x_heads, x), to(exec, 4, 18, before);
    place_heads<T>(exec, heads, x_heads, to.view(), 2, 3);
    std::vector<double> want(before.begin(), before.begin() + 72);
    for (std::size_t r = 0; r < 4; ++r)
      for (std::size_t h = 0; h < 2; ++h)
        for (std::size_t k = 0; k < 5; ++k)
          want[r * 18 + h * 9 + 3 + k] = x[(r * x_heads + (x_heads == 1 ? 0 : h)) * 5 + k];
    EXPECT_EQ(to.numbers(exec), want);
  }
  const device_matrix<T> gate(exec, 6, 1, {0, 1, -1, 30, -30, 2}), by_gate(exec, 6, C, x);
  scale_rows_by_sigmoid<T>(exec, gate, by_gate.view());
  std::vector<double> want;
  for (std::size_t i = 0; i < 6 * C; ++i)
    want.push_back(x[i] * reference::sigmoid(std::vector<double>{0, 1, -1, 30, -30, 2}[i / C]));
  expect_near(by_gate.numbers(exec), want, within<T>(want), "scale_rows_by_sigmoid");
}

TYPED_TEST(cuda_rows_ops, streams) {
  using T = TypeParam;
  const cuda_executor exec;
  const std::size_t M = 5, n = 3, C = 17;
  const auto x = normals<T>(1, M * n * C), c = normals<T>(2, M * n * n), guess = normals<T>(3, M * n * C);
  const device_matrix<T> from(exec, M, n * C, x), factors(exec, M, n * n, c), y(exec, M, n * C, x),
      guesses(exec, M, n * C, guess), made(exec, M, C, normals<T>(4, M * C)), few(exec, M, n, normals<T>(5, M * n));
  mix_streams<T>(exec, factors, from, y.view());
  std::vector<double> mixed, corrected;
  for (std::size_t r = 0; r < M; ++r)
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t k = 0; k < C; ++k) {
        double sum = x[r * n * C + i * C + k];
        for (std::size_t j = 0; j < n; ++j) sum += c[r * n * n + i * n + j] * x[r * n * C + j * C + k];
        mixed.push_back(sum);
        corrected.push_back(guess[r * n * C + i * C + k] +
                            (1 + normals<T>(5, M * n)[r * n + i]) *
                                (normals<T>(4, M * C)[r * C + k] - guess[r * n * C + C + k]));
      }
  expect_near(y.numbers(exec), mixed, within<T>(mixed, 16), "mix_streams");
  correct_streams<T>(exec, few, 1, made, guesses, y.view());
  expect_near(y.numbers(exec), corrected, within<T>(corrected, 16), "correct_streams");
}

TYPED_TEST(cuda_rows_ops, routes) {
  using T = TypeParam;
  const cuda_executor exec;
  const std::size_t M = 9, E = 5;
  const auto logits = normals<T>(1, M * E);
  router_plan plan;
  plan.chosen = 2, plan.normalized = true;
  expert_rows<T> routing;
  route<T>(exec, plan, device_matrix<T>(exec, M, E, logits), {}, {}, routing);
  std::vector<std::vector<double>> want(M, std::vector<double>(E, 0)), got = want;
  for (std::size_t r = 0; r < M; ++r) {
    const std::vector<double> row(logits.begin() + static_cast<std::ptrdiff_t>(r * E),
                                  logits.begin() + static_cast<std::ptrdiff_t>((r + 1) * E));
    double sum = 0;
    std::vector<std::size_t> order{0, 1, 2, 3, 4};
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return row[a] > row[b]; });
    for (std::size_t i = 0; i < 2; ++i) sum += std::exp(row[order[i]]);
    for (std::size_t i = 0; i < 2; ++i) want[r][order[i]] = std::exp(row[order[i]]) / sum;
  }
  for (std::size_t e = 0; e < E; ++e)
    for (std::size_t i = 0; i < routing.count(e); ++i)
      got[routing.rows(e)[i]][e] = static_cast<double>(routing.weights(e)[i]);
  for (std::size_t r = 0; r < M; ++r)
    for (std::size_t e = 0; e < E; ++e) EXPECT_NEAR(got[r][e], want[r][e], 4 * eps<T>) << r << ' ' << e;
}

#ifdef LLMAP_EMULATED
TYPED_TEST(cuda_rows_ops, norms_counted) {
  using T = TypeParam;
  const cuda_executor exec;
  const std::size_t M = 2048, C = 32 * gpu::kept_values<T>; // 32 rows a team of 4 multiprocessors
  const std::vector<T> numbers(M * C, T(0.5));
  const cuda_buffer<T> x(exec, std::span<const T>(numbers));
  const norm_weights<cuda_executor, T> weight{norm_kind::layer, 1e-5, C, upload(exec, std::vector<T>(C, T(1))),
                                              upload(exec, std::vector<T>(C, T(1)))};
  const ptx::counters did = count([&] {
    norm<T>(exec, matrix_view<const T>(x.data(), M, C), weight, matrix_view<T>(x.data(), M, C));
    llmap::synchronize(exec);
  });
  const auto bytes = static_cast<double>(M * C * sizeof(T));
  const double loads = static_cast<double>(did.loads.bytes) / bytes,
               stores = static_cast<double>(did.stores.bytes) / bytes;
  std::printf("%zu rows: %.3f of the matrix loaded, %.3f stored\n", M, loads, stores);
  EXPECT_LE(loads + stores, 1.05 * 2);
  EXPECT_EQ(stores, 1);
  EXPECT_EQ(did.bank_conflicts + did.local_requests, 0u);
}

TYPED_TEST(cuda_rows_ops, counted) {
  using T = TypeParam;
  const cuda_executor exec;
  const std::vector<T> numbers(40 * 256, T(0.5));
  const cuda_buffer<T> from(exec, std::span<const T>(numbers)), to(exec, std::span<const T>(numbers));
  const matrix_view<const T> x(from.data(), 40, 256);
  const matrix_view<T> y(to.data(), 40, 256);
  const norm_weights<cuda_executor, T> weight{norm_kind::layer, 1e-5, 128, upload(exec, std::vector<T>(128, T(1))), {}};
  expect_contiguous([&] { add_scaled<T>(exec, x, T(2), y, store_mode::add); }, 1.01, 1.01, "add_scaled");
  expect_contiguous([&] { activate<T>(exec, activation::silu, true, x, y.column_range(0, 128)); }, 1.01, 1.01,
                    "activate");
  expect_contiguous([&] { norm<T>(exec, x, weight, y); }, 1.01, 1.01, "norm");
  expect_contiguous([&] { mix_streams<T>(exec, x.column_range(0, 4), x, y); }, 1.01, 1.01, "mix_streams");
  const ragged_batch batch = texts_of({40});
  rope_plan plan;
  plan.dims = 64, plan.theta = 1e4;
  expect_contiguous([&] { fill_angles(exec, plan, batch, y.column_range(0, 64)); }, 1.01, 1.01, "fill_angles");
  expect_contiguous(
      [&] {
        rope<T>(exec, y, rotated_heads{2, 128, 0, false}, x.column_range(0, 64));
      },
      1.01, 1.01, "rope");
}
#endif
