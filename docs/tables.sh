#!/usr/bin/env bash
# Writes docs/models.md: which golden cases a family, a tokenizer and a form of weights has, and how large the errors are,
# as the tests have just measured them.
set -euo pipefail
cd "$(dirname "$0")/.."
bash tests/setup.sh
cmake --preset release >/dev/null
tests=(forward_golden_models_test text_golden_test weights_quantized_test)
cmake --build build/release --target "${tests[@]}" >/dev/null
for test in "${tests[@]}"; do build/release/tests/"$test" --gtest_output=xml:build/tables/"$test".xml >/dev/null; done

# A line a test: name, then its properties as key=value, separated by tabs.
properties() {
  awk -F'"' '/<testcase name=/ { name = $2 } /<property name=/ { line[name] = line[name] "\t" $2 "=" $4; order[name] = order[name] ? order[name] : ++n }
             END { for (name in line) print order[name] "\t" name line[name] }' "build/tables/$1.xml" | sort -n | cut -f2- | sed 's/&quot;/"/g; s/&apos;/'"'"'/g; s/&amp;/\&/g'
}
code_lines() { grep -cvE '^ *(//.*)?$' "$1"; }

{
  cat <<'END'
# What is compared, and how closely

Written by `bash docs/tables.sh` from the results of the tests. An error is the largest difference of a token's log-probability from that
of the reference, in nats, over all sequences of all cases of the row. The bound is 1e-9 in f64, and in f32 four times what the reference
itself loses in float32, plus 2e-6; the share is the largest part of its bound that an error takes.

## Families

The cases are the folders of `tests/golden/models`. Lines are those of the family's file without comments and blank lines; some
families share a file.

| model_type | file | lines | cases | largest error, f64 | largest error, f32 | share of the bound |
| --- | --- | --- | --- | --- | --- | --- |
END
  properties forward_golden_models_test | awk -F'\t' '
    { split("", p); for (i = 2; i <= NF; ++i) { at = index($i, "="); p[substr($i, 1, at - 1)] = substr($i, at + 1) } }
    !("largest_error" in p) { next }
    { type = p["model_type"] }
    $1 ~ /^float64/ { ++cases[type]; if (p["largest_error"] + 0 >= f64[type] + 0) f64[type] = p["largest_error"] }
    $1 ~ /^float32/ { if (p["largest_error"] + 0 >= f32[type] + 0) f32[type] = p["largest_error"]; if (p["share_of_bound"] + 0 > share[type] + 0) share[type] = p["share_of_bound"] }
    END { for (t in cases) print t, cases[t], f64[t], f32[t], share[t] }' | sort |
    while read -r type cases f64 f32 share; do
      plan=$(sed -n "s/.*{\"$type\", \([a-z0-9_]*\)}.*/\1/p" include/llmap/architectures/all.hpp)
      file=$(grep -lE "^inline decoder_plan ${plan}\(" include/llmap/architectures/*.hpp | head -1)
      printf '| %s | `%s` | %s | %s | %s | %s | %.0f %% |\n' "$type" "$(basename "$file")" "$(code_lines "$file")" "$cases" "$f64" "$f32" "$(echo "$share" | awk '{ print 100 * $1 }')"
    done
  cat <<'END'

## Forms of weights

The cases are the folders of `tests/golden/checkpoints`. Every decoded matrix has the bits of the reference, rounded once to float;
log-probabilities of the decoded weights are compared in f64.

| scheme | cases | largest error |
| --- | --- | --- |
END
  properties weights_quantized_test | awk -F'\t' '
    { split("", p); for (i = 2; i <= NF; ++i) { at = index($i, "="); p[substr($i, 1, at - 1)] = substr($i, at + 1) } }
    "scheme" in p { s = p["scheme"]; ++cases[s]; if (p["largest_error"] + 0 >= error[s] + 0) error[s] = p["largest_error"] }
    END { for (s in cases) print "| " s " | " cases[s] " | " error[s] " |" }' | sort
  cat <<'END'

## Tokenizers

The cases are the folders of `tests/golden/tokenizers`. On every text the ids are those of the reference, with and without special tokens.

| case | what it mirrors | texts |
| --- | --- | --- |
END
  properties text_golden_test | awk -F'\t' '
    { split("", p); for (i = 2; i <= NF; ++i) { at = index($i, "="); p[substr($i, 1, at - 1)] = substr($i, at + 1) } }
    "samples" in p { name = $1; sub(/.*\//, "", name); gsub(/\|/, "\\|", p["mirrors"]); print "| " name " | " p["mirrors"] " | " p["samples"] " |" }'
} >docs/models.md.part
mv docs/models.md.part docs/models.md
