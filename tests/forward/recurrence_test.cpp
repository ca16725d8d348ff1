// The recurrences against their plain loops, on ragged batches, in slabs of every kind, in float and double.
#include "llmap/forward/cpu/channel_scans.hpp"
#include "llmap/forward/cpu/convolution.hpp"
#include "llmap/forward/cpu/delta_scan.hpp"
#include "llmap/forward/cpu/linear.hpp"
#include "llmap/forward/cpu/state_scans.hpp"
#include "llmap/reference/recurrence_reference.hpp"
#include "support/golden.hpp"
#include <array>

using namespace llmap;

namespace {

const std::vector<std::size_t> lengths{1, 2, 9, 3, 40, 17};

ragged_batch batch_of_texts() {
  ragged_batch batch;
  for (std::size_t n : lengths) batch.add(std::vector<std::int32_t>(n));
  return batch;
}

/// Numbers of working type T with their exact values beside them.
template <class T> struct numbers {
  std::vector<T> narrow;
  std::vector<double> wide;
  numbers(std::size_t n, std::uint64_t seed, double spread = 1, double mean = 0) {
    for (double x : golden::normals(n, seed, spread))
      narrow.push_back(static_cast<T>(x + mean)), wide.push_back(static_cast<double>(narrow.back()));
  }
  aligned_buffer<T> buffer() const { return upload(cpu_executor{1}, narrow); }
  matrix_view<const T> view(std::size_t cols) const { return {narrow.data(), narrow.size() / cols, cols}; }
  /// Rows of text t.
  std::vector<double> of_text(const ragged_batch& batch, std::size_t t, std::size_t cols) const {
    return {wide.begin() + static_cast<std::ptrdiff_t>(batch.offsets[t] * cols),
            wide.begin() + static_cast<std::ptrdiff_t>(batch.offsets[t + 1] * cols)};
  }
};

/// Runs `op(slab, y rows)` over the batch in slabs of 1, 7, 16 and all rows; all must give the same bits, and text by
/// text the values of `expected(text)` within bound * (1 + |value|).
template <class T, class Op, class Expected>
void check(std::size_t cols, double bound, const Op& op, const Expected& expected) {
  const ragged_batch batch = batch_of_texts();
  std::vector<T> first;
  for (const std::size_t rows : {batch.rows(), std::size_t{1}, std::size_t{7}, std::size_t{16}})
    for (const int threads : {1, 3}) {
      std::vector<T> y(batch.rows() * cols);
      for_slabs(batch.rows(), rows, 1, [&](slab s) {
        op(cpu_executor{threads}, batch, s, matrix_view<T>(y.data() + s.first * cols, s.count, cols));
      });
      if (first.empty()) first = y;
      ASSERT_EQ(y, first) << "slabs of " << rows << ", " << threads << " threads";
    }
  for (std::size_t t = 0; t < batch.texts(); ++t) {
    const std::vector<double> want = expected(batch, t);
    for (std::size_t i = 0; i < want.size(); ++i)
      ASSERT_NEAR(first[batch.offsets[t] * cols + i], want[i],
                  bound * std::numeric_limits<T>::epsilon() * (1 + std::abs(want[i])))
          << "text " << t << " at " << i;
  }
}

template <class T> void convolutions() {
  for (const std::size_t taps : {1, 3, 4}) {
    const std::size_t C = 19, rows = batch_of_texts().rows();
    const numbers<T> x(rows * C, 1), w(C * taps, 2), b(C, 3);
    for (const bool bias : {true, false}) {
      matrix_buffer<T> carry;
      const aligned_buffer<T> weight = w.buffer(), biases = bias ? b.buffer() : aligned_buffer<T>{};
      check<T>(
          C, 16,
          [&](cpu_executor exec, const ragged_batch& batch, slab s, matrix_view<T> y) {
            causal_convolution(exec, batch, s, x.view(C).row_range(s.first, s.count), weight, biases, y,
                               carry.reshape(taps - 1, C));
          },
          [&](const ragged_batch& batch, std::size_t t) {
            return reference::causal_convolution(x.of_text(batch, t, C), w.wide, bias ? b.wide : std::vector<double>{},
                                                 lengths[t], C, taps);
          });
    }
  }
}
template <class T> void shifts() {
  const std::size_t C = 21, rows = batch_of_texts().rows();
  const numbers<T> x(rows * C, 1), m(C, 2);
  const aligned_buffer<T> mix = m.buffer();
  matrix_buffer<T> last;
  packed_rows<T> packed;
  cpu_scratch<T> scratch;
  std::vector<T> eye(C * C, T(0));
  for (std::size_t i = 0; i < C; ++i) eye[i * C + i] = T(1);
  const auto identity = pack<T>(cpu_executor{1}, matrix_view<const T>(eye.data(), C, C)); // to read the packed rows
  check<T>(
      C, 4,
      [&](cpu_executor exec, const ragged_batch& batch, slab s, matrix_view<T> y) {
        const auto own = x.view(C).row_range(s.first, s.count);
        token_shift(exec, batch, s, own, last.reshape(1, C), mix, packed, scratch);
        linear(exec, packed, identity, y, store_mode::overwrite, scratch);
        keep_last_row(exec, own, last.view());
      },
      [&](const ragged_batch& batch, std::size_t t) {
        return reference::token_shift(x.of_text(batch, t, C), m.wide, lengths[t], C);
      });
}
template <class T> void selective_scans() {
  for (const std::size_t N : {1, 5, 16, 20}) {
    const std::size_t M = 18, rows = batch_of_texts().rows();
    const numbers<T> x(rows * M, 1), step(rows * M, 2), B(rows * N, 3), C(rows * N, 4), a(M * N, 5), d(M, 6);
    const aligned_buffer<T> a_log = a.buffer(), skip = d.buffer();
    matrix_buffer<T> state;
    check<T>(
        M, 400,
        [&](cpu_executor exec, const ragged_batch& batch, slab s, matrix_view<T> y) {
          std::vector<T> own(step.narrow.begin() + static_cast<std::ptrdiff_t>(s.first * M),
                             step.narrow.begin() + static_cast<std::ptrdiff_t>((s.first + s.count) * M));
          selective_scan(exec, batch, s, x.view(M).row_range(s.first, s.count), matrix_view<T>(own.data(), s.count, M),
                         B.view(N).row_range(s.first, s.count), C.view(N).row_range(s.first, s.count), a_log, skip, y,
                         state.reshape(M, N));
        },
        [&](const ragged_batch& batch, std::size_t t) {
          return reference::selective_scan(x.of_text(batch, t, M), step.of_text(batch, t, M), B.of_text(batch, t, N),
                                           C.of_text(batch, t, N), a.wide, d.wide, lengths[t], M, N);
        });
  }
}
template <class T> void head_scans() {
  for (const std::size_t G : {1, 2}) {
    const std::size_t H = 4, P = 5, N = 19, M = H * P, rows = batch_of_texts().rows();
    const numbers<T> x(rows * M, 1), dt(rows * H, 2), B(rows * G * N, 3), C(rows * G * N, 4), a(H, 5), d(H, 6),
        bias(H, 7);
    const aligned_buffer<T> a_log = a.buffer(), skip = d.buffer(), dt_bias = bias.buffer();
    matrix_buffer<T> state;
    check<T>(
        M, 400,
        [&](cpu_executor exec, const ragged_batch& batch, slab s, matrix_view<T> y) {
          const auto of = [&](const numbers<T>& n, std::size_t cols) {
            return n.view(cols).row_range(s.first, s.count);
          };
          head_scan(exec, {H, P, G, N, 0.2, 1.1}, batch, s, of(x, M), of(B, G * N), of(C, G * N), of(dt, H), dt_bias,
                    a_log, skip, y, state.reshape(M, N));
        },
        [&](const ragged_batch& batch, std::size_t t) {
          return reference::head_scan(x.of_text(batch, t, M), B.of_text(batch, t, G * N), C.of_text(batch, t, G * N),
                                      dt.of_text(batch, t, H), bias.wide, a.wide, d.wide, 0.2, 1.1, lengths[t], H, P, G,
                                      N);
        });
  }
}
template <class T> void wkv_scans() {
  for (const double spread : {1.0, 30.0}) { // keys of hundreds, which no exponential holds
    const std::size_t A = 37, rows = batch_of_texts().rows();
    const numbers<T> k(rows * A, 1, spread), v(rows * A, 2), w(A, 3), u(A, 4);
    const aligned_buffer<T> decay = w.buffer(), first = u.buffer();
    matrix_buffer<T> state;
    check<T>(
        A, 400 * spread,
        [&](cpu_executor exec, const ragged_batch& batch, slab s, matrix_view<T> y) {
          wkv_scan(exec, batch, s, k.view(A).row_range(s.first, s.count), v.view(A).row_range(s.first, s.count), decay,
                   first, y, state.reshape(3, A));
        },
        [&](const ragged_batch& batch, std::size_t t) {
          return reference::wkv(k.of_text(batch, t, A), v.of_text(batch, t, A), w.wide, u.wide, lengths[t], A);
        });
  }
}
template <class T> void gated_scans() {
  const std::size_t L = 37, rows = batch_of_texts().rows();
  const numbers<T> x(rows * L, 1), in(rows * L, 2), rec(rows * L, 3), p(L, 4);
  const aligned_buffer<T> decay = p.buffer();
  matrix_buffer<T> state;
  check<T>(
      L, 400,
      [&](cpu_executor exec, const ragged_batch& batch, slab s, matrix_view<T> y) {
        gated_scan(exec, batch, s, x.view(L).row_range(s.first, s.count), in.view(L).row_range(s.first, s.count),
                   rec.view(L).row_range(s.first, s.count), decay, y, state.reshape(1, L));
      },
      [&](const ragged_batch& batch, std::size_t t) {
        return reference::gated_scan(x.of_text(batch, t, L), in.of_text(batch, t, L), rec.of_text(batch, t, L), p.wide,
                                     lengths[t], L);
      });
}

template <class T> void delta_scans() {
  for (const auto& [Hk, H, Dk, Dv] : {std::array<std::size_t, 4>{1, 1, 4, 4}, {2, 2, 16, 32}, {2, 6, 5, 19}})
    for (const double beta_scale : {1.0, 2.0}) {
      const std::size_t K = Hk * Dk, M = H * Dv, rows = batch_of_texts().rows();
      const numbers<T> q(rows * K, 1), k(rows * K, 2), v(rows * M, 3), b(rows * H, 4), a(rows * H, 5), dt(H, 6),
          w(H, 7);
      const aligned_buffer<T> dt_bias = dt.buffer(), a_log = w.buffer();
      matrix_buffer<T> state;
      check<T>(
          M, 400,
          [&](cpu_executor exec, const ragged_batch& batch, slab s, matrix_view<T> y) {
            const auto of = [&](const numbers<T>& n, std::size_t cols) {
              return n.view(cols).row_range(s.first, s.count);
            };
            delta_scan(exec, {Hk, H, Dk, Dv, beta_scale}, batch, s, of(q, K), of(k, K), of(v, M), of(b, H), of(a, H),
                       dt_bias, a_log, y, state.reshape(H * Dk, Dv));
          },
          [&](const ragged_batch& batch, std::size_t t) {
            return reference::delta_scan(q.of_text(batch, t, K), k.of_text(batch, t, K), v.of_text(batch, t, M),
                                         b.of_text(batch, t, H), a.of_text(batch, t, H), dt.wide, w.wide, beta_scale,
                                         lengths[t], Hk, H, Dk, Dv);
          });
    }
}

} // namespace

TEST(causal_convolution, like_the_reference) { convolutions<double>(), convolutions<float>(); }
TEST(token_shift, like_the_reference) { shifts<double>(), shifts<float>(); }
TEST(selective_scan, like_the_reference) { selective_scans<double>(), selective_scans<float>(); }
TEST(head_scan, like_the_reference) { head_scans<double>(), head_scans<float>(); }
TEST(wkv_scan, like_the_reference) { wkv_scans<double>(), wkv_scans<float>(); }
TEST(delta_scan, like_the_reference) { delta_scans<double>(), delta_scans<float>(); }
TEST(gated_scan, like_the_reference) { gated_scans<double>(), gated_scans<float>(); }
