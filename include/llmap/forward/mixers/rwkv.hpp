// RWKV-4: what mixes along the text, and what mixes the channels of a row.
#pragma once
#include "llmap/forward/mixers/slab_pass.hpp"

namespace llmap {

template <> inline constexpr bool reads_plain_rows<rwkv_time_plan> = true;    ///< mixed with the row before
template <> inline constexpr bool reads_plain_rows<rwkv_channel_plan> = true; ///< mixed with the row before

inline mixer_room room_of(const rwkv_time_plan& p) {
  return {.wide = 4 * p.channels, .activated = p.channels, .gathered = p.key.cols};
}

template <class Exec, class T>
void mix(const slab_pass<Exec, T>& at, const rwkv_time_plan& p, const mixer_weights<Exec, T, rwkv_time_plan>& w,
         matrix_view<const T> x, matrix_view<T> y, store_mode) {
  const auto A = static_cast<std::size_t>(p.channels);
  // wide: [k | v | r | mixed]
  matrix_view<T> wide = at.work.wide.reshape(x.rows, 4 * A), last = at.memory.carry.reshape(1, x.cols);
  const auto shifted = [&](const auto& mix_weight, const auto& matrix, matrix_view<T> to) {
    token_shift(at.exec, at.batch, at.rows, x, last, mix_weight, at.work.gathered, at.work.scratch);
    at.product(at.work.gathered, matrix, to);
  };
  shifted(w.mix_key, w.key, wide.column_range(0, A));
  shifted(w.mix_value, w.value, wide.column_range(A, A));
  shifted(w.mix_receptance, w.receptance, wide.column_range(2 * A, A));
  keep_last_row(at.exec, x, last);
  wkv_scan(at.exec, at.batch, at.rows, wide.column_range(0, A), wide.column_range(A, A), w.decay, w.first,
           wide.column_range(3 * A, A), at.memory.state.reshape(3, A));
  activate(at.exec, activation::sigmoid, true, wide.column_range(2 * A, 2 * A), at.work.activated, at.work.scratch);
  at.product(at.work.activated, w.out, y);
}

inline mixer_room room_of(const rwkv_channel_plan& p) {
  return {.wide = 2 * p.value.rows(), .low = p.key.rows(), .activated = p.key.rows(), .gathered = p.key.cols};
}

template <class Exec, class T>
void mix(const slab_pass<Exec, T>& at, const rwkv_channel_plan&, const mixer_weights<Exec, T, rwkv_channel_plan>& w,
         matrix_view<const T> x, matrix_view<T> y, store_mode) {
  const std::size_t C = y.cols;
  // wide: [r | value]
  matrix_view<T> wide = at.work.wide.reshape(x.rows, 2 * C), keys = at.work.low.reshape(x.rows, w.key.rows);
  matrix_view<T> last = at.memory.carry.reshape(1, x.cols);
  token_shift(at.exec, at.batch, at.rows, x, last, w.mix_key, at.work.gathered, at.work.scratch);
  at.product(at.work.gathered, w.key, keys);
  activate(at.exec, activation::relu_squared, false, keys, at.work.activated, at.work.scratch);
  at.product(at.work.activated, w.value, wide.column_range(C, C));
  token_shift(at.exec, at.batch, at.rows, x, last, w.mix_receptance, at.work.gathered, at.work.scratch);
  at.product(at.work.gathered, w.receptance, wide.column_range(0, C));
  keep_last_row(at.exec, x, last);
  activate(at.exec, activation::sigmoid, true, wide, y);
}

} // namespace llmap
