// The recurrences on the device against plain loops in double, by text; and the bits of a text wherever it is cut.
#include "cuda/support/device_matrix.hpp"
#include "llmap/forward/cuda/channel_scans.cuh"
#include "llmap/forward/cuda/convolution.cuh"
#include "llmap/forward/cuda/delta_scan.cuh"
#include "llmap/forward/cuda/pack.cuh"
#include "llmap/forward/cuda/rows.cuh"
#include "llmap/forward/cuda/state_scans.cuh"
#include "llmap/reference/recurrence_reference.hpp"

using namespace llmap;
using namespace cuda_test;

namespace {

/// Texts that begin and end at odd places of slabs.
const ragged_batch batch = texts_of({3, 1, 30, 0, 14});
const std::size_t T_rows = 48;

/// Columns [first, first + count) of a text's rows.
std::vector<double> part(const std::vector<double>& x, std::size_t width, std::size_t t, std::size_t first,
                         std::size_t count) {
  std::vector<double> own;
  for (std::size_t r = batch.offsets[t]; r < batch.offsets[t + 1]; ++r)
    for (std::size_t k = 0; k < count; ++k) own.push_back(x[r * width + first + k]);
  return own;
}

template <class T> struct scan_case {
  std::size_t width, out;
  std::vector<double> x = normals<T>(1, T_rows* width);
  cuda_executor exec{};

  /// op(slab, x of the slab, y of it) in slabs of so many rows.
  template <class Op> std::vector<double> run(std::size_t slab_rows, const Op& op) const {
    const device_matrix<T> from(exec, T_rows, width, x), y(exec, T_rows, out, std::vector<double>(T_rows * out));
    for (std::size_t first = 0; first < T_rows; first += slab_rows) {
      const slab rows{first, std::min(slab_rows, T_rows - first)};
      op(rows, from.view().row_range(first, rows.count), y.view().row_range(first, rows.count));
    }
    return y.numbers(exec);
  }
  /// Like of_text(t) for each text, and the same bits from any slabs. `terms`: how large the terms of a sum are.
  template <class Op, class OfText>
  void check(const Op& op, const OfText& of_text, double terms, const char* what) const {
    std::vector<double> want;
    for (std::size_t t = 0; t < batch.texts(); ++t) {
      const auto own = of_text(t);
      want.insert(want.end(), own.begin(), own.end());
    }
    const auto whole = run(T_rows, op);
    expect_near(
        whole, want, [&](std::size_t) { return 32 * eps<T> * terms; }, what);
    for (const std::size_t slab_rows : {1, 5, 20}) EXPECT_EQ(run(slab_rows, op), whole) << what << ' ' << slab_rows;
  }
};

template <class T> class cuda_scans : public testing::Test {};
using types = testing::Types<float, double>;
TYPED_TEST_SUITE(cuda_scans, types);

} // namespace

