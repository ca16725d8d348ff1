// An executor that computes nothing: its storage has shapes only, and its ops count. It shows that the forward pass
// itself touches no number, and what a plan costs: multiply-adds, and the size that each buffer grows to.
#pragma once
#include "llmap/forward/load.hpp"
#include "llmap/likelihood/score.hpp"
#include <algorithm>
#include <gtest/gtest.h>
#include <numeric>

namespace counting {

struct counts {
  double products = 0, sequence = 0; // multiply-adds of matrix products, and of attention and recurrences
};

template <class T> struct matrix {
  std::size_t rows = 0, cols = 0;
  llmap::compute_type compute = llmap::compute_type::working;
};
template <class T> struct vector {
  std::size_t n = 0;
  std::size_t size() const { return n; }
};
template <class T> struct rows {
  std::size_t rows = 0, cols = 0, most = 0; // most: elements it has grown to
  llmap::compute_type compute = llmap::compute_type::working;
  void fill(std::size_t r, std::size_t c) { rows = r, cols = c, most = std::max(most, r * c); }
};
template <class T> struct buffer {
  std::size_t r = 0, c = 0, most = 0;
  llmap::matrix_view<T> reshape(std::size_t rows, std::size_t cols) {
    r = rows, c = cols, most = std::max(most, rows * cols);
    return view();
  }
  llmap::matrix_view<T> view() const { return {nullptr, r, c}; }
};
template <class T> struct keys_values { std::size_t most = 0; };
/// The rows of each expert: equally many for each.
template <class T> struct routing {
  std::vector<std::size_t> counts, all;
  std::vector<T> ones;
  std::size_t count(std::size_t e) const { return counts[e]; }
  std::span<const std::size_t> rows(std::size_t e) const { return std::span(all).first(counts[e]); }
  std::span<const T> weights(std::size_t e) const { return std::span(ones).first(counts[e]); }
};
template <class T> struct head_room { counting::rows<T> rows; };
template <class T> struct scratch { std::size_t packed = 0; };
struct no_room {};

struct executor {
  counts* total;

