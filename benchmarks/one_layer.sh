#!/usr/bin/env bash
# The largest shapes that llmap is tested with: the first layer of each model of tests/tool/configs, embeddings and head, with
# random weights in BF16, scores 512 random tokens. Needs 16 GiB of memory and 12 GB of disk.
#   bash benchmarks/one_layer.sh [MODEL...]
set -euo pipefail
cd "$(dirname "$0")/.."
bash tests/setup.sh
cmake --preset release >/dev/null
cmake --build build/release --target llmap_tool >/dev/null
cmake --preset release -B build/bench -DLLMAP_BENCHMARKS=ON -DLLMAP_TESTS=OFF -DLLMAP_EXAMPLES=OFF >/dev/null
cmake --build build/bench --target write_one_layer >/dev/null
work=build/one-layer
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT
awk 'BEGIN { srand(1); printf "{\"sequences\": [["; for (i = 0; i < 512; ++i) printf "%s%d", i ? ", " : "", int(rand() * 30000); print "]]}" }' >"$work/ids.json"
echo "model               parameters  file GB  memory GiB  seconds  mean log p" # two bytes a parameter
for config in tests/tool/configs/*.json; do
  model=$(basename "$config" .json)
  [ $# -gt 0 ] && [[ " $* " != *" $model "* ]] && continue
  build/bench/benchmarks/write_one_layer "$config" "$work/model"
  start=$(date +%s.%N)
  build/release/examples/llmap logprobs "$work/model" --ids "$work/ids.json" >"$work/out.json" &
  peak=0
  while kill -0 $! 2>/dev/null; do # of the tool, whose pages are its own: the file is mapped
    for pid in $(pgrep -f "llmap logprobs $work/model" || true); do
      now=$(awk '/^RssAnon/ { print $2 }' "/proc/$pid/status" 2>/dev/null || echo 0)
      [ "${now:-0}" -gt "$peak" ] && peak=$now
    done
    sleep 0.05
  done
  wait $!
  seconds=$(awk -v a="$start" -v b="$(date +%s.%N)" 'BEGIN { print b - a }')
  mean=$(sed 's/.*"logprob":\[\([^]]*\)\].*/\1/' "$work/out.json" | tr ',' '\n' | awk '/^-?[0-9]/ { s += $1; ++n } END { print s / n }')
  bytes=$(stat -c %s "$work/model/model.safetensors")
  printf '%-18s %10.2fe9 %8.2f %11.2f %8.1f %11.4f\n' "$model" "$(awk -v b="$bytes" 'BEGIN { print b / 2e9 }')" "$(awk -v b="$bytes" 'BEGIN { print b / 1e9 }')" \
    "$(awk -v k=$peak 'BEGIN { print k / 1048576 }')" "$seconds" "$mean"
  rm -rf "$work/model"
done
