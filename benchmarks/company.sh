#!/usr/bin/env bash
# Seconds that `llmap score` takes for the zoo alone, and beside two busy processes, in turns. Another tool may be given to run
# in the same turns: bash benchmarks/company.sh [ROUNDS [OTHER_LLMAP]]
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-3} other=${2:-}
llmap=build/release/examples/llmap
scratch=$(mktemp -d)
busy=()
trap 'kill "${busy[@]}" 2>/dev/null || true; rm -rf "$scratch"' EXIT
seconds() {
  rm -f "$scratch"/s.sqlite*
  local begin end
  begin=$(date +%s%N)
  "$1" score examples/zoo/models --texts examples/zoo/texts.jsonl --store "$scratch/s.sqlite" >/dev/null
  end=$(date +%s%N)
  awk -v n=$((end - begin)) 'BEGIN { printf "%.1f s", n / 1e9 }'
}
round() { echo "$1: $(seconds "$llmap")${other:+, other $(seconds "$other")}"; }
for ((i = 0; i < rounds; ++i)); do round "alone"; done
for _ in 1 2; do (while :; do :; done) & busy+=($!); done
for ((i = 0; i < rounds; ++i)); do round "beside two busy processes"; done
