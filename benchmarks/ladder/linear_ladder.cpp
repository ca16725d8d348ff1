// From three plain loops to llmap::linear: Y (M, N) = X (M, K) W^T + b in float, W (N, K), one idea per step.
//   ladder_linear
// Steps 1 to 6 run on one thread and are measured against the probe of one thread. If a step needs W in another
// order, it is rearranged before the clock starts, as it is when a model is loaded.
#include "ladder.hpp"
#include "llmap/forward/cpu/linear.hpp"

namespace {

using llmap::simd::load;
using llmap::simd::store;
using llmap::simd::vec;
using llmap::simd::width;

struct problem {
  std::size_t M, K, N;
  std::vector<float> x, w, b, y;       // (M, K), (N, K), (N), (M, N)
  std::vector<float> transposed;       // (K, N)
  llmap::aligned_buffer<float> panels; // (N / NR, K, NR), NR columns: the width of a register tile

  problem(std::size_t m, std::size_t k, std::size_t n)
      : M(m), K(k), N(n), x(ladder::random_values(1, m * k)), w(ladder::random_values(2, n * k)),
        b(ladder::random_values(3, n)), y(m * n), transposed(n * k), panels(n * k) {
    const std::size_t NR = llmap::simd::panel_width<float>();
    for (std::size_t j = 0; j < N; ++j)
      for (std::size_t i = 0; i < K; ++i) {
        transposed[i * N + j] = w[j * K + i];
        panels[j / NR * K * NR + i * NR + j % NR] = w[j * K + i];
      }
  }

  /// The largest error of some elements, as a share of the bound of a sequential sum.
  double error() const {
    double worst = 0;
    for (std::size_t s = 0; s < 4096; ++s) {
      const std::size_t r = llmap::counter_random{4}.below(0, s, M), c = llmap::counter_random{4}.below(1, s, N);
      double sum = b[c], size = std::abs(b[c]);
      for (std::size_t k = 0; k < K; ++k) {
        const double term = static_cast<double>(x[r * K + k]) * w[c * K + k];
        sum += term;
        size += std::abs(term);
      }
      worst = std::max(worst, std::abs(y[r * N + c] - sum) / (static_cast<double>(K + 1) * 0x1p-23 * size));
    }
    return worst;
  }
};

void add_bias(const problem& p, float* y) {
  for (std::size_t r = 0; r < p.M; ++r)
    for (std::size_t j = 0; j < p.N; ++j) y[r * p.N + j] += p.b[j];
}

// 1. As the formula is written. A float sum has one order, so the compiler may not use vectors: one product at a time.
void naive(problem& p) {
  for (std::size_t r = 0; r < p.M; ++r)
    for (std::size_t j = 0; j < p.N; ++j) {
      float sum = 0;
      for (std::size_t k = 0; k < p.K; ++k) sum += p.x[r * p.K + k] * p.w[j * p.K + k];
      p.y[r * p.N + j] = sum + p.b[j];
    }
}

// 2. The loop over outputs innermost: neighbors in memory, no sum between them, so it runs in vectors. But every
//    product costs a load and a store of y.
struct outputs_innermost {
  problem& p;
  template <class Isa> LLMAP_INLINE void operator()() const {
    for (std::size_t r = 0; r < p.M; ++r) {
      float* __restrict y = &p.y[r * p.N];
      for (std::size_t j = 0; j < p.N; ++j) y[j] = p.b[j];
      for (std::size_t k = 0; k < p.K; ++k) {
        const float a = p.x[r * p.K + k];
        const float* __restrict w = &p.transposed[k * p.N];
        for (std::size_t j = 0; j < p.N; ++j) y[j] += a * w[j];
      }
    }
  }
};

/// A tile of R rows and V vectors of outputs kept in registers while k runs from 0 to K: each vector of w serves R
/// rows, each element of x V vectors. w_step: from one k to the next. Starts from y if `accumulate`; adds `bias` if
/// there is one.
template <class Isa, int R>
LLMAP_INLINE void tile(std::size_t K, const float* x, std::size_t x_step, const float* w, std::size_t w_step, float* y,
                       std::size_t y_step, bool accumulate, const float* bias) {
  constexpr int W = width<Isa, float>, V = llmap::simd::tile_vectors;
  vec<float, W> c[R][V];
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) c[i][v] = accumulate ? load<float, W>(y + i * y_step + v * W) : vec<float, W>{};
  for (std::size_t k = 0; k < K; ++k, w += w_step) {
    vec<float, W> b[V];
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) b[v] = load<float, W>(w + v * W);
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
      const float a = x[i * x_step + k];
#pragma GCC unroll 16
      for (int v = 0; v < V; ++v) c[i][v] += a * b[v];
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v)
      store<float, W>(y + i * y_step + v * W, bias ? c[i][v] + load<float, W>(bias + v * W) : c[i][v]);
}

/// Tiles below one another: any number of rows.
template <class Isa>
LLMAP_INLINE void column_of_tiles(std::size_t rows, std::size_t K, const float* x, std::size_t x_step, const float* w,
                                  std::size_t w_step, float* y, std::size_t y_step, bool accumulate = false,
                                  const float* bias = nullptr) {
  constexpr int R = Isa::tile_rows;
  std::size_t r = 0;
  for (; r + R <= rows; r += R)
    tile<Isa, R>(K, x + r * x_step, x_step, w, w_step, y + r * y_step, y_step, accumulate, bias);
  for (; r < rows; ++r) tile<Isa, 1>(K, x + r * x_step, x_step, w, w_step, y + r * y_step, y_step, accumulate, bias);
}

