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
// Numbers: a + b, a * b are the IEEE operations; `c += a * b` is contracted to a fused multiply-add where the
// instruction set has one (avx2, avx512), so results differ in the last bits between instruction sets.
#pragma once
#include "llmap/core/dtype.hpp"
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#define LLMAP_INLINE [[gnu::always_inline]] inline

namespace llmap::simd {

template <class T, int W> struct vec_of {
  typedef T aligned __attribute__((vector_size(W * sizeof(T))));
  typedef T unaligned __attribute__((vector_size(W * sizeof(T)), aligned(sizeof(T)), may_alias));
};
/// W elements of T in a register.
template <class T, int W> using vec = typename vec_of<T, W>::aligned;

template <class T, int W> LLMAP_INLINE vec<T, W> load(const T* p) {
  return *reinterpret_cast<const typename vec_of<T, W>::unaligned*>(p);
}
template <class T, int W> LLMAP_INLINE void store(T* p, vec<T, W> v) {
  *reinterpret_cast<typename vec_of<T, W>::unaligned*>(p) = v;
}
/// x in every lane (-0 becomes +0). In the inner loop of a kernel write scalar * vector instead: GCC 12 lowers a
/// broadcast that is a function of its own before it knows the instruction set.
template <class T, int W> LLMAP_INLINE vec<T, W> broadcast(T x) { return vec<T, W>{} + x; }

/// The first n <= W elements at p, the rest `fill`.
template <class T, int W> LLMAP_INLINE vec<T, W> load_partial(const T* p, std::size_t n, T fill = T(0)) {
  vec<T, W> v = broadcast<T, W>(fill);
  for (std::size_t i = 0; i < n; ++i) v[i] = p[i];
  return v;
}
template <class T, int W> LLMAP_INLINE void store_partial(T* p, std::size_t n, vec<T, W> v) {
  for (std::size_t i = 0; i < n; ++i) p[i] = v[i];
}

/// Sum and maximum of the lanes, by halves: the order is a function of W alone.
template <class T, int W> LLMAP_INLINE T sum(vec<T, W> v) {
  T lanes[W];
  store<T, W>(lanes, v);
  for (int half = W / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  return lanes[0];
}
template <class T, int W> LLMAP_INLINE vec<T, W> maximum(vec<T, W> a, vec<T, W> b) { return a > b ? a : b; }
template <class T, int W> LLMAP_INLINE T maximum(vec<T, W> v) {
  T lanes[W];
  store<T, W>(lanes, v);
  for (int half = W / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) lanes[i] = lanes[i] > lanes[i + half] ? lanes[i] : lanes[i + half];
  return lanes[0];
}

/// W stored elements widened to T. Exact.
template <class T, int W, class Stored> LLMAP_INLINE vec<T, W> widen(const Stored* p) {
  if constexpr (std::is_same_v<Stored, T>) {
    return load<T, W>(p);
  } else if constexpr (std::is_same_v<Stored, bf16> || std::is_same_v<Stored, f16>) {
    const auto narrow = load<std::uint16_t, W>(reinterpret_cast<const std::uint16_t*>(p));
    const auto u = __builtin_convertvector(narrow, vec<std::uint32_t, W>);
    vec<float, W> wide;
    if constexpr (std::is_same_v<Stored, bf16>) {
      wide = reinterpret_cast<vec<float, W>>(u << 16);
    } else { // see f16::operator float
      const vec<std::uint32_t, W> magnitude = (u & 0x7fffu) << 13;
      const vec<float, W> scaled = reinterpret_cast<vec<float, W>>(magnitude) * 0x1p112f;
      auto bits = reinterpret_cast<vec<std::uint32_t, W>>(scaled);
      bits = magnitude >= 0x0f800000u ? (magnitude | 0x7f800000u) : bits;
      wide = reinterpret_cast<vec<float, W>>(bits | ((u & 0x8000u) << 16));
    }
    if constexpr (std::is_same_v<T, float>) return wide;
    else return __builtin_convertvector(wide, vec<T, W>);
  } else {
    return __builtin_convertvector((load<Stored, W>(p)), vec<T, W>);
  }
}

// An instruction set: bytes a vector, and the register tile of the matrix product (rows x vectors) that fills
// its registers without spilling: 6 x 4 of 32, 6 x 2 of 16, 3 x 2 of 16 without fused multiply-add.
struct baseline { static constexpr int bytes = 16, tile_rows = 3, tile_vectors = 2; };
struct avx2 { static constexpr int bytes = 32, tile_rows = 6, tile_vectors = 2; };
struct avx512 { static constexpr int bytes = 64, tile_rows = 6, tile_vectors = 4; };

template <class Isa, class T> inline constexpr int width = Isa::bytes / static_cast<int>(sizeof(T));

enum class isa { baseline, avx2, avx512 };
constexpr std::string_view name_of(isa set) {
  return set == isa::avx512 ? "avx512" : set == isa::avx2 ? "avx2" : "baseline";
}

/// The instruction set that `run` uses on this machine; the same for the whole life of the process.
inline isa active_isa() {
  static const isa chosen = [] {
    isa best = isa::baseline;
#if defined(__x86_64__)
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

namespace detail {
#if defined(__x86_64__)
template <class Kernel>
[[gnu::target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma"), gnu::flatten, gnu::noinline]] void
run_avx512(const Kernel& kernel) {
  kernel.template operator()<avx512>();
}
template <class Kernel>
[[gnu::target("avx2,fma"), gnu::flatten, gnu::noinline]] void run_avx2(const Kernel& kernel) {
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
  case isa::avx512: return detail::run_avx512(kernel);
  case isa::avx2: return detail::run_avx2(kernel);
  default: break;
  }
#endif
  detail::run_baseline(kernel);
}

/// Elements a packed panel is wide on this machine: the columns of one register tile.
template <class T> std::size_t panel_width() {
  switch (active_isa()) {
  case isa::avx512: return avx512::tile_vectors * width<avx512, T>;
  case isa::avx2: return avx2::tile_vectors * width<avx2, T>;
  default: return baseline::tile_vectors * width<baseline, T>;
  }
}

} // namespace llmap::simd
