// What the kernels that only move numbers ask of memory beyond the first-level cache: at most 1.05 times the sectors
// that they touch at all, each once for reading and once for writing. At least 512 rows, as a slab has.
#include "cuda/support/device_matrix.hpp"
#include "llmap/forward/cuda/activate.cuh"
#include "llmap/forward/cuda/channel_scans.cuh"
#include "llmap/forward/cuda/convolution.cuh"
#include "llmap/forward/cuda/embedding.cuh"
#include "llmap/forward/cuda/moves.cuh"
#include "llmap/forward/cuda/norm.cuh"
#include "llmap/forward/cuda/rope.cuh"
#include "llmap/forward/cuda/row_statistics.cuh"
#include "llmap/forward/cuda/rows.cuh"
#include "llmap/forward/cuda/split_rows.cuh"
#include "llmap/forward/cuda/streams.cuh"
#include <numeric>

using namespace llmap;
using namespace cuda_test;

namespace {

const std::size_t M = 512, C = 256;

template <class T> class cuda_traffic : public testing::Test {
protected:
  const cuda_executor exec{};
  const ragged_batch batch = texts_of({100, 1, 300, 111});
  const slab all{0, M};

  /// A matrix of its own.
  matrix_view<T> rows(std::size_t cols = C) {
    made.emplace_back(exec, std::span<const T>(std::vector<T>(M * cols, T(0.5))));
    return {made.back().data(), M, cols};
  }
  cuda_buffer<T> vector(std::size_t n = C) { return {exec, std::span<const T>(std::vector<T>(n, T(0.5)))}; }

  template <class Op> void moves(const char* what, const Op& op) {
    const ptx::counters did = count([&] {
      op();
      synchronize(exec);
    });
    const auto beyond = static_cast<double>(did.loads.passed_sectors + did.stores.sectors),
               least = static_cast<double>(did.loads.distinct_sectors + did.stores.distinct_sectors);
    std::printf("%-24s %.3f of the least, %.3f asked\n", what, beyond / least,
                static_cast<double>(did.loads.sectors + did.stores.sectors) / least);
    EXPECT_LE(beyond, 1.05 * least) << what;
    EXPECT_GT(did.stores.distinct_sectors, M) << what;
    EXPECT_EQ(did.local_requests, 0u) << what;
  }

private:
  std::vector<cuda_buffer<T>> made;
};
using types = testing::Types<float, double>;
TYPED_TEST_SUITE(cuda_traffic, types);

} // namespace

