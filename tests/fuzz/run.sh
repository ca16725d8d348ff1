#!/usr/bin/env bash
# Feeds each reader damaged input, with the address and undefined-behavior sanitizers (Clang's libFuzzer).
# bash tests/fuzz/run.sh [SECONDS]  SECONDS for all readers together, 60 by default.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}
bash tests/setup.sh clang libclang-rt-14-dev
build=build/fuzz
mkdir -p "$build"
targets=(json safetensors tokenizer sentencepiece ranked gguf regex)
seeds_of() { # a few small files of the kind
  case $1 in
    json | tokenizer) find tests/golden/tokenizers -name tokenizer.json -size -64k | sort | head -12 ;;
    sentencepiece) find tests/golden/tokenizers -name '*.model' ! -path '*tiktoken*' | sort ;;
    ranked) find tests/golden/tokenizers -name tekken.json -o -path '*/tiktoken_*.model' | sort ;;
    safetensors) find tests/golden examples/zoo -name '*.safetensors' -size -64k | sort | head -12 ;;
  esac
}
for target in "${targets[@]}"; do
  # shellcheck disable=SC2046
  clang++ -std=c++20 -O1 -g -D_GLIBCXX_ASSERTIONS -fsanitize=fuzzer,address,undefined -fno-sanitize=vptr,function,alignment,null,object-size,pointer-overflow \
    -fno-sanitize-recover=all -Iinclude -I. $(pkg-config --cflags libpcre2-8 libutf8proc zlib libzstd) "tests/fuzz/${target}_fuzz.cpp" \
    $(pkg-config --libs libpcre2-8 libutf8proc zlib libzstd) -o "$build/$target"
done
for target in "${targets[@]}"; do
  rm -rf "$build/$target.corpus"
  mkdir -p "$build/$target.corpus"
  number=0
  for seed in $(seeds_of "$target"); do cp "$seed" "$build/$target.corpus/seed$((number += 1))"; done
  [ "$target" = gguf ] && # version 3, no tensors, one number
    printf 'GGUF\3\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0a\4\0\0\0\7\0\0\0' >"$build/gguf.corpus/seed1"
  [ "$target" = regex ] && printf '%s' "(?i:'s|'t)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+(?!\S)|\s+" >"$build/regex.corpus/seed1"
  "$build/$target" -max_total_time=$((seconds / ${#targets[@]})) -max_len=300000 -timeout=20 -rss_limit_mb=4096 -artifact_prefix="$build/$target." \
    "$build/$target.corpus" >"$build/$target.log" 2>&1 || { tail -30 "$build/$target.log"; exit 1; }
  echo "$target: $(tail -1 "$build/$target.log")"
done
