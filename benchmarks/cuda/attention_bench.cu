// Attention of texts side by side, all as long or not.
#include "llmap/forward/cuda/attention.cuh"
#include "operands.cuh"
#include "probe.hpp"

namespace llmap::bench {

namespace {

struct shape {
  std::size_t heads, kv_heads, width, texts, shortest, longest;
  std::string name() const {
    return std::to_string(heads) + "/" + std::to_string(kv_heads) + "/" + std::to_string(width) + "/" +
           std::to_string(texts) + "x" + std::to_string(shortest) +
           (shortest == longest ? "" : "-" + std::to_string(longest));
  }
};

void attend(benchmark::State& state, const shape& s) {
  ragged_batch batch;
  double pairs = 0;
  for (std::size_t t = 0; t < s.texts; ++t) {
    const std::size_t length = s.shortest + t * 37 % (s.longest - s.shortest + 1);
    batch.add(std::vector<std::int32_t>(length));
    pairs += static_cast<double>(length * (length + 1)) / 2;
  }
  const std::size_t D = s.width, T = batch.rows(), kept_columns = 2 * s.kv_heads * D;
  const operand<float> qkv(T, s.heads * D + kept_columns), out(T, s.heads * D);
  const cuda_buffer<float> none;
  cuda_keys_values<float> kept;
  cuda_scratch<float> scratch;
  const attention_shape of{s.heads, s.kv_heads, D, D, 0.1};
  measure(state,
          {qkv.bytes() + out.bytes() + static_cast<double>(T * kept_columns * sizeof(float)),
           4 * pairs * static_cast<double>(s.heads * D)},
          [&] {
            attention<float>(cuda_executor{}, of, none, none, batch, {0, T}, qkv.view(), out.view(), kept, scratch);
          });
}

} // namespace

void add_attention() {
  const auto shapes = counted() ? std::vector<shape>{{2, 1, 64, 1, 128, 128}}
                                : std::vector<shape>{{9, 3, 64, 16, 512, 512},
                                                     {32, 8, 128, 16, 512, 512},
                                                     {32, 8, 128, 24, 150, 512},
                                                     {32, 8, 128, 1, 8192, 8192}};
  for (const shape& s : shapes) add("attention/" + s.name(), [s](benchmark::State& state) { attend(state, s); });
}

} // namespace llmap::bench
