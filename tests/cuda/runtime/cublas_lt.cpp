// A stand-in for cuBLASLt: the functions that llmap loads, over the stand-in runtime's memory, products in double and
// rounded once. As a module it is what dlopen finds. FAULT makes it wrong in ways a library might be: 1, sums whose
// order depends on the place of the row, as with stream-K; 2, factors cut to tf32; 3, no handle.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <cublasLt.h>
#include <vector>

#ifndef FAULT
#define FAULT 0
#endif

namespace {

struct layout {
  cudaDataType type;
  std::uint64_t rows, cols;
  std::int64_t stride;
};
struct operation {
  cublasComputeType_t compute;
  cublasOperation_t first = CUBLAS_OP_N;
};
struct preference {
  std::uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_MASK;
  std::uint64_t workspace = ~std::uint64_t{0};
};
template <class T, class Handle> T& as(Handle handle) { return *reinterpret_cast<T*>(handle); }

std::size_t bytes_of(cudaDataType type) { return type == CUDA_R_64F ? 8 : type == CUDA_R_32F ? 4 : 2; }

/// What a layout covers, copied from the device, as doubles (column by column).
std::vector<double> numbers(const void* from, const layout& l, bool factor) {
  const std::size_t count = (l.cols - 1) * static_cast<std::size_t>(l.stride) + l.rows, size = bytes_of(l.type);
  std::vector<unsigned char> raw(count * size);
  if (cudaMemcpy(raw.data(), from, raw.size(), cudaMemcpyDeviceToHost) != cudaSuccess) raw.assign(raw.size(), 0xff);
  std::vector<double> wide(count);
  for (std::size_t i = 0; i < count; ++i)
    if (l.type == CUDA_R_64F) {
      std::memcpy(&wide[i], &raw[i * 8], 8);
    } else {
      std::uint32_t bits = 0;
      std::memcpy(reinterpret_cast<unsigned char*>(&bits) + 4 - size, &raw[i * size], size); // bf16: the upper half
      if (FAULT == 2 && factor && size == 4) bits &= 0xffffe000u;
      float narrow;
      std::memcpy(&narrow, &bits, 4);
      wide[i] = narrow;
    }
  return wide;
}

std::uint64_t calls, choices;

} // namespace

extern "C" {

std::uint64_t stand_in_products() { return calls; }
std::uint64_t stand_in_choices() { return choices; }

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  if (FAULT == 3) return CUBLAS_STATUS_NOT_INITIALIZED;
  *handle = reinterpret_cast<cublasLtHandle_t>(new int);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  delete reinterpret_cast<int*>(handle);
  return CUBLAS_STATUS_SUCCESS;
}
std::size_t cublasLtGetVersion() { return 130203; }

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* made, cublasComputeType_t compute, cudaDataType_t) {
  *made = reinterpret_cast<cublasLtMatmulDesc_t>(new operation{compute});
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t of, cublasLtMatmulDescAttributes_t what,
                                              const void* value, std::size_t) {
  if (what != CUBLASLT_MATMUL_DESC_TRANSA) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&as<operation>(of).first, value, sizeof(cublasOperation_t));
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t of) {
  delete &as<operation>(of);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* made, cudaDataType type, std::uint64_t rows,
                                          std::uint64_t cols, std::int64_t stride) {
  if (stride < static_cast<std::int64_t>(rows)) return CUBLAS_STATUS_INVALID_VALUE;
  *made = reinterpret_cast<cublasLtMatrixLayout_t>(new layout{type, rows, cols, stride});
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t of) {
  delete &as<layout>(of);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* made) {
  *made = reinterpret_cast<cublasLtMatmulPreference_t>(new preference);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t of,
                                                    cublasLtMatmulPreferenceAttributes_t what, const void* value,
                                                    std::size_t bytes) {
  if (what == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK) std::memcpy(&as<preference>(of).reductions, value, bytes);
  if (what == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) std::memcpy(&as<preference>(of).workspace, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t of) {
  delete &as<preference>(of);
  return CUBLAS_STATUS_SUCCESS;
}

/// The first algorithm splits K, whatever was asked for; for products 13 wide there is no other.
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t,
                                              cublasLtMatrixLayout_t x, cublasLtMatrixLayout_t,
                                              cublasLtMatrixLayout_t d, cublasLtMatmulPreference_t how, int most,
                                              cublasLtMatmulHeuristicResult_t* found, int* count) {
  ++choices;
  const preference& asked = as<preference>(how);
  if (asked.reductions != CUBLASLT_REDUCTION_SCHEME_NONE || asked.workspace != 0 || as<layout>(x).cols != 2048)
    return CUBLAS_STATUS_INVALID_VALUE;
  *count = std::min(most, as<layout>(d).rows == 13 ? 1 : 2);
  for (int i = 0; i < *count; ++i) {
    found[i] = {};
    found[i].state = CUBLAS_STATUS_SUCCESS;
    found[i].algo.data[0] = i == 0 ? 4 : 1;                    // parts of K
    found[i].algo.data[1] = as<layout>(d).rows < 64 ? 15 : 20; // the tile
  }
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t* algorithm,
                                                    cublasLtMatmulAlgoConfigAttributes_t what, void* value,
                                                    std::size_t bytes, std::size_t* written) {
  const bool small = what == CUBLASLT_ALGO_CONFIG_INNER_SHAPE_ID || what == CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID;
  if (bytes != (small ? 2 : 4)) return CUBLAS_STATUS_INVALID_VALUE;
  const std::int32_t number = what == CUBLASLT_ALGO_CONFIG_SPLITK_NUM  ? static_cast<std::int32_t>(algorithm->data[0])
                              : what == CUBLASLT_ALGO_CONFIG_TILE_ID   ? static_cast<std::int32_t>(algorithm->data[1])
                              : what == CUBLASLT_ALGO_CONFIG_STAGES_ID ? 11
                                                                       : 0;
  std::memcpy(value, &number, bytes); // the machine is little-endian
  *written = bytes;
  return CUBLAS_STATUS_SUCCESS;
}

