// Products by NVIDIA's cuBLASLt: d (M, N) = or += x (M, K) w^T, w (N, K). The library is loaded when it is asked for:
// nothing is linked with it. For each (N, K, type) one algorithm is asked for once, for a slab of 2048 rows, without
// split-K, reductions or workspace, and every call has just that many rows: what a row gives cannot depend on how many
// rows there are. check_library.cuh tests on the device that it does not depend on the others either.
#pragma once
#include "llmap/core/cuda/executor.cuh"
#include "llmap/core/dtype.hpp"
#include <cstdint>
#include <cublasLt.h>
#include <dlfcn.h>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <tuple>

namespace llmap {

/// The functions of cuBLASLt that are used, by their names there.
struct cublas_lt_functions {
  decltype(&::cublasLtCreate) create;
  decltype(&::cublasLtDestroy) destroy;
  decltype(&::cublasLtGetVersion) version;
  decltype(&::cublasLtMatmul) matmul;
  decltype(&::cublasLtMatmulDescCreate) operation;
  decltype(&::cublasLtMatmulDescSetAttribute) set_operation;
  decltype(&::cublasLtMatmulDescDestroy) destroy_operation;
  decltype(&::cublasLtMatrixLayoutCreate) layout;
  decltype(&::cublasLtMatrixLayoutDestroy) destroy_layout;
  decltype(&::cublasLtMatmulPreferenceCreate) preference;
  decltype(&::cublasLtMatmulPreferenceSetAttribute) set_preference;
  decltype(&::cublasLtMatmulPreferenceDestroy) destroy_preference;
  decltype(&::cublasLtMatmulAlgoGetHeuristic) heuristic;
  decltype(&::cublasLtMatmulAlgoConfigGetAttribute) configuration;

  /// Fails if the file cannot be loaded or lacks one of them.
  explicit cublas_lt_functions(const std::string& file) {
    void* const library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL); // for the rest of the program
    if (!library) fail(::dlerror());
    const auto find = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, name));
      if (!function) fail(file, " has no ", name);
    };
    find(create, "cublasLtCreate"), find(destroy, "cublasLtDestroy"), find(version, "cublasLtGetVersion");
    find(matmul, "cublasLtMatmul"), find(operation, "cublasLtMatmulDescCreate");
    find(set_operation, "cublasLtMatmulDescSetAttribute"), find(destroy_operation, "cublasLtMatmulDescDestroy");
    find(layout, "cublasLtMatrixLayoutCreate"), find(destroy_layout, "cublasLtMatrixLayoutDestroy");
    find(preference, "cublasLtMatmulPreferenceCreate");
    find(set_preference, "cublasLtMatmulPreferenceSetAttribute");
    find(destroy_preference, "cublasLtMatmulPreferenceDestroy");
    find(heuristic, "cublasLtMatmulAlgoGetHeuristic");
    find(configuration, "cublasLtMatmulAlgoConfigGetAttribute");
  }
};

/// The library opened on one device, with the algorithms that it chose.
class cublas_lt {
public:
  static constexpr std::size_t slab_rows = 2048; ///< of every call

  /// Both factors in one type, the product in double for f64, in float else. Rows begin at multiples of 16 bytes.
  struct factors {
    dtype type;                           ///< bf16, f32 or f64
    const void* x;                        ///< (slab_rows, K) on the device
    const void* w;                        ///< (N, K) on the device
    std::size_t N, K, x_stride, w_stride; ///< in elements
  };

private:
  struct handle_deleter {
    decltype(&::cublasLtDestroy) destroy;
    void operator()(cublasLtHandle_t handle) const { destroy(handle); }
  };
  /// An operation and its three layouts.
  struct problem {
    std::shared_ptr<std::remove_pointer_t<cublasLtMatmulDesc_t>> operation;
    std::shared_ptr<std::remove_pointer_t<cublasLtMatrixLayout_t>> w, x, d;
    std::optional<cublasLtMatmulAlgo_t> algorithm; // none: there is none that may serve
  };
  using key = std::tuple<dtype, std::size_t, std::size_t, std::size_t, std::size_t, std::size_t>;

  cublas_lt_functions call_;
  std::unique_ptr<std::remove_pointer_t<cublasLtHandle_t>, handle_deleter> handle_;
  std::map<key, problem> problems_;
  std::mutex lock_; // of problems_

  static void check(cublasStatus_t status, const char* function) {
    if (status != CUBLAS_STATUS_SUCCESS) fail(function, " fails with status ", static_cast<int>(status));
  }
  auto make_layout(cudaDataType type, std::size_t rows, std::size_t cols, std::size_t stride) const {
    cublasLtMatrixLayout_t layout; // column by column: what is (cols, rows) row by row
    check(call_.layout(&layout, type, cols, rows, static_cast<std::int64_t>(stride)), "cublasLtMatrixLayoutCreate");
    return std::shared_ptr<std::remove_pointer_t<cublasLtMatrixLayout_t>>(layout, call_.destroy_layout);
  }