  template <class T> using matrix = counting::matrix<T>;
  template <class T> using vector = counting::vector<T>;
  template <class T> using rows = counting::rows<T>;
  template <class T> using buffer = counting::buffer<T>;
  template <class T> using host_buffer = llmap::cpu_host_buffer<T>;
  template <class T> using keys_values = counting::keys_values<T>;
  template <class T> using routing = counting::routing<T>;
  template <class T> using head_room = counting::head_room<T>;
  template <class T> using scratch = counting::scratch<T>;
  using weights_room = no_room;
};

template <class T> using view = llmap::matrix_view<T>;
template <class T> using in = std::type_identity_t<llmap::matrix_view<const T>>;
template <class T> using out = std::type_identity_t<llmap::matrix_view<T>>;

inline void synchronize(const executor&) {}

// --- Loading
template <class T>
void check_support(const executor&, const llmap::decoder_plan&, llmap::compute_type, const std::string&) {}
template <class T, class Source> no_room room_for(const executor&, const llmap::decoder_plan&, const Source&) {
  return {};
}
template <class T, class Source>
matrix<T> pack(const executor&, const Source&, const llmap::linear_plan& p, const llmap::tensor_naming&,
               llmap::compute_type compute, no_room&) {
  return {static_cast<std::size_t>(p.rows()), static_cast<std::size_t>(p.cols), compute};
}
template <class T> vector<T> upload(const executor&, const std::vector<T>& v) { return {v.size()}; }
template <class T, class Source>
std::uint64_t packed_bytes(const executor&, const Source&, const llmap::linear_plan& p, const llmap::tensor_naming&) {
  return static_cast<std::uint64_t>(p.rows() * p.cols) * sizeof(T);
}
template <class T, class Source>
std::uint64_t loading_bytes(const executor&, const llmap::decoder_plan&, const Source&, llmap::compute_type) {
  return 0;
}
template <class T>
std::int64_t keys_values_columns(const executor&, std::int64_t kv, std::int64_t key, std::int64_t value) {
  return kv * (key + value);
}
template <class T> std::size_t head_bytes(const executor&, std::int64_t) { return 0; }
inline llmap::row_limits row_limits_of(const executor&) { return {std::size_t{1} << 40, 4800, 4800, 4800}; }

// --- Ops that make rows
template <class T>
void norm(const executor&, in<T> x, const llmap::norm_weights<executor, T>&, rows<T>& y, scratch<T>&) {
  y.fill(x.rows, x.cols);
}
template <class T> void activate(const executor&, llmap::activation, bool gated, in<T> x, rows<T>& y, scratch<T>&) {
  y.fill(x.rows, gated ? x.cols / 2 : x.cols);
}
template <class T> void xielu(const executor&, const vector<T>& p, in<T> x, rows<T>& y, scratch<T>&) {
  EXPECT_EQ(p.size(), 4u);
  y.fill(x.rows, x.cols);
}
template <class T> void gather_rows(const executor&, in<T> x, std::span<const std::size_t> r, rows<T>& y, scratch<T>&) {
  y.fill(r.size(), x.cols);
}
template <class T>
void gather_weighted_rows(const executor&, in<T> x, std::span<const std::size_t> r,
                          std::span<const std::type_identity_t<T>>, rows<T>& y, scratch<T>&) {
  y.fill(r.size(), x.cols);
}
template <class T>
void token_shift(const executor&, const llmap::ragged_batch&, llmap::slab, in<T> x, in<T>, const vector<T>&, rows<T>& y,
                 scratch<T>&) {
  y.fill(x.rows, x.cols);
}

// --- Ops that multiply
template <class T>
void linear(const executor& e, const rows<T>& x, const matrix<T>& w, out<T> y, llmap::store_mode, scratch<T>&) {
  EXPECT_TRUE(x.cols == w.cols && y.cols == w.rows && x.rows == y.rows) << "linear";
  e.total->products += static_cast<double>(x.rows) * static_cast<double>(w.rows) * static_cast<double>(w.cols);
}
template <class T>
void linear(const executor& e, in<T> x, const matrix<T>& w, out<T> y, llmap::store_mode mode, scratch<T>& s) {
  s.packed = std::max(s.packed, x.rows * x.cols);
  rows<T> packed;
  packed.fill(x.rows, x.cols);
  linear(e, packed, w, y, mode, s);
}
template <class T>
void linear_cross_entropy(const executor& e, const rows<T>& x, const matrix<T>& w, std::span<const std::int32_t>,
                          const llmap::head_options&, std::span<double>, head_room<T>&, scratch<T>&) {
  e.total->products += static_cast<double>(x.rows) * static_cast<double>(w.rows) * static_cast<double>(w.cols);
}
template <class T>
void attention(const executor& e, const llmap::attention_shape& s, const vector<std::type_identity_t<T>>&,
               const vector<std::type_identity_t<T>>&, const llmap::ragged_batch& batch, llmap::slab r, in<T> qkv,
               out<T> to, keys_values<T>& kept, scratch<T>&) {
  if (qkv.cols != s.heads * s.key_dim) {
    EXPECT_EQ(qkv.cols, (s.heads + s.kv_heads) * s.key_dim + s.kv_heads * s.value_dim);
  }
  EXPECT_EQ(to.cols, s.heads * s.value_dim);
  if (qkv.cols != s.heads * s.key_dim)
    kept.most = std::max(kept.most, batch.rows() * s.kv_heads * (s.key_dim + s.value_dim));
  for_parts(batch, r, [&](std::size_t, std::size_t position, std::size_t n) {
    for (std::size_t p = position; p < position + n; ++p) {
      const std::size_t seen = s.chunk ? p % s.chunk + 1 : s.window ? std::min(p + 1, s.window) : p + 1;
      e.total->sequence += static_cast<double>(seen * s.heads * (s.key_dim + s.value_dim));
    }
  });
}
template <class T>
void route(const executor&, const llmap::router_plan& p, in<T> logits, const vector<T>&, const vector<T>&,
           routing<T>& to) {
  const std::size_t E = logits.cols, k = static_cast<std::size_t>(p.chosen), all = logits.rows * k;
  to.counts.resize(E);
  for (std::size_t e = 0; e < E; ++e) to.counts[e] = (e + 1) * all / E - e * all / E;
  to.all.assign(logits.rows + 1, 0);
  to.ones.assign(logits.rows + 1, T(1));
}
template <class T>
void causal_convolution(const executor& e, const llmap::ragged_batch&, llmap::slab, in<T> x, const vector<T>& w,
                        const vector<T>&, out<T>, out<T>) {
  e.total->sequence += static_cast<double>(x.rows * w.size());
}
template <class T>
void selective_scan(const executor& e, const llmap::ragged_batch&, llmap::slab, in<T> x, view<T>, in<T>, in<T>,
                    const vector<T>&, const vector<T>&, out<T>, out<T> state) {
  e.total->sequence += 3 * static_cast<double>(x.rows * state.rows * state.cols);
}
template <class T>
void head_scan(const executor& e, const llmap::head_scan_shape&, const llmap::ragged_batch&, llmap::slab, in<T> x,
               in<T>, in<T>, in<T>, const vector<T>&, const vector<T>&, const vector<T>&, out<T>, out<T> state) {
  e.total->sequence += 3 * static_cast<double>(x.rows * state.rows * state.cols);
}
template <class T>
void wkv_scan(const executor& e, const llmap::ragged_batch&, llmap::slab, in<T> k, in<T>, const vector<T>&,
              const vector<T>&, out<T>, out<T>) {
  e.total->sequence += 4 * static_cast<double>(k.rows * k.cols);
}
template <class T>
void gated_scan(const executor& e, const llmap::ragged_batch&, llmap::slab, in<T> x, in<T>, in<T>, const vector<T>&,
                out<T>, out<T>) {
  e.total->sequence += static_cast<double>(x.rows * x.cols);
}

template <class T>
void delta_scan(const executor& e, const llmap::delta_shape&, const llmap::ragged_batch&, llmap::slab, in<T>, in<T>,
                in<T> v, in<T>, in<T>, const vector<T>&, const vector<T>&, out<T>, out<T> state) {
  e.total->sequence += 4 * static_cast<double>(v.rows * state.rows * state.cols);
}

// --- Ops that only move numbers
template <class T>
void embedding_rows(const executor&, const matrix<T>&, const llmap::ragged_batch&, std::type_identity_t<T>, view<T>) {}
template <class T>
void add_positions(const executor&, const vector<T>&, std::size_t, const llmap::ragged_batch&, out<T>) {}
template <class T> void fill_angles(const executor&, const llmap::rope_plan&, const llmap::ragged_batch&, view<T>) {}
template <class T> void norm(const executor&, in<T> x, const llmap::norm_weights<executor, T>& w, out<T> y) {
  EXPECT_TRUE(x.rows == y.rows && x.cols == y.cols && w.width && x.cols % w.width == 0) << "norm";
}
template <class T> void add_scaled(const executor&, in<T>, std::type_identity_t<T>, view<T>, llmap::store_mode) {}
template <class T> void scale(const executor&, std::type_identity_t<T>, view<T>) {}
template <class T> void scale(const executor&, const vector<std::type_identity_t<T>>& s, view<T>) {
  EXPECT_EQ(s.size(), 1u);
}
template <class T>
void grow(const executor&, const llmap::query_growth&, const llmap::ragged_batch&, llmap::slab, view<T>) {}
template <class T> void scale_columns(const executor&, const vector<std::type_identity_t<T>>& s, view<T> y) {
  EXPECT_EQ(s.size(), y.cols);
}
template <class T> void cut_below(const executor&, double, view<T>) {}
template <class T> void mix_streams(const executor&, in<T> c, in<T> x, view<T> y) {
  EXPECT_TRUE(x.cols == y.cols && c.rows == y.rows) << "mix_streams";
}
template <class T> void correct_streams(const executor&, in<T> c, std::size_t, in<T> x, in<T> guess, view<T> y) {
  EXPECT_TRUE(c.cols * x.cols == y.cols && guess.cols == y.cols) << "correct_streams";
}
template <class T> void match_size(const executor&, in<T>, view<T>) {}
template <class T> void clamp(const executor&, std::type_identity_t<T>, view<T>) {}
template <class T> void clear(const executor&, view<T>) {}
template <class T> void activate(const executor&, llmap::activation, bool, in<T>, view<T>) {}
template <class T> void place_heads(const executor&, in<T>, std::size_t, view<T>, std::size_t, std::size_t) {}
template <class T> void scale_rows_by_sigmoid(const executor&, in<T>, view<T>) {}
template <class T> void rope(const executor&, view<T>, const llmap::rotated_heads&, in<T>) {}
template <class T>
void add_weighted_rows(const executor&, in<T>, std::span<const std::size_t>, std::span<const std::type_identity_t<T>>,
                       view<T>) {}
template <class T> void keep_last_row(const executor&, in<T>, view<T>) {}

} // namespace counting
