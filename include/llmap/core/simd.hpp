// Portable SIMD: GNU vector extensions (GCC, Clang), one source for every instruction set.
//
// A kernel is a callable whose operator() is a template over an instruction set `Isa`:
//     struct add { const float *x; float *y; std::size_t n;
//       template <class Isa> LLMAP_INLINE void operator()() const { ... vec<float, width<Isa, float>> ... } };
//     simd::run(add{x, y, n});
// `run` calls it compiled for the best instruction set of this machine, chosen at run time; everything it
// calls must be LLMAP_INLINE, so that the whole kernel is compiled under that instruction set.
// The environment variable LLMAP_ISA (baseline, avx2, avx512) lowers the choice; it never raises it.
//
// Numbers: a + b, a * b are the IEEE operations; `c += a * b` is contracted to a fused multiply-add if the
// instruction set has one (avx2, avx512), so results differ in the last bits between instruction sets.
#pragma once
#include "llmap/core/dtype.hpp"
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <type_traits>
#include <utility>

// Vectors only cross calls that are inlined, so the calling convention, which -Wpsabi warns about, does not matter.
#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wpsabi"
#endif
// nvcc hands kernels for the CPU to the host's compiler, but warns of what only that one reads: the pragma that unrolls
// loops, and lambdas that take a type.
#if defined(__NVCC__)
#pragma nv_diag_suppress 1675, 445
#endif

/// For everything that a kernel calls.
#define LLMAP_INLINE [[gnu::always_inline]] inline

namespace llmap::simd {

/// The vector type of W elements of T; `unaligned` may lie at the address of any element.
template <class T, int W> struct vec_of {
  /// For memory at multiples of its size.
  typedef T aligned __attribute__((vector_size(W * sizeof(T))));
  /// For memory at any element.
  typedef T unaligned __attribute__((vector_size(W * sizeof(T)), aligned(sizeof(T)), may_alias));
};
/// W elements of T in a register.
template <class T, int W> using vec = typename vec_of<T, W>::aligned;

/// W elements at p, which need not be aligned.
template <class T, int W> LLMAP_INLINE vec<T, W> load(const T* p) {
  return *reinterpret_cast<const typename vec_of<T, W>::unaligned*>(p);
}
/// W elements to p, which need not be aligned.
template <class T, int W> LLMAP_INLINE void store(T* p, const vec<T, W>& v) {
  *reinterpret_cast<typename vec_of<T, W>::unaligned*>(p) = v;
}
/// x in every lane (-0 becomes +0). In the inner loop of a kernel write scalar * vector instead: GCC 12 lowers a
/// broadcast in its own function before it knows the instruction set.
template <class T, int W> LLMAP_INLINE vec<T, W> broadcast(T x) { return vec<T, W>{} + x; }

/// The first n <= W elements at p, the rest `fill`.
template <class T, int W> LLMAP_INLINE vec<T, W> load_partial(const T* p, std::size_t n, T fill = T(0)) {
  vec<T, W> v = broadcast<T, W>(fill);
  for (std::size_t i = 0; i < n; ++i) v[i] = p[i];
  return v;
}
/// The first n <= W lanes to p.
template <class T, int W> LLMAP_INLINE void store_partial(T* p, std::size_t n, const vec<T, W>& v) {
  for (std::size_t i = 0; i < n; ++i) p[i] = v[i];
}

/// Lanes I... of a and b, those of b numbered after those of a.
template <int... I, class V> LLMAP_INLINE V shuffle(const V& a, const V& b) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, I...);
#else
  constexpr auto lane = sizeof(V) / sizeof...(I);
  using integer =
      std::conditional_t<lane == 2, std::int16_t, std::conditional_t<lane == 4, std::int32_t, std::int64_t>>;
  return __builtin_shuffle(a, b, vec<integer, sizeof...(I)>{I...});
#endif
}