  problem make_problem(const factors& f, std::size_t d_stride) const {
    const bool wide = f.type == dtype::f64;
    const cudaDataType sums = wide ? CUDA_R_64F : CUDA_R_32F;
    const cudaDataType stored = wide ? CUDA_R_64F : f.type == dtype::f32 ? CUDA_R_32F : CUDA_R_16BF;
    problem made;
    cublasLtMatmulDesc_t operation;
    check(call_.operation(&operation, wide ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F, sums),
          "cublasLtMatmulDescCreate");
    made.operation = {operation, call_.destroy_operation};
    const cublasOperation_t turned = CUBLAS_OP_T;
    check(call_.set_operation(operation, CUBLASLT_MATMUL_DESC_TRANSA, &turned, sizeof turned),
          "cublasLtMatmulDescSetAttribute");
    made.w = make_layout(stored, f.N, f.K, f.w_stride);
    made.x = make_layout(stored, slab_rows, f.K, f.x_stride);
    made.d = make_layout(sums, slab_rows, f.N, d_stride);
    made.algorithm = find_algorithm(made);
    return made;
  }

  std::optional<cublasLtMatmulAlgo_t> find_algorithm(const problem& p) const {
    cublasLtMatmulPreference_t preference;
    check(call_.preference(&preference), "cublasLtMatmulPreferenceCreate");
    const std::shared_ptr<std::remove_pointer_t<cublasLtMatmulPreference_t>> kept(preference, call_.destroy_preference);
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t what, auto value) {
      check(call_.set_preference(preference, what, &value, sizeof value), "cublasLtMatmulPreferenceSetAttribute");
    };
    prefer(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, std::uint32_t{CUBLASLT_REDUCTION_SCHEME_NONE});
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{0});
    for (const auto operand : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                               CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
      prefer(operand, std::uint32_t{16});
    cublasLtMatmulHeuristicResult_t found[8] = {};
    int count = 0;
    const cublasStatus_t status =
        call_.heuristic(handle_.get(), p.operation.get(), p.w.get(), p.x.get(), p.d.get(), p.d.get(), preference,
                        static_cast<int>(std::size(found)), found, &count);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED) return {};
    check(status, "cublasLtMatmulAlgoGetHeuristic");
    for (int i = 0; i < count; ++i)
      if (found[i].state == CUBLAS_STATUS_SUCCESS && found[i].workspaceSize == 0 &&
          configured(found[i].algo, CUBLASLT_ALGO_CONFIG_SPLITK_NUM) <= 1 &&
          configured(found[i].algo, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME) == CUBLASLT_REDUCTION_SCHEME_NONE)
        return found[i].algo;
    return {};
  }
  template <class Number = std::int32_t>
  Number configured(const cublasLtMatmulAlgo_t& algorithm, cublasLtMatmulAlgoConfigAttributes_t what) const {
    Number value = 0;
    std::size_t written = 0;
    check(call_.configuration(&algorithm, what, &value, sizeof value, &written),
          "cublasLtMatmulAlgoConfigGetAttribute");
    return value;
  }
  const problem& problem_of(const factors& f, std::size_t d_stride) {
    const std::lock_guard hold(lock_);
    const key shape{f.type, f.N, f.K, f.x_stride, f.w_stride, d_stride};
    auto at = problems_.find(shape);
    if (at == problems_.end()) at = problems_.emplace(shape, make_problem(f, d_stride)).first;
    return at->second;
  }

public:
  /// Fails if the library cannot be loaded or used.
  explicit cublas_lt(const std::string& file) : call_(file) {
    cublasLtHandle_t handle = nullptr;
    check(call_.create(&handle), "cublasLtCreate");
    handle_ = {handle, handle_deleter{call_.destroy}};
  }
  /// Major, minor and patch, with dots between.
  std::string version() const {
    const std::size_t v = call_.version();
    return std::to_string(v / 10000) + "." + std::to_string(v / 100 % 100) + "." + std::to_string(v % 100);
  }

  /// The algorithm for factors of this type, shape and strides, in the library's numbers with dots between: id, tile,
  /// stages, order of blocks, custom option, inner shape, cluster. "none" if none serves; no pointer is looked at.
  std::string algorithm(const factors& f, std::size_t d_stride) {
    const problem& p = problem_of(f, d_stride);
    if (!p.algorithm) return "none";
    std::string numbers;
    for (const auto what : {CUBLASLT_ALGO_CONFIG_ID, CUBLASLT_ALGO_CONFIG_TILE_ID, CUBLASLT_ALGO_CONFIG_STAGES_ID,
                            CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING, CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION})
      numbers += std::to_string(configured(*p.algorithm, what)) + ".";
    return numbers + std::to_string(configured<std::uint16_t>(*p.algorithm, CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID)) +
           "." + std::to_string(configured<std::uint16_t>(*p.algorithm, CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID));
  }

  /// Whether d (slab_rows, N), rows d_stride apart, became x w^T, or the sum of both; otherwise nothing was done,
  /// because no algorithm serves this shape.
  bool multiply(const cuda_executor& exec, const factors& f, void* d, std::size_t d_stride, bool add) {
    const problem& p = problem_of(f, d_stride);
    if (!p.algorithm) return false;
    const auto run = [&](auto one, auto kept) {
      check(call_.matmul(handle_.get(), p.operation.get(), &one, f.w, p.w.get(), f.x, p.x.get(), &kept, d, p.d.get(), d,
                         p.d.get(), &*p.algorithm, nullptr, 0, exec.stream),
            "cublasLtMatmul");
    };
    if (f.type == dtype::f64) run(1.0, add ? 1.0 : 0.0);
    else run(1.f, add ? 1.f : 0.f);
    return true;
  }
};

} // namespace llmap
