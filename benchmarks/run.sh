#!/usr/bin/env bash
# Builds the benchmarks, runs them, and writes benchmarks/results/<cpu>.md. Run it on a machine that does nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."
bash tests/setup.sh
cmake --preset release -B build/bench -DLLMAP_BENCHMARKS=ON -DLLMAP_TESTS=OFF -DLLMAP_EXAMPLES=OFF >/dev/null
cmake --build build/bench
cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1 | tr -c 'A-Za-z0-9\n' '-' | sed 's/-*$//')
isa=$(grep -qw avx512bw /proc/cpuinfo && echo avx512 || { grep -qw avx2 /proc/cpuinfo && echo avx2 || echo baseline; })
out=benchmarks/results/$cpu-$isa.md
{
  echo "# $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) threads, $isa"
  echo
  echo "Made by \`bash benchmarks/run.sh\` with $(g++ --version | head -1), release preset. A share is of the float multiply-adds that a"
  echo "probe reaches in registers in the same run. Microbenchmarks: median of 5 repetitions, with the coefficient of variation."
  echo
  echo "## Forward pass and head, SmolLM2-135M's shape, one text at a time"
  echo
  echo '```'
  build/bench/benchmarks/bench_scoring
  echo '```'
  echo
  echo "## Tokenizing, one thread, texts of 1 KB"
  echo
  echo '```'
  build/bench/benchmarks/bench_text
  echo '```'
  for name in linear head; do
    echo
    echo "## From plain loops to the library: $name"
    echo
    echo '```'
    build/bench/benchmarks/ladder_$name
    echo '```'
  done
  for name in head linear attention weights map; do
    echo
    echo "## $name"
    echo
    echo '```'
    build/bench/benchmarks/bench_$name --benchmark_repetitions=5 --benchmark_report_aggregates_only=true --benchmark_min_time=0.05 \
      2>/dev/null | grep -E '_(median|cv) |^Benchmark' | sed 's/_real_time\|\/real_time//; s/ iterations=5//'
    echo '```'
  done
} >"$out.part"
mv "$out.part" "$out"
echo "$out"