TYPED_TEST(cuda_scans, convolution) {
  using T = TypeParam;
  for (const bool biased : {false, true})
    for (const std::size_t taps : {1, 2, 3, 4, 6}) {
      const scan_case<T> c{35, 35};
      const auto weight = normals<T>(2, 35 * taps), bias = normals<T>(3, biased ? 35 : 0);
      const auto w = upload(c.exec, in<T>(weight)), b = upload(c.exec, in<T>(bias));
      cuda_matrix_buffer<T> carry;
      c.check(
          [&](slab rows, matrix_view<T> x, matrix_view<T> y) {
            causal_convolution<T>(c.exec, batch, rows, x, w, b, y, carry.reshape(taps - 1, 35));
          },
          [&](std::size_t t) {
            return reference::causal_convolution(part(c.x, 35, t, 0, 35), weight,
                                                 biased ? bias : std::vector<double>(35, 0.0), batch.length(t), 35,
                                                 taps);
          },
          8, "convolution");
    }
}
TYPED_TEST(cuda_scans, shift) {
  using T = TypeParam;
  const scan_case<T> c{35, 35};
  const auto mix = normals<T>(2, 35);
  const auto m = upload(c.exec, in<T>(mix));
  cuda_matrix_buffer<T> last;
  cuda_rows<T> shifted;
  cuda_scratch<T> scratch;
  c.check(
      [&](slab rows, matrix_view<T> x, matrix_view<T> y) {
        token_shift<T>(c.exec, batch, rows, x, last.reshape(1, 35), m, shifted, scratch);
        keep_last_row<T>(c.exec, x, last.reshape(1, 35));
        add_scaled<T>(c.exec, shifted.view(), T(1), y, store_mode::overwrite);
      },
      [&](std::size_t t) { return reference::token_shift(part(c.x, 35, t, 0, 35), mix, batch.length(t), 35); }, 8,
      "token_shift");
}
TYPED_TEST(cuda_scans, mamba) {
  using T = TypeParam;
  for (const std::size_t N : {5, 40}) {
    const std::size_t M = 9;
    const scan_case<T> c{2 * M + 2 * N, M}; // [x | step | B | C]
    const auto a_log = normals<T>(2, M * N, 0.5), d = normals<T>(3, M);
    const auto a = upload(c.exec, in<T>(a_log)), direct = upload(c.exec, in<T>(d));
    cuda_matrix_buffer<T> state;
    c.check(
        [&](slab rows, matrix_view<T> x, matrix_view<T> y) {
          selective_scan<T>(c.exec, batch, rows, x.column_range(0, M), x.column_range(M, M), x.column_range(2 * M, N),
                            x.column_range(2 * M + N, N), a, direct, y, state.reshape(M, N));
        },
        [&](std::size_t t) {
          return reference::selective_scan(part(c.x, c.width, t, 0, M), part(c.x, c.width, t, M, M),
                                           part(c.x, c.width, t, 2 * M, N), part(c.x, c.width, t, 2 * M + N, N), a_log,
                                           d, batch.length(t), M, N);
        },
        64, "selective_scan");
  }
}
TYPED_TEST(cuda_scans, mamba2) {
  using T = TypeParam;
  for (const std::size_t N : {3, 70}) {
    const std::size_t H = 4, P = 3, G = 2, M = H * P;
    const scan_case<T> c{M + 2 * G * N + H, M}; // [x | B | C | dt]
    const auto bias = normals<T>(2, H), a_log = normals<T>(3, H), d = normals<T>(4, H);
    const auto dt_bias = upload(c.exec, in<T>(bias)), a = upload(c.exec, in<T>(a_log)),
               direct = upload(c.exec, in<T>(d));
    const head_scan_shape shape{H, P, G, N, 0.25, 1.5}; // both limits are met
    cuda_matrix_buffer<T> state;
    c.check(
        [&](slab rows, matrix_view<T> x, matrix_view<T> y) {
          head_scan<T>(c.exec, shape, batch, rows, x.column_range(0, M), x.column_range(M, G * N),
                       x.column_range(M + G * N, G * N), x.column_range(M + 2 * G * N, H), dt_bias, a, direct, y,
                       state.reshape(M, N));
        },
        [&](std::size_t t) {
          return reference::head_scan(part(c.x, c.width, t, 0, M), part(c.x, c.width, t, M, G * N),
                                      part(c.x, c.width, t, M + G * N, G * N), part(c.x, c.width, t, M + 2 * G * N, H),
                                      bias, a_log, d, 0.25, 1.5, batch.length(t), H, P, G, N);
        },
        128, "head_scan");
  }
}
TYPED_TEST(cuda_scans, rwkv) {
  using T = TypeParam;
  const std::size_t A = 37;
  const scan_case<T> c{2 * A, A};
  const auto decay = normals<T>(2, A, 0.5), first = normals<T>(3, A);
  const auto w = upload(c.exec, in<T>(decay)), u = upload(c.exec, in<T>(first));
  cuda_matrix_buffer<T> state;
  c.check(
      [&](slab rows, matrix_view<T> x, matrix_view<T> y) {
        wkv_scan<T>(c.exec, batch, rows, x.column_range(0, A), x.column_range(A, A), w, u, y, state.reshape(3, A));
      },
      [&](std::size_t t) {
        return reference::wkv(part(c.x, 2 * A, t, 0, A), part(c.x, 2 * A, t, A, A), decay, first, batch.length(t), A);
      },
      8, "wkv_scan");
}
TYPED_TEST(cuda_scans, griffin) {
  using T = TypeParam;
  const std::size_t L = 37;
  const scan_case<T> c{3 * L, L};
  const auto decay = normals<T>(2, L);
  const auto w = upload(c.exec, in<T>(decay));
  cuda_matrix_buffer<T> state;
  c.check(
      [&](slab rows, matrix_view<T> x, matrix_view<T> y) {
        gated_scan<T>(c.exec, batch, rows, x.column_range(0, L), x.column_range(L, L), x.column_range(2 * L, L), w, y,
                      state.reshape(1, L));
      },
      [&](std::size_t t) {
        return reference::gated_scan(part(c.x, 3 * L, t, 0, L), part(c.x, 3 * L, t, L, L),
                                     part(c.x, 3 * L, t, 2 * L, L), decay, batch.length(t), L);
      },
      16, "gated_scan");
}
TYPED_TEST(cuda_scans, delta_rule) {
  using T = TypeParam;
  const std::size_t Hk = 2, H = 4, Dk = 5, Dv = 9, keys = Hk * Dk, M = H * Dv;
  const scan_case<T> c{2 * keys + M + 2 * H, M}; // [q | k | v | b | a]
  const auto bias = normals<T>(2, H), a_log = normals<T>(3, H);
  const auto dt_bias = upload(c.exec, in<T>(bias)), a = upload(c.exec, in<T>(a_log));
  cuda_matrix_buffer<T> state;
  c.check(
      [&](slab rows, matrix_view<T> x, matrix_view<T> y) {
        delta_scan<T>(c.exec, delta_shape{Hk, H, Dk, Dv, 1.5}, batch, rows, x.column_range(0, keys),
                      x.column_range(keys, keys), x.column_range(2 * keys, M), x.column_range(2 * keys + M, H),
                      x.column_range(2 * keys + M + H, H), dt_bias, a, y, state.reshape(H * Dk, Dv));
      },
      [&](std::size_t t) {
        return reference::delta_scan(part(c.x, c.width, t, 0, keys), part(c.x, c.width, t, keys, keys),
                                     part(c.x, c.width, t, 2 * keys, M), part(c.x, c.width, t, 2 * keys + M, H),
                                     part(c.x, c.width, t, 2 * keys + M + H, H), bias, a_log, 1.5, batch.length(t), Hk,
                                     H, Dk, Dv);
      },
      32, "delta_scan");
}

