// Every kernel of the library in every form it is launched in, for the test of what it takes (budget.sh).
#include "llmap/likelihood/cuda/cross_entropy.cuh"
#include "llmap/likelihood/cuda/linear_cross_entropy.cuh"

namespace llmap {

template <class Stored>
using given = void (*)(const cuda_executor&, matrix_view<const Stored>, std::span<const std::int32_t>,
                       const head_options&, std::span<double>);
template <class X, class W>
using fused = void (*)(const cuda_executor&, matrix_view<const X>, matrix_view<const W>,
                       std::span<const gpu::working_t<X>>, std::span<const std::int32_t>, const head_options&,
                       std::span<double>);

[[maybe_unused]] const given<double> given_double = cross_entropy;
[[maybe_unused]] const given<float> given_float = cross_entropy;
[[maybe_unused]] const given<bf16> given_bf16 = cross_entropy;
[[maybe_unused]] const given<f16> given_f16 = cross_entropy;
[[maybe_unused]] const fused<bf16, bf16> fused_bf16 = linear_cross_entropy;
[[maybe_unused]] const fused<f16, f16> fused_f16 = linear_cross_entropy;
[[maybe_unused]] const fused<float, bf16> fused_parts = linear_cross_entropy;
[[maybe_unused]] const fused<float, float> fused_float = linear_cross_entropy;
[[maybe_unused]] const fused<double, double> fused_double = linear_cross_entropy;

} // namespace llmap
