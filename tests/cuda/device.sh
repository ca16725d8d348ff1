#!/usr/bin/env bash
# For a machine with a CUDA device: builds, runs every gpu_* test and the benchmarks of kernels, and writes
# benchmarks/results/<device>.md. Nothing else should run there. The page is written whatever fails; the exit code says.
set -uo pipefail
cd "$(dirname "$0")/../.."
command -v nvidia-smi >/dev/null || { echo "device.sh: no nvidia-smi: no device on this machine" >&2; exit 1; }
build=${BUILD:-build/device}
cmake --preset release -B "$build" -DLLMAP_BENCHMARKS=ON >/dev/null || exit 1
tests=$(ctest --test-dir "$build" -N -R '^gpu_' | sed -n 's/.*: \(gpu_.*\)/\1/p')
cmake --build "$build" --target $tests ladder_head_cuda bench_cuda llmap_tool llmap_cuda_module || exit 1
query() { nvidia-smi --query-gpu="$1" --format=csv,noheader -i 0; }
name=$(query name)
out=benchmarks/results/$(tr -c 'A-Za-z0-9\n' '-' <<<"$name" | sed 's/-*$//').md
failed=0
block() { # block COMMAND...: what it prints, and that it failed
  echo '```'
  "$@" 2>&1 || { echo "FAILED with $?: $*"; failed=1; }
  echo '```'
  echo
}
{
  echo "# $name"
  echo
  echo "Made by \`bash tests/cuda/device.sh\`: driver $(query driver_version), $("$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)" --version | tail -1)."
  echo
  echo "Clocks, power and temperature before: $(query clocks.sm,clocks.mem,power.draw,temperature.gpu)."
  echo
  echo "## Tests"
  echo
  block ctest --test-dir "$build" -R '^gpu_' --output-on-failure --timeout 600
  # Products by cuBLASLt first: what the others are compared with.
  for group in "Products (rows, N, K)=^linear" "The head (rows, width, vocabulary)=^head|^cross_entropy" \
    "Attention (heads, their keys, width, texts)=^attention" "What memory gives, and ops that only move (rows, columns)=^upload|^copy|^add_scaled|^rms_norm|^swiglu|^rope"; do
    echo "## ${group%%=*}"
    echo
    block "$build/benchmarks/bench_cuda" --benchmark_filter="${group#*=}" --benchmark_min_time=0.5
  done
  echo "## The head, step by step (rows, width, vocabulary)"
  echo
  for shape in "8192 576 49152" "8192 2048 128256" "8192 4096 128256"; do
    echo "$shape:"
    echo
    block "$build/benchmarks/ladder_head_cuda" $shape
  done
  echo "## The command \`llmap score\`"
  echo
  store=$(mktemp -d)
  block "$build/examples/llmap" score examples/zoo/models --texts examples/zoo/texts.jsonl --on-overlong truncate \
    --store "$store/cuda.sqlite" --device cuda
  rm -rf "$store"
  echo "Clocks, power and temperature after: $(query clocks.sm,clocks.mem,power.draw,temperature.gpu)."
} >"$out"
echo "$out"
exit $failed
