// Products by cuBLASLt, on the interpreter by a stand-in for it: they are those of the own kernels in every pairing of
// types, the bits of a row do not depend on its place, and a library that is missing or wrong is not used.
#include "cuda/support/device_matrix.hpp"
#include "llmap/forward/cuda/check_library.cuh"
#include "llmap/forward/cuda/product_facts.cuh"
#include "support/golden.hpp"

using namespace llmap;
using namespace cuda_test;

namespace {

#ifdef LLMAP_EMULATED
const std::string file = LLMAP_CUBLAS_LT;
std::uint64_t counted(const char* name) {
  void* const library = ::dlopen(file.c_str(), RTLD_NOW);
  return reinterpret_cast<std::uint64_t (*)()>(::dlsym(library, name))();
}
std::uint64_t products_made() { return counted("stand_in_products"); }
std::uint64_t algorithms_chosen() { return counted("stand_in_choices"); }
#else
const std::string file = "libcublasLt.so." + std::to_string(CUDART_VERSION / 1000);
#endif
constexpr gpu::library_check few{24, 40};

cuda_executor opened() {
  std::string trouble;
  const cuda_executor exec = with_library({}, trouble, file, few);
  EXPECT_EQ(trouble, "");
  return exec;
}

template <class X, class W, compute_type Compute = compute_type::working> struct pairing {
  using T = X;
  using Stored = W;
  static constexpr compute_type compute = Compute;
};
template <class P> class cuda_library : public testing::Test {};
using pairings = testing::Types<pairing<float, float>, pairing<float, bf16>, pairing<float, bf16, compute_type::bf16>,
                                pairing<double, double>>;
TYPED_TEST_SUITE(cuda_library, pairings);

template <class P> struct problem {
  using T = typename P::T;
  using Stored = typename P::Stored;
  std::size_t M, N, K;
  std::vector<double> x, before;
  cuda_matrix<T> w;

  problem(std::size_t M, std::size_t N, std::size_t K)
      : M(M), N(N), K(K), x(normals<T>(1, M * K)), before(normals<T>(2, M * N)) {
    const cuda_executor exec;
    w.type = dtype_of<Stored>, w.compute = P::compute, w.rows = N, w.cols = K,
    w.stride = gpu::aligned_stride<Stored>(K);
    std::vector<Stored> numbers(N * w.stride, detail::convert_element<Stored>(0.f));
    const auto weights = normals<float>(3, N * K);
    for (std::size_t i = 0; i < N * K; ++i)
      numbers[i / K * w.stride + i % K] = detail::convert_element<Stored>(static_cast<float>(weights[i]));
    w.bytes = cuda_buffer<std::byte>(exec, std::as_bytes(std::span<const Stored>(numbers)));
    w.bias = cuda_buffer<T>(exec, std::span<const T>(in<T>(normals<T>(4, N))));
  }
  std::vector<double> run(const cuda_executor& exec, store_mode mode) const {
    const device_matrix<T> rows(exec, M, K, x), y(exec, M, N, before);
    cuda_scratch<T> scratch;
    linear<T>(exec, rows, w, y.view(), mode, scratch);
    return y.numbers(exec);
  }
};

} // namespace

TYPED_TEST(cuda_library, like_the_own_kernels) {
  using T = typename TypeParam::T;
  const cuda_executor with = opened(), own;
  for (const auto& [M, N, K] : {std::array<std::size_t, 3>{1, 1, 1}, {7, 33, 20}, {70, 12, 41}})
    for (const store_mode mode : {store_mode::overwrite, store_mode::add}) {
      const problem<TypeParam> p(M, N, K);
      const auto want = p.run(own, mode);
      expect_near(
          p.run(with, mode), want,
          [&](std::size_t i) { return (static_cast<double>(K) + 8) * eps<T> * (std::abs(want[i]) + 20); }, "products");
    }
  EXPECT_TRUE((problem<TypeParam>(0, 5, 8).run(with, store_mode::overwrite).empty()));
}
TYPED_TEST(cuda_library, bits_do_not_depend_on_where_a_row_lies) {
  const cuda_executor with = opened();
  problem<TypeParam> p(cublas_lt::slab_rows + 3, 5, 9);
  const auto whole = p.run(with, store_mode::overwrite);
  for (const std::size_t r : {std::size_t{0}, std::size_t{1023}, cublas_lt::slab_rows - 1, cublas_lt::slab_rows + 2}) {
    problem<TypeParam> one(1, 5, 9);
    std::copy_n(p.x.begin() + static_cast<std::ptrdiff_t>(r * 9), 9, one.x.begin());
    const auto got = one.run(with, store_mode::overwrite);
    for (std::size_t n = 0; n < 5; ++n) EXPECT_EQ(got[n], whole[r * 5 + n]) << r;
  }
}

