#!/usr/bin/env bash
# Builds the benchmarks, runs them, and writes benchmarks/results/<cpu>.md. Run it on a machine that does nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."
bash tests/setup.sh
cmake --preset release -B build/bench -DLLMAP_BENCHMARKS=ON -DLLMAP_TESTS=OFF -DLLMAP_EXAMPLES=OFF >/dev/null
cmake --build build/bench
cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1 | sed 's/([A-Z]*)//g' | tr -cs 'A-Za-z0-9\n' '-' | sed 's/-*$//')
isa=$(grep -qw avx512bw /proc/cpuinfo && echo avx512 || { grep -qw avx2 /proc/cpuinfo && echo avx2 || echo baseline; })
out=benchmarks/results/$cpu-$isa.md
{
  echo "# $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) threads, $isa"
  echo
  echo "Made by \`bash benchmarks/run.sh\` on $(date -u +%Y-%m-%d) at $(git describe --always --dirty), with $(g++ --version | head -1), release preset. A share is of the float multiply-adds that a"
  echo "probe reaches in registers in the same run. Microbenchmarks: median of 5 repetitions, with the coefficient of variation."
  echo
  echo "## Forward pass and head"
  echo
  echo '```'
  build/bench/benchmarks/bench_scoring
  echo '```'
  echo
  echo "## The command \`llmap score\`"
  echo
  echo '```'
  bash benchmarks/score.sh
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
    build/bench/benchmarks/bench_$name --benchmark_repetitions=5 --benchmark_report_aggregates_only=true --benchmark_min_time=0.02 2>/dev/null | awk '
        { gsub(/, /, ","); gsub(/\/(manual_time|real_time)/, "", $1); extra = "" }
        $1 ~ /_median$/ { name = substr($1, 1, length($1) - 7); time = $2; unit = $3
          for (i = 7; i <= NF; ++i) { split($i, counter, "=")
            if (counter[1] == "GFLOP/s") extra = extra sprintf("  %7.1f GFLOP/s", counter[2] * (counter[2] ~ /k/ ? 1000 : 1))
            if (counter[1] == "share") extra = extra sprintf("  %5.1f %% of the probe", 100 * counter[2])
            if (counter[1] == "bytes_per_second") { sub(/[kMG]?\/s$/, " &", counter[2]); sub(/\/s$/, "B/s", counter[2]); extra = extra "  " counter[2] } }
          line = extra }
        $1 ~ /_cv$/ { printf "%-44s %11s %s +- %5s %%%s\n", name, time, unit, $2, line }'
    echo '```'
  done
  echo
  echo "## Seconds to compile a program that scores a folder of models and draws their map (examples/08, \`g++ -std=c++20 -O2\`)"
  echo
  echo '```'
  for kernels in "" -DLLMAP_KERNELS; do
    start=$(date +%s%N)
    # shellcheck disable=SC2046,SC2086
    g++ -std=c++20 -O2 -Iinclude -DLLMAP_ZOO='"examples/zoo"' $kernels $(pkg-config --cflags libpcre2-8 libutf8proc zlib libzstd) \
      -c examples/08_models_to_map.cpp -o /dev/null
    [ -n "$kernels" ] && what=llmap::kernels || what=header-only
    echo "$what $(($(date +%s%N) - start))" | awk '{ printf "%-16s %6.1f\n", $1, $2 * 1e-9 }'
  done
  echo '```'
  echo
  echo "## Seconds to compile each public header alone (\`g++ -std=c++20 -O0 -fsyntax-only\`)"
  echo
  echo '```'
  for header in $(cd include && find llmap -name '*.hpp' ! -path '*/detail/*' | sort); do
    start=$(date +%s%N)
    g++ -std=c++20 -O0 -fsyntax-only -Iinclude -x c++ "include/$header"
    echo "$header $(($(date +%s%N) - start))"
  done | awk '{ printf "%-48s %5.2f\n", $1, $2 * 1e-9 }'
  echo '```'
} >"$out.part"
mv "$out.part" "$out"
echo "$out"
