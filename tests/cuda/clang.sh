#!/usr/bin/env bash
# The tests of kernels with the PTX of a second compiler: Clang 19 or later compiles them, device code and host code, and the
# interpreter runs them. Left out are those of cuBLASLt, and what tests count: nvcc is whose loops they count.
#   bash tests/cuda/clang.sh [CLANG++]     needs build/release (bash tests/run.sh), built with nvcc
set -euo pipefail
cd "$(dirname "$0")/../.."
clang=${1:-clang++-19} cuda=${CUDA_PATH:-/usr/local/cuda} out=build/clang_cuda
command -v "$clang" >/dev/null || { echo "$clang: not found; Debian has it as the package clang-19" >&2; exit 1; }
mkdir -p $out/missing
: >$out/missing/texture_fetch_functions.h # that CUDA 13 no longer has; Clang's wrapper includes it
options=(-x cuda --cuda-path="$cuda" --cuda-gpu-arch=sm_80 -std=c++20 -O2 -DLLMAP_EMULATED "-DLLMAP_SOURCE_DIR=\"$PWD\"" -Iinclude -Itests
  -isystem $out/missing -isystem "$cuda/include/cccl" -Wno-pass-failed -Wno-unknown-cuda-version)
libraries=(build/release/tests/libcuda_stand_in.a build/release/libllmap_kernels.a build/release/tests/libptx_interpreter.a
  -lgtest -lpcre2-8 -lutf8proc -lz -lzstd -lpthread -ldl)
failed=0
for name in core cross_entropy linear_cross_entropy rows linear attention scans geometry cub golden_models; do
  test=$out/$name source=tests/cuda/${name}_test.cu
  "$clang" "${options[@]}" --cuda-device-only -S "$source" -o "$test.ptx"
  "$cuda/bin/fatbinary" --64 --create="$test.fatbin" --image3=kind=ptx,sm=80,file="$test.ptx" --compress=false
  "$clang" "${options[@]}" --cuda-host-only -Xclang -fcuda-include-gpubinary -Xclang "$test.fatbin" -c "$source" -o "$test.o"
  g++ "$test.o" -o "$test" "${libraries[@]}"
  if LLMAP_ORDER=shuffled "$test" --gtest_filter='-*counted*' >"$test.log" 2>&1; then
    echo "$name: $(grep -o '[0-9]* tests\? from .* ran' "$test.log")"
  else
    echo "$name: failed, see $test.log" && failed=1
  fi
done
exit $failed