TEST(cuda_library, what_it_is_is_said) {
  const cuda_executor with = opened();
  EXPECT_EQ(product_facts(with),
            "products by cuBLASLt " + with.library->version() + ", the first algorithm for 2048 rows without split-K");
  EXPECT_EQ(product_facts({}), "own products");
}
TEST(cuda_library, one_that_is_missing_is_not_used) {
  std::string trouble;
  EXPECT_EQ(with_library({}, trouble, "libnone.so.1", few).library, nullptr);
  EXPECT_NE(trouble.find("libnone.so.1: cannot open"), std::string::npos) << trouble;
  EXPECT_EQ(with_library({}, trouble, "libm.so.6", few).library, nullptr);
  EXPECT_EQ(trouble, "libm.so.6 has no cublasLtCreate");
}

namespace {
/// A model of these products, (N, K) each.
decoder_plan plan_with(const std::vector<std::pair<std::int64_t, std::int64_t>>& shapes) {
  decoder_plan plan;
  for (const auto& [N, K] : shapes) {
    mlp_plan mlp;
    mlp.out = {.cols = K, .parts = {{.weight = "w", .rows = N}}};
    layer_plan layer;
    layer.branches.push_back({.mixer = mlp});
    plan.layers.push_back(layer);
  }
  return plan;
}
} // namespace

TEST(cuda_library, the_algorithm_of_each_product_is_said) {
  const cuda_executor with = opened();
  const decoder_plan plan = plan_with({{64, 20}, {13, 8}, {64, 20}, {24, 40}});
  const std::string floats = product_algorithms<float>(with, plan), doubles = product_algorithms<double>(with, plan);
#ifdef LLMAP_EMULATED
  EXPECT_EQ(floats, "BF16 13x8 none, BF16 24x40 0.15.11.0.0.0.0, BF16 64x20 0.20.11.0.0.0.0, F32 13x8 none, F32 24x40 "
                    "0.15.11.0.0.0.0, F32 64x20 0.20.11.0.0.0.0");
#endif
  EXPECT_EQ(doubles.substr(0, 9), "F64 13x8 ");
  EXPECT_EQ(std::count(doubles.begin(), doubles.end(), ','), 2);
  EXPECT_EQ(product_algorithms<float>(with, plan), floats) << "asked again";
  EXPECT_EQ(product_algorithms<float>({}, plan), "");
}

#ifdef LLMAP_EMULATED
TYPED_TEST(cuda_library, the_algorithm_said_is_that_of_the_product) {
  using T = typename TypeParam::T;
  const cuda_executor with = opened();
  problem<TypeParam>(3, 33, 41).run(with, store_mode::overwrite);
  const std::uint64_t before = algorithms_chosen();
  product_algorithms<T>(with, plan_with({{33, 41}}));
  constexpr std::uint64_t of_the_other_type = std::is_same_v<T, float>;
  EXPECT_EQ(algorithms_chosen() - before, of_the_other_type);
}
TEST(cuda_library, it_makes_the_products_that_it_can) {
  using mixed = pairing<float, f16>;
  const cuda_executor with = opened(), own;
  const auto made_by = [&](const auto& p) {
    const std::uint64_t before = products_made();
    const auto got = p.run(with, store_mode::overwrite);
    if (products_made() == before) EXPECT_EQ(got, p.run(own, store_mode::overwrite));
    return products_made() - before;
  };
  EXPECT_EQ(made_by(problem<pairing<float, bf16>>(3, 8, 8)), 3u);
  EXPECT_EQ(made_by(problem<pairing<float, bf16, compute_type::bf16>>(3, 8, 8)), 1u);
  EXPECT_EQ(made_by(problem<pairing<double, double>>(3, 8, 8)), 1u);
  EXPECT_EQ(made_by(problem<pairing<float, float>>(3, 13, 8)), 0u) << "every algorithm splits K";
  EXPECT_EQ(made_by(problem<mixed>(3, 8, 8)), 0u) << "two types";
}
TEST(cuda_library, one_that_is_wrong_is_not_used) {
  const auto trouble_of = [](int fault) {
    std::string trouble;
    EXPECT_EQ(with_library({}, trouble, LLMAP_CUBLAS_LT_FAULT + std::to_string(fault) + ".so", few).library, nullptr);
    return trouble;
  };
  EXPECT_EQ(trouble_of(1), "products of float and bf16: row 1024 of a slab has other bits than the same row at 0");
  EXPECT_NE(trouble_of(2).find("products of float are not those of the own kernel: expected "), std::string::npos)
      << trouble_of(2);
  EXPECT_EQ(trouble_of(3), "cublasLtCreate fails with status 1");
}
#endif