// 3. A tile of y in registers: R x V products for V loads of w and R of x, none of y. But one tile reads W^T at steps
//    of N floats: a new page of memory for each k.
struct in_registers {
  problem& p;
  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr std::size_t NR = llmap::simd::panel_columns<Isa, float>;
    for (std::size_t j = 0; j < p.N; j += NR)
      column_of_tiles<Isa>(p.M, p.K, p.x.data(), p.K, &p.transposed[j], p.N, &p.y[j], p.N);
    add_bias(p, p.y.data());
  }
};

// 4. W packed in panels, in the order in which tiles read it: one stream. But a panel of large K falls out of the cache
//    before the next rows need it.
struct packed {
  problem& p;
  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr std::size_t NR = llmap::simd::panel_columns<Isa, float>;
    for (std::size_t j = 0; j < p.N; j += NR)
      column_of_tiles<Isa>(p.M, p.K, p.x.data(), p.K, &p.panels[j * p.K], NR, &p.y[j], p.N);
    add_bias(p, p.y.data());
  }
};

// 5. K in blocks, so that a block of a panel stays in a near cache while rows pass it; rows in blocks and panels in
//    groups, so that their part of X stays in the second-level cache for a group of panels, and the group for all rows.
//    If the caches are large and fast this gains little by itself, but it keeps threads out of each other's way.
// 6. And the bias is added while the tile is still in registers: no second pass over y.
inline constexpr std::size_t row_block = 144, depth = 512, group_panels = 8;
struct blocked {
  problem& p;
  bool bias_in_registers;
  std::size_t first_row, rows, first_column, columns;
  template <class Isa> LLMAP_INLINE void operator()() const {
    constexpr std::size_t NR = llmap::simd::panel_columns<Isa, float>;
    for (std::size_t j = first_column; j < first_column + columns; j += NR)
      for (std::size_t k = 0; k < p.K; k += depth)
        column_of_tiles<Isa>(rows, std::min(depth, p.K - k), &p.x[first_row * p.K + k], p.K,
                             &p.panels[j * p.K + k * NR], NR, &p.y[first_row * p.N + j], p.N, k > 0,
                             bias_in_registers && k + depth >= p.K ? &p.b[j] : nullptr);
  }
};

// 7. Every thread takes blocks; those that follow one another share a group of panels.
void in_blocks(problem& p, bool bias_in_registers, int threads) {
  const std::size_t group = group_panels * llmap::simd::panel_width<float>(), groups = (p.N + group - 1) / group;
  const std::size_t blocks = (p.M + row_block - 1) / row_block;
  llmap::parallel_for(threads, blocks * groups, [&](std::size_t task) {
    const std::size_t r = task % blocks * row_block, j = task / blocks * group;
    llmap::simd::run(blocked{p, bias_in_registers, r, std::min(row_block, p.M - r), j, std::min(group, p.N - j)});
  });
  if (!bias_in_registers) add_bias(p, p.y.data());
}

// 8. llmap::linear: X is packed too, in strips as high as a tile. So a tile reads two streams whatever the row length,
//    and no two rows fall on the same lines of the cache. While a panel is used, the next one is prefetched. See
//    forward/cpu/packed_rows.hpp and forward/cpu/packed_product.hpp.
bool climb(std::size_t M, std::size_t K, std::size_t N, bool with_naive) {
  problem p(M, K, N);
  char title[64];
  std::snprintf(title, sizeof title, "linear %zu x %zu x %zu (M x K x N)", M, K, N);
  ladder::printer print(title, 2.0 * static_cast<double>(M) * static_cast<double>(K) * static_cast<double>(N));
  const auto step = [&](const char* idea, int threads, const auto& work) {
    std::fill(p.y.begin(), p.y.end(), 0.f);
    print.rung(idea, threads, work, [&] { return p.error(); });
  };
  const int threads = llmap::default_threads();
  if (with_naive) step("1 three loops", 1, [&] { naive(p); });
  step("2 outputs innermost: vectors", 1, [&] { llmap::simd::run(outputs_innermost{p}); });
  step("3 a tile of y in registers", 1, [&] { llmap::simd::run(in_registers{p}); });
  step("4 W packed in panels", 1, [&] { llmap::simd::run(packed{p}); });
  step("5 blocks of K, of rows and of panels in the caches", 1, [&] { in_blocks(p, false, 1); });
  step("6 bias in registers", 1, [&] { in_blocks(p, true, 1); });
  char idea[64];
  std::snprintf(idea, sizeof idea, "7 blocks on %d threads as they become free", threads);
  step(idea, threads, [&] { in_blocks(p, true, threads); });
  const auto w = ladder::pack(p.w, p.b, N, K);
  step("8 X packed in strips, the next panel fetched ahead: llmap::linear", threads, [&] {
    llmap::linear(llmap::cpu_executor{threads}, {p.x.data(), M, K}, w, {p.y.data(), M, N});
  });
  return !print.failed();
}

} // namespace

int main() {
  std::printf("%s; probe: multiply-adds in registers on as many threads as the step\n",
              std::string(llmap::simd::name_of(llmap::simd::active_isa())).c_str());
  // SmolLM2-135M's up projection; Llama-3.2-1B's up and down projections, too slow for step 1.
  bool good = climb(512, 576, 1536, true);
  good = climb(256, 2048, 8192, false) && good;
  good = climb(256, 8192, 2048, false) && good;
  return good ? 0 : 1;
}
