#!/usr/bin/env bash
# llmap beside the best peer in five rows, measured in one run: writes benchmarks/results/peers-<cpu>.md, and .json with
# everything that the runs printed. Needs a machine that does nothing else; the peers come from PyPI into build/peers.
set -euo pipefail
cd "$(dirname "$0")/../.."
bash tests/setup.sh
runs=build/peers-page
rm -rf "$runs" && mkdir -p "$runs"
cmake --preset release -B build/bench -DLLMAP_BENCHMARKS=ON -DLLMAP_TESTS=OFF -DLLMAP_EXAMPLES=OFF >/dev/null
cmake --build build/bench >/dev/null
cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1 | sed 's/([A-Z]*)//g' | tr -cs 'A-Za-z0-9\n' '-' | sed 's/-*$//')
{
  echo "# llmap and its best peers: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) processors"
  echo
  echo "Made by \`bash benchmarks/peers/page.sh\` on $(date -u +%Y-%m-%d) at $(git describe --always --dirty). Peers run in the same hour on the same machine,"
  echo "with as many threads; each is asked in the way in which it is fastest. The probe: float multiply-adds in registers."
} >"$runs/title.txt"
bash benchmarks/peers/scoring.sh "$@" >"$runs/scoring.txt"
build/bench/benchmarks/bench_scoring >"$runs/speed.txt"
build/bench/benchmarks/bench_head --benchmark_filter='head<float>/256/576/49152/' --benchmark_repetitions=9 \
  --benchmark_report_aggregates_only=true --benchmark_format=json >"$runs/head.json" 2>/dev/null
build/peers/bin/python benchmarks/peers/head_peers.py 256 576 49152 >"$runs/head_peer.json"
bash benchmarks/peers/tokenizer.sh >"$runs/tokenizer.txt"
bash benchmarks/peers/map.sh 1018 10000 >"$runs/map.txt"
build/peers/bin/python benchmarks/peers/page.py "$runs" "benchmarks/results/peers-$cpu"
cat "benchmarks/results/peers-$cpu.md"