TYPED_TEST(cuda_traffic, elements) {
  using T = TypeParam;
  const auto x = this->rows(), y = this->rows(), twice = this->rows(2 * C), gate = this->rows(1);
  const auto one = this->vector(1), each = this->vector(), four = this->vector(4);
  const cuda_executor& exec = this->exec;
  cuda_rows<T> made;
  cuda_scratch<T> scratch;
  this->moves("add_scaled", [&] { add_scaled<T>(exec, x, T(2), y, store_mode::add); });
  this->moves("scale", [&] { scale<T>(exec, one, y); });
  this->moves("scale_columns", [&] { scale_columns<T>(exec, each, y); });
  this->moves("grow",
              [&] { grow<T>(exec, query_growth{.beta = 0.1, .period = 4, .offset = 1}, this->batch, this->all, y); });
  this->moves("clamp", [&] { clamp<T>(exec, T(1), y); });
  this->moves("clear", [&] { clear<T>(exec, y); });
  this->moves("scale_rows_by_sigmoid", [&] { scale_rows_by_sigmoid<T>(exec, gate, y); });
  this->moves("activate", [&] { activate<T>(exec, activation::silu, true, twice, y); });
  this->moves("xielu", [&] { xielu<T>(exec, four, x, made, scratch); });
}
TYPED_TEST(cuda_traffic, streams) {
  using T = TypeParam;
  const auto x = this->rows(4 * C), y = this->rows(4 * C), guess = this->rows(4 * C), one = this->rows(),
             mixes = this->rows(16), few = this->rows(4);
  this->moves("mix_streams", [&] { mix_streams<T>(this->exec, mixes, x, y); });
  this->moves("correct_streams", [&] { correct_streams<T>(this->exec, few, 1, one, guess, y); });
}
TYPED_TEST(cuda_traffic, rows_of_a_table) {
  using T = TypeParam;
  const cuda_executor& exec = this->exec;
  const auto x = this->rows(), y = this->rows(), heads = this->rows(4 * 80);
  const auto positions = this->vector(M * C);
  std::vector<std::size_t> some(M);
  std::iota(some.begin(), some.end(), std::size_t{0});
  std::reverse(some.begin(), some.end());
  const std::vector<T> weights(M, T(0.5));
  cuda_rows<T> made;
  cuda_scratch<T> scratch;
  cuda_matrix<T> table;
  ragged_batch text = texts_of({M}); // no row of a table twice
  std::iota(text.ids.begin(), text.ids.end(), 0);
  table.rows = M, table.cols = C, table.stride = C, table.type = dtype::bf16;
  table.bytes = cuda_buffer<std::byte>(exec, std::vector<std::byte>(M * C * 2));
  this->moves("embedding_rows", [&] { embedding_rows<T>(exec, table, text, T(1), y); });
  this->moves("add_positions", [&] { add_positions<T>(exec, positions, 0, text, y); });
  this->moves("place_heads", [&] { place_heads<T>(exec, x, 4, heads, 4, 16); });
  this->moves("gather_rows", [&] { gather_rows<T>(exec, x, some, made, scratch); });
  this->moves("gather_weighted_rows", [&] { gather_weighted_rows<T>(exec, x, some, weights, made, scratch); });
  this->moves("add_weighted_rows", [&] { add_weighted_rows<T>(exec, x, some, weights, y); });
}
TYPED_TEST(cuda_traffic, rotations) {
  using T = TypeParam;
  const auto x = this->rows(), angles = this->rows(64);
  rope_plan plan;
  plan.dims = 64, plan.theta = 1e4;
  this->moves("fill_angles", [&] { fill_angles<T>(this->exec, plan, this->batch, angles); });
  this->moves("rope", [&] { rope<T>(this->exec, x, rotated_heads{4, 64, 0, false}, angles); });
  this->moves("rope, interleaved", [&] { rope<T>(this->exec, x, rotated_heads{4, 64, 0, true}, angles); });
}
TYPED_TEST(cuda_traffic, statistics_of_rows) {
  using T = TypeParam;
  const auto x = this->rows(), y = this->rows();
  norm_weights<cuda_executor, T> weight{norm_kind::layer, 1e-5, 64, this->vector(64), this->vector(64)};
  this->moves("norm", [&] { norm<T>(this->exec, x, weight, y); });
  for (const std::size_t width : {C, std::size_t{4096}}) {
    const std::size_t few = width == C ? M : 64;
    const auto from = this->rows(width).row_range(0, few), to = this->rows(width).row_range(0, few);
    this->moves("cut_below", [&] { cut_below<T>(this->exec, 1, to); });
    this->moves("match_size", [&] { match_size<T>(this->exec, from, to); });
  }
}
TYPED_TEST(cuda_traffic, along_a_text) {
  using T = TypeParam;
  const cuda_executor& exec = this->exec;
  const auto x = this->rows(), y = this->rows(), gate = this->rows(), other = this->rows(), state = this->rows();
  const auto each = this->vector(), first = this->vector(), taps = this->vector(4 * C);
  cuda_rows<T> made;
  cuda_scratch<T> scratch;
  this->moves("causal_convolution",
              [&] { causal_convolution<T>(exec, this->batch, this->all, x, taps, each, y, state.row_range(0, 3)); });
  this->moves("token_shift",
              [&] { token_shift<T>(exec, this->batch, this->all, x, state.row_range(0, 1), each, made, scratch); });
  this->moves("wkv_scan",
              [&] { wkv_scan<T>(exec, this->batch, this->all, x, gate, each, first, y, state.row_range(0, 3)); });
  this->moves("gated_scan",
              [&] { gated_scan<T>(exec, this->batch, this->all, x, gate, other, each, y, state.row_range(0, 1)); });
}
TEST(cuda_traffic_parts, split_rows) {
  const cuda_executor exec;
  const std::vector<float> numbers(M * C, 0.5f);
  const cuda_buffer<float> x(exec, std::span<const float>(numbers));
  cuda_buffer<std::uint16_t> parts;
  const ptx::counters did = count([&] {
    gpu::split_rows<3>(exec, matrix_view<const float>(x.data(), M, C), parts);
    synchronize(exec);
  });
  EXPECT_EQ(32 * (did.loads.passed_sectors + did.stores.sectors), M * C * (4 + 3 * 2));
}
