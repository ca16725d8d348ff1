#!/usr/bin/env bash
# From a fresh clone to the map of the zoo: installs what is missing, builds the tool, scores 30 models on 600 texts,
# draws the map. The store is kept: a second run only draws.
set -euo pipefail
cd "$(dirname "$0")/.."
bash tests/setup.sh
cmake --preset release >/dev/null
cmake --build build/release --target llmap_tool
llmap=build/release/examples/llmap
out=build/quickstart
mkdir -p "$out"
"$llmap" score examples/zoo/models --texts examples/zoo/texts.jsonl --store "$out/zoo.sqlite"
echo
"$llmap" map "$out/zoo.sqlite" --force --html "$out/map.html" --json "$out/map.json" --svg "$out/map.svg" --tsv "$out/map.tsv"
echo
echo "the map: $PWD/$out/map.html"
echo "of your own models: $PWD/$llmap score FOLDER... --texts TEXTS.jsonl --store mine.sqlite, then $PWD/$llmap map mine.sqlite --html mine.html"