#ifdef LLMAP_EMULATED
// States stay in registers: what is asked of memory is x, B and C, once for each block of channels, and y.
TYPED_TEST(cuda_scans, counted) {
  using T = TypeParam;
  const cuda_executor exec;
  const ragged_batch texts = texts_of({100, 1, 300, 111});
  const slab all{0, 512};
  std::vector<cuda_buffer<T>> memory;
  const auto rows = [&](std::size_t cols) {
    memory.emplace_back(exec, std::span<const T>(std::vector<T>(512 * cols, T(0.5))));
    return matrix_view<T>(memory.back().data(), 512, cols);
  };
  const auto vector = [&](std::size_t n) { return upload(exec, std::vector<T>(n, T(0.5))); };
  const auto asks = [&](const char* what, double most, const auto& op) {
    const ptx::counters did = count([&] {
      op();
      synchronize(exec);
    });
    const double asked = static_cast<double>(did.loads.sectors + did.stores.sectors) /
                         static_cast<double>(did.loads.distinct_sectors + did.stores.distinct_sectors);
    std::printf("%s: %.3f of the sectors touched, %.3f conflicts a request\n", what, asked,
                static_cast<double>(did.bank_conflicts) / static_cast<double>(did.shared_requests));
    EXPECT_LE(asked, most) << what;
    EXPECT_EQ(did.bank_conflicts + did.local_requests, 0u) << what;
  };
  cuda_matrix_buffer<T> state;
  const auto x = rows(256), y = rows(256), B = rows(128), C = rows(128), step = rows(256), few = rows(4);
  const auto of_heads = vector(4), of_channels = vector(256), of_states = vector(256 * 16);
  asks("selective_scan", 1.3, [&] {
    selective_scan<T>(exec, texts, all, x, step, B.column_range(0, 16), C.column_range(0, 16), of_states, of_channels,
                      y, state.reshape(256, 16));
  });
  asks("head_scan", 3.6, [&] {
    head_scan<T>(exec, head_scan_shape{4, 64, 1, 128, 0, 10}, texts, all, x, B, C, few, of_heads, of_heads, of_heads, y,
                 state.reshape(256, 128));
  });
  asks("delta_scan", 2.8, [&] {
    delta_scan<T>(exec, delta_shape{1, 4, 128, 64, 1}, texts, all, B, C, x, few, few, of_heads, of_heads, y,
                  state.reshape(4 * 128, 64));
  });
}
#endif
