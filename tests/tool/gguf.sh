# Models in GGUF files are models for every command: one by its path, several in a folder.
set -euo pipefail
tool=$1 source=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
check() { grep -qF -- "$2" <<<"$1" || { echo "expected: $2"; echo "$1"; exit 1; }; }
cp "$source"/tests/golden/gguf/llama_q8_0.gguf "$source"/tests/golden/gguf/qwen2_q5_1.gguf "$dir/"
printf '{"id": "a", "text": "the heron in an inner the"}\n{"id": "b", "text": "an inn"}\n{"id": "c", "text": "her hen"}\n' >"$dir/texts.jsonl"

said=$("$tool" info "$dir/llama_q8_0.gguf")
check "$said" 'model type     llama'
check "$said" 'quantized      GGUF Q8_0'
check "$said" 'BOS 286 (put in front)'
ids=$("$tool" tokenize "$dir/llama_q8_0.gguf" --texts "$dir/texts.jsonl" | head -1)
check "$ids" '[286,'
"$tool" score "$dir" --texts "$dir/texts.jsonl" --store "$dir/s.sqlite" >/dev/null
"$tool" map "$dir/s.sqlite" --json "$dir/map.json" >/dev/null
check "$(cat "$dir/map.json")" '"llama_q8_0"'
check "$(cat "$dir/map.json")" '"qwen2_q5_1"'

# A file that is damaged is one line, and the others' scores are kept.
head -c 9000 "$dir/llama_q8_0.gguf" >"$dir/cut.gguf"
if said=$("$tool" info "$dir/cut.gguf" 2>&1); then echo "a cut file was accepted"; exit 1; fi
check "$said" 'cut.gguf'
check "$said" 'truncated'