/// d = alpha op(a) b + beta c, column by column.
cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t how, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                              const void* beta, const void* c, cublasLtMatrixLayout_t, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algorithm, void*,
                              std::size_t, cudaStream_t) {
  const layout &la = as<layout>(a_layout), &lb = as<layout>(b_layout), &ld = as<layout>(d_layout);
  if (as<operation>(how).first != CUBLAS_OP_T || la.rows != lb.rows || la.cols != ld.rows || lb.cols != ld.cols ||
      algorithm->data[0] != 1)
    return CUBLAS_STATUS_INVALID_VALUE;
  ++calls;
  const bool wide = ld.type == CUDA_R_64F;
  const auto factor = [&](const void* p) {
    return wide ? *static_cast<const double*>(p) : static_cast<double>(*static_cast<const float*>(p));
  };
  const std::vector<double> w = numbers(a, la, true), x = numbers(b, lb, true);
  const double kept = factor(beta);
  std::vector<double> sums(static_cast<std::size_t>(ld.stride) * ld.cols, 0.0);
  if (kept != 0) {
    const std::vector<double> before = numbers(c, ld, false);
    std::copy(before.begin(), before.end(), sums.begin());
  }
  for (std::size_t r = 0; r < ld.cols; ++r)
    for (std::size_t n = 0; n < ld.rows; ++n) {
      double sum = 0;
      const double *row = &x[r * static_cast<std::size_t>(lb.stride)],
                   *column = &w[n * static_cast<std::size_t>(la.stride)];
      const bool backward = FAULT == 1 && r >= 1024;
      for (std::size_t k = 0; k < la.rows; ++k) {
        const std::size_t at = backward ? la.rows - 1 - k : k;
        sum += row[at] * column[at];
        if (FAULT == 1 && !wide) sum = static_cast<float>(sum); // so that the order shows
      }
      double& to = sums[r * static_cast<std::size_t>(ld.stride) + n];
      to = factor(alpha) * sum + kept * to;
    }
  std::vector<float> narrow(sums.begin(), sums.end());
  for (std::size_t r = 0; r < ld.cols; ++r) { // not what lies between the rows
    const std::size_t at = r * static_cast<std::size_t>(ld.stride);
    const cudaError_t copied =
        wide ? cudaMemcpy(static_cast<double*>(d) + at, &sums[at], ld.rows * 8, cudaMemcpyHostToDevice)
             : cudaMemcpy(static_cast<float*>(d) + at, &narrow[at], ld.rows * 4, cudaMemcpyHostToDevice);
    if (copied != cudaSuccess) return CUBLAS_STATUS_EXECUTION_FAILED;
  }
  return CUBLAS_STATUS_SUCCESS;
}

} // extern "C"
