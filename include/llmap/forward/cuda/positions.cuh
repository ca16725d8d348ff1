// Where the rows of a slab lie in their texts, and its texts, for kernels.
#pragma once
#include "llmap/core/cuda/buffer.cuh"
#include "llmap/forward/batch.hpp"

namespace llmap::gpu {

/// The position of each row of a slab in its text.
inline std::vector<std::int32_t> positions_of(const ragged_batch& batch, slab rows) {
  std::vector<std::int32_t> positions;
  positions.reserve(rows.count);
  for_parts(batch, rows, [&](std::size_t, std::size_t position, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) positions.push_back(static_cast<std::int32_t>(position + i));
  });
  return positions;
}

/// The rows of a slab that belong to the text of each row; the first may begin before the slab, at a negative one.
struct row_span {
  std::int32_t begin, end;
};
inline std::vector<row_span> spans_of(const ragged_batch& batch, slab rows) {
  std::vector<row_span> spans;
  spans.reserve(rows.count);
  for_parts(batch, rows, [&](std::size_t, std::size_t position, std::size_t count) {
    const auto first = static_cast<std::int32_t>(spans.size());
    spans.insert(spans.end(), count,
                 {first - static_cast<std::int32_t>(position), first + static_cast<std::int32_t>(count)});
  });
  return spans;
}

/// A list of the host, on the device.
template <class T> cuda_buffer<T> on_device(const cuda_executor& exec, std::span<const T> list) {
  return cuda_buffer<T>(exec, list);
}
template <class T> cuda_buffer<T> on_device(const cuda_executor& exec, const std::vector<T>& list) {
  return cuda_buffer<T>(exec, std::span<const T>(list));
}

/// The texts of a slab as far as they lie in it, for ops that go along a text. Only the first may go on from the slab
/// before, whose last text left its state.
struct text_parts {
  const std::int32_t* begin; // part p is rows [begin[p], begin[p + 1])
  std::size_t count;
  bool continues; // the first does

  /// Who shares the parts out: each takes one, but the one with the first takes the last too, so that nobody else
  /// writes the state that it reads.
  __host__ __device__ std::size_t takers() const { return count > 1 ? count - 1 : 1; }
  /// body(first row, end, whether it goes on from the state, whether it leaves the state)
  template <class Body> __device__ void each(std::size_t taker, const Body& body) const {
    for (std::size_t p = taker; p < count; p += p == 0 && count > 1 ? count - 1 : count)
      body(static_cast<std::size_t>(begin[p]), static_cast<std::size_t>(begin[p + 1]), p == 0 && continues,
           p + 1 == count);
  }
};

/// text_parts, and the memory that it lies in.
class texts_of_slab {
  cuda_buffer<std::int32_t> begin_;
  std::size_t count_ = 0;
  bool continues_ = false;

public:
  texts_of_slab(const cuda_executor& exec, const ragged_batch& batch, slab rows) {
    std::vector<std::int32_t> begin;
    for_parts(batch, rows, [&](std::size_t text, std::size_t position, std::size_t) {
      if (begin.empty()) continues_ = position != 0;
      begin.push_back(static_cast<std::int32_t>(batch.offsets[text] + position - rows.first));
    });
    count_ = begin.size();
    begin.push_back(static_cast<std::int32_t>(rows.count));
    begin_ = on_device(exec, begin);
  }
  text_parts parts() const { return {begin_.data(), count_, continues_}; }
};

} // namespace llmap::gpu