/// Transposes a 4 x 4 block of rows.
template <class T> LLMAP_INLINE void transpose(vec<T, 4> (&row)[4]) {
  const vec<T, 4> a = shuffle<0, 4, 1, 5>(row[0], row[2]), b = shuffle<0, 4, 1, 5>(row[1], row[3]);
  const vec<T, 4> c = shuffle<2, 6, 3, 7>(row[0], row[2]), d = shuffle<2, 6, 3, 7>(row[1], row[3]);
  row[0] = shuffle<0, 4, 1, 5>(a, b);
  row[1] = shuffle<2, 6, 3, 7>(a, b);
  row[2] = shuffle<0, 4, 1, 5>(c, d);
  row[3] = shuffle<2, 6, 3, 7>(c, d);
}

namespace detail {
template <int half, class V, class Join, std::size_t... I>
LLMAP_INLINE V fold(const V& v, const Join& join, std::index_sequence<I...> lanes) {
  if constexpr (half == 0) return v;
  else return fold<half / 2>(join(v, shuffle<static_cast<int>((I + half) % sizeof...(I))...>(v, v)), join, lanes);
}
} // namespace detail
/// The sum of the lanes, by halving: the order depends on W alone.
template <class T, int W> LLMAP_INLINE T sum(const vec<T, W>& v) {
  const auto join = [](const auto& a, const auto& b) __attribute__((always_inline)) { return a + b; };
  return detail::fold<W / 2>(v, join, std::make_index_sequence<W>{})[0];
}
/// Lane by lane; b where either is NaN.
template <class T, int W> LLMAP_INLINE vec<T, W> maximum(const vec<T, W>& a, const vec<T, W>& b) {
  return a > b ? a : b;
}
/// The largest lane, if none is NaN.
template <class T, int W> LLMAP_INLINE T maximum(const vec<T, W>& v) {
  const auto join = [](const auto& a, const auto& b) __attribute__((always_inline)) { return maximum<T, W>(a, b); };
  return detail::fold<W / 2>(v, join, std::make_index_sequence<W>{})[0];
}

/// W stored elements (f32 or f64) as T.
template <class T, int W, class Stored> LLMAP_INLINE vec<T, W> widen(const Stored* p) {
  if constexpr (std::is_same_v<Stored, T>) return load<T, W>(p);
  else return __builtin_convertvector((load<Stored, W>(p)), vec<T, W>);
}
/// The first (half 0) or second (half 1) elements of W pairs of bf16 or f16, as T. Exact. A half of each word takes a
/// mask or a shift; elements stored as neighbors would have to change lanes.
template <class T, int W, int half, class Stored> LLMAP_INLINE vec<T, W> widen_half(const Stored* pairs) {
  static_assert(sizeof(Stored) == 2);
  const auto word = load<std::uint32_t, W>(reinterpret_cast<const std::uint32_t*>(pairs));
  vec<float, W> wide;
  if constexpr (std::is_same_v<Stored, bf16>) {
    wide = reinterpret_cast<vec<float, W>>(half ? word & 0xffff0000u : word << 16);
  } else { // see f16::operator float
    const vec<std::uint32_t, W> magnitude = half ? (word & 0x7fff0000u) >> 3 : (word & 0x7fffu) << 13;
    const vec<float, W> scaled = reinterpret_cast<vec<float, W>>(magnitude) * 0x1p112f;
    auto bits = reinterpret_cast<vec<std::uint32_t, W>>(scaled);
    bits = magnitude >= 0x0f800000u ? (magnitude | 0x7f800000u) : bits;
    wide = reinterpret_cast<vec<float, W>>(bits | ((half ? word : word << 16) & 0x80000000u));
  }
  if constexpr (std::is_same_v<T, float>) return wide;
  else return __builtin_convertvector(wide, vec<T, W>);
}

/// An instruction set: the bytes of a vector, and the rows of the matrix product's register tile. With two vectors per
/// row the tile fills the registers without spilling: 12 x 2 of 32 registers, 6 x 2 of 16, and 4 x 2 of 16 without FMA,
/// where a product needs a temporary register.
struct baseline {
#if defined(__aarch64__)
  static constexpr int bytes = 16, tile_rows = 12; ///< AArch64
#else
  static constexpr int bytes = 16, tile_rows = 4; ///< others
#endif
};
/// AVX2 and FMA, on x86-64 only; see baseline.
struct avx2 {
  static constexpr int bytes = 32, tile_rows = 6; ///< see baseline
};
/// AVX-512 with F, BW, VL and DQ, on x86-64 only; see baseline.
struct avx512 {
  static constexpr int bytes = 64, tile_rows = 12; ///< see baseline
};

