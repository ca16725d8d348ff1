#!/usr/bin/env bash
# `llmap score` as a whole, on random models of SmolLM2-135M's shape (BF16, 269 MB, tokenizer of 49152 tokens), files in memory:
#   from the start of the program to the score of one short text, beside one read of the weights
#   seconds for 1, 2 and 4 times as many models and texts
set -euo pipefail
cd "$(dirname "$0")/.."
bash tests/setup.sh
cmake --preset release >/dev/null
cmake --build build/release --target llmap_tool >/dev/null
cmake --preset release -B build/bench -DLLMAP_BENCHMARKS=ON -DLLMAP_TESTS=OFF -DLLMAP_EXAMPLES=OFF >/dev/null
cmake --build build/bench --target write_random_model >/dev/null
work=build/bench/score
mkdir -p "$work"
[ -f "$work/models/a/model.safetensors" ] || build/bench/benchmarks/write_random_model "$work/models/a"
for name in b c d; do [ -d "$work/models/$name" ] || cp -rl "$work/models/a" "$work/models/$name"; done
echo '{"id": "first", "text": "Hello world"}' >"$work/one.jsonl"

seconds() { # of a command, in milliseconds
  local start; start=$(date +%s%N)
  "$@" >/dev/null 2>&1
  echo $(( ($(date +%s%N) - start) / 1000000 ))
}
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
score() { # TEXTS MODEL...
  rm -f "$work/store.sqlite"
  build/release/examples/llmap score "${@:2}" --texts "$1" --store "$work/store.sqlite"
}
for _ in 1 2 3 4 5 6 7 8 9; do
  seconds dd if="$work/models/a/model.safetensors" of=/dev/null bs=300M count=1 >>"$work/read.part"
  seconds score "$work/one.jsonl" "$work/models/a" >>"$work/first.part"
done
read=$(median <"$work/read.part") first=$(median <"$work/first.part")
rm "$work"/*.part
echo "to the score of one text: $first ms; one read of the weights into memory: $read ms; medians of 9"
echo
echo "seconds      1 text   2 texts   4 texts"
for models in "a" "a b" "a b c d"; do
  set -- $models
  printf '%d models ' $#
  for texts in 1 2 4; do
    head -n "$texts" examples/zoo/texts.jsonl >"$work/texts.jsonl"
    printf '%10.1f' "$(seconds score "$work/texts.jsonl" "${@/#/$work/models/}" | awk '{ print $1 / 1000 }')"
  done
  echo
done
