#!/usr/bin/env bash
# Seconds that `llmap score` takes for the zoo, and `llmap map` for 1,018 models and 2,000 texts, alone and beside two busy
# processes, in turns. Another tool may be given to run in the same turns: bash benchmarks/company.sh [ROUNDS [OTHER_LLMAP]]
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-3} other=${2:-}
bash tests/setup.sh
cmake --preset release -B build/bench -DLLMAP_BENCHMARKS=ON -DLLMAP_TESTS=OFF >/dev/null
cmake --build build/bench --target llmap_tool write_random_scores >/dev/null
llmap=build/bench/examples/llmap
scratch=$(mktemp -d)
busy=()
trap 'kill "${busy[@]}" 2>/dev/null || true; rm -rf "$scratch"' EXIT
build/bench/benchmarks/write_random_scores "$scratch/m.safetensors" 1018 2000
timed() {
  local begin
  begin=$(date +%s%N)
  "$@" >/dev/null 2>&1 || { echo failed; return; }
  awk -v n=$(($(date +%s%N) - begin)) 'BEGIN { printf "%.1f s", n / 1e9 }'
}
score() {
  rm -f "$scratch"/s.sqlite*
  timed "$1" score examples/zoo/models --texts examples/zoo/texts.jsonl --store "$scratch/s.sqlite"
}
map() { timed "$1" map --matrix "$scratch/m.safetensors" --json "$scratch/map.json"; }
round() {
  local command
  for command in score map; do echo "$command, $1: $($command "$llmap")${other:+, other $($command "$other")}"; done
}
for ((i = 0; i < rounds; ++i)); do round "alone"; done
for _ in 1 2; do (while :; do :; done) & busy+=($!); done
for ((i = 0; i < rounds; ++i)); do round "beside two busy processes"; done