/// Elements of T in a vector.
template <class Isa, class T> inline constexpr int width = Isa::bytes / static_cast<int>(sizeof(T));
/// Vectors in a row of the register tile, and its elements: the columns of a packed panel.
inline constexpr int tile_vectors = 2;
/// Columns of a packed panel: the elements of a row of the register tile.
template <class Isa, class T> inline constexpr std::size_t panel_columns = tile_vectors* width<Isa, T>;

/// The instruction sets, in the order of what they need.
enum class isa { baseline, avx2, avx512 };
/// As LLMAP_ISA names it.
constexpr std::string_view name_of(isa set) {
  return set == isa::avx512 ? "avx512" : set == isa::avx2 ? "avx2" : "baseline";
}

/// The instruction set that `run` uses on this machine; it never changes during a process.
inline isa active_isa() {
  static const isa chosen = [] {
    isa best = isa::baseline;
// Clang compiles this for the device too, where nobody calls it.
#if defined(__x86_64__) && !defined(__CUDA_ARCH__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) best = isa::avx2;
    if (best == isa::avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
      best = isa::avx512;
#endif
    if (const char* wanted = std::getenv("LLMAP_ISA"))
      for (isa set : {isa::baseline, isa::avx2, isa::avx512})
        if (name_of(set) == wanted && set < best) best = set;
    return best;
  }();
  return chosen;
}

/// Whether the active instruction set comes with bf16 dot products (AVX512_BF16).
inline bool has_bf16_products() {
#if defined(__x86_64__)
  static const bool present = active_isa() == isa::avx512 && __builtin_cpu_supports("avx512bf16");
  return present;
#else
  return false;
#endif
}

namespace detail {
#if defined(__x86_64__)
template <class Kernel>
[[gnu::target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma"), gnu::flatten, gnu::noinline]] void
run_avx512(const Kernel& kernel) {
  kernel.template operator()<avx512>();
}
template <class Kernel> [[gnu::target("avx2,fma"), gnu::flatten, gnu::noinline]] void run_avx2(const Kernel& kernel) {
  kernel.template operator()<avx2>();
}
#endif
template <class Kernel> [[gnu::flatten, gnu::noinline]] void run_baseline(const Kernel& kernel) {
  kernel.template operator()<baseline>();
}
} // namespace detail

/// Runs the kernel, compiled for the instruction set of this machine.
template <class Kernel> void run(const Kernel& kernel) {
#if defined(__x86_64__)
  switch (active_isa()) {
  case isa::avx512:
    return detail::run_avx512(kernel);
  case isa::avx2:
    return detail::run_avx2(kernel);
  default:
    break;
  }
#endif
  detail::run_baseline(kernel);
}

/// Runs a kernel of bf16 products, which is compiled for no other instruction set: only where has_bf16_products().
template <class Kernel> void run_with_bf16_products([[maybe_unused]] const Kernel& kernel) {
#if defined(__x86_64__)
  detail::run_avx512(kernel);
#endif
}

/// Calls body.template operator()<Isa>() with the instruction set of this machine, for code that is not a kernel.
template <class Body> decltype(auto) with_active_isa(Body&& body) {
  switch (active_isa()) {
  case isa::avx512:
    return body.template operator()<avx512>();
  case isa::avx2:
    return body.template operator()<avx2>();
  default:
    return body.template operator()<baseline>();
  }
}

/// The rows of this machine's register tile, and the columns of a packed panel.
inline std::size_t tile_rows() {
  return with_active_isa([]<class Isa>() { return static_cast<std::size_t>(Isa::tile_rows); });
}
/// Columns of a packed panel on this machine.
template <class T> std::size_t panel_width() {
  return with_active_isa([]<class Isa>() { return panel_columns<Isa, T>; });
}

} // namespace llmap::simd
